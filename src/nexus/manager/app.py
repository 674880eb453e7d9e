"""The FastAPI application: routes, error answers and middleware. What stands behind the routes is wiring's.

It can be made without settings or database, which is how its OpenAPI description is printed.
"""

import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute, RouteContext, iter_route_contexts
from starlette.datastructures import Headers
from starlette.types import Scope

from nexus.kit.asgi import (
    BodyLimitMiddleware,
    RequestIdMiddleware,
    SecurityHeadersMiddleware,
    UnexpectedErrorMiddleware,
)
from nexus.kit.http import handle_problems, problems
from nexus.kit.wellformed import WellFormedMiddleware
from nexus.manager.access.rules import rules_of
from nexus.manager.description import EVERYWHERE, Described, complete
from nexus.manager.idempotency.middleware import IdempotencyMiddleware
from nexus.manager.ui.middleware import UiMiddleware
from nexus.manager.ui.site import Site
from nexus.protocol.archives import MEDIA_TYPE

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
Send an `Idempotency-Key` with a POST to be able to send it again safely, and `If-Match` with the `ETag` you have
seen to change nothing else."""

_ROUTINE = re.compile(r"/v1/hosts/[^/]+/(heartbeat|samples)")
"""What every host sends every few seconds."""


def is_archive(scope: Scope) -> bool:
    """Whether a request brings a snapshot's archive: it is read as it comes, and as long as it is."""
    is_one = scope["method"] == "POST" and scope["path"] == "/v1/snapshots/import"
    return is_one and Headers(scope=scope).get("content-type") == MEDIA_TYPE


class Application(FastAPI):
    """FastAPI, with a description that tells each route's rule."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            complete(super().openapi(), (_described(endpoint) for endpoint in endpoints_of(self)))
        return super().openapi()


def create_app(routers: list[APIRouter], *, site: Site | None = None) -> FastAPI:
    """The application over these routers, and the web UI where it was built; give it its services with
    `kit.http.provide`."""
    app = Application(
        title="Nexus",
        description=_ABOUT,
        version=version("nexus-microvm"),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect is no answer to an API's client, and sends a body twice
        generate_unique_id_function=operation_id,
        responses=problems(*EVERYWHERE),
    )
    for router in routers:
        app.include_router(router)
    handle_problems(app)
    # the last one added is the outermost
    app.add_middleware(IdempotencyMiddleware, is_streamed=is_archive)
    app.add_middleware(UiMiddleware, site=site)
    app.add_middleware(WellFormedMiddleware)
    app.add_middleware(BodyLimitMiddleware, limit_bytes=MOST_BODY_BYTES, is_streamed=is_archive)
    app.add_middleware(UnexpectedErrorMiddleware)
    app.add_middleware(SecurityHeadersMiddleware, headers=SECURITY_HEADERS)
    app.add_middleware(RequestIdMiddleware, routine=_ROUTINE)
    return app


def operation_id(route: APIRoute) -> str:
    """`vms_stop` for `stop_vm` under the tag `vms`, `ssh_keys_list` for `list_ssh_keys` under `ssh-keys`: the tag, then
    the function's name without the noun."""
    tag = str(route.tags[0]).replace("-", "_") if route.tags else "api"
    noun = tag.removesuffix("s")
    verb = route.name.removesuffix(f"_{tag}").removesuffix(f"_{noun}")
    return f"{tag}_{verb}"


@dataclass(frozen=True)
class Endpoint:
    """A way into the application; `method` is WEBSOCKET for those. `rules` is who may call it: exactly one is right."""

    method: str
    path: str
    rules: frozenset[str]


def endpoints_of(app: FastAPI) -> list[Endpoint]:
    """Every way into the application. TypeError for one that is no API route and so could be called without a rule."""
    return [endpoint for context in iter_route_contexts(app.routes) for endpoint in _endpoints(context)]


def _endpoints(context: RouteContext) -> list[Endpoint]:
    route = context.original_route
    if isinstance(route, APIWebSocketRoute):
        methods = {"WEBSOCKET"}
    elif isinstance(route, APIRoute):
        methods = route.methods or set[str]()
    else:
        raise TypeError(f"{route!r} is no API route")
    rules = frozenset(rules_of(route.dependant))
    return [Endpoint(method, context.path or "/", rules) for method in sorted(methods)]


def _described(endpoint: Endpoint) -> Described:
    return Described(endpoint.method, endpoint.path, next(iter(endpoint.rules), "public"))
