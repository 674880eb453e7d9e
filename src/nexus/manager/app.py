"""The FastAPI application: routes, error answers and middleware. What stands behind the routes is wiring's.

It can be made without settings or database, which is how its OpenAPI description is printed.
"""

from collections.abc import Iterator
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute, RouteContext, iter_route_contexts

from nexus.kit.asgi import (
    BodyLimitMiddleware,
    RequestIdMiddleware,
    SecurityHeadersMiddleware,
    UnexpectedErrorMiddleware,
)
from nexus.kit.http import handle_problems
from nexus.manager.idempotency.middleware import IdempotencyMiddleware

MOST_BODY_BYTES = 1024 * 1024

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_ABOUT = """One API for the whole platform. Errors have one shape everywhere (`error`, `suggestion`, `code`, …).
A 200 with an `operation_id` means that the wish is recorded; add `?wait=SECONDS` or follow the operation to see it
done.
Send an `Idempotency-Key` with a POST to be able to send it again safely."""


def create_app(routers: list[APIRouter]) -> FastAPI:
    """The application over these routers; give it its services with `kit.http.provide`."""
    app = FastAPI(
        title="Nexus",
        description=_ABOUT,
        version=version("nexus-microvm"),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        generate_unique_id_function=operation_id,
    )
    for router in routers:
        app.include_router(router)
    handle_problems(app)
    # the last one added is the outermost
    app.add_middleware(IdempotencyMiddleware)
    app.add_middleware(BodyLimitMiddleware, limit_bytes=MOST_BODY_BYTES)
    app.add_middleware(UnexpectedErrorMiddleware)
    app.add_middleware(SecurityHeadersMiddleware, headers=SECURITY_HEADERS)
    app.add_middleware(RequestIdMiddleware)
    return app


def operation_id(route: APIRoute) -> str:
    """`vms_stop` for `stop_vm` under the tag `vms`: the tag, then the function's name without the noun."""
    tag = str(route.tags[0]) if route.tags else "api"
    noun = tag.removesuffix("s")
    verb = route.name.removesuffix(f"_{tag}").removesuffix(f"_{noun}")
    return f"{tag}_{verb}"


def routes_of(app: FastAPI) -> Iterator[RouteContext]:
    """Every route and WebSocket of the application with its full path, flat. TypeError for anything else, which could
    be called without a rule."""
    for context in iter_route_contexts(app.routes):
        if not isinstance(context.original_route, APIRoute | APIWebSocketRoute):
            raise TypeError(f"{context.original_route!r} is no API route")
        yield context
