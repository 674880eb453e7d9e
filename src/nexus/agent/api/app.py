"""The agent's HTTP interface as an ASGI application.

Plain Starlette: it speaks to the manager alone, whose client is typed by the same protocol models, and answers from
memory. Errors are `TroubleBody`.
"""

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from nexus.agent.api.console import Consoles
from nexus.agent.api.guest_proxy import GuestProxy
from nexus.agent.api.log_routes import LogRoutes
from nexus.agent.api.pipes import Pipes
from nexus.agent.api.routes import Routes
from nexus.agent.api.snapshot_routes import SnapshotRoutes, is_archive
from nexus.agent.machines.registry import StaleGeneration
from nexus.agent.vmm.port import VmmTrouble
from nexus.kit import log
from nexus.kit.asgi import BodyLimitMiddleware, RequestIdMiddleware
from nexus.kit.problems import Problem
from nexus.protocol.trouble import Gone, Refused, Trouble, TroubleBody

_log = log.get("nexus.agent.api")

MOST_BODY_BYTES = 4 << 20
"""The longest is a command's words for a guest, of which a manager takes one MiB."""
_MACHINE = "/v1/machines/{machine:uuid}"
_SNAPSHOT = "/v1/snapshots/{snapshot:uuid}"


def make_app(
    routes: Routes, guests: GuestProxy, consoles: Consoles, logs: LogRoutes, snapshots: SnapshotRoutes
) -> Starlette:
    app = Starlette(
        routes=[
            Route("/v1/host", routes.host),
            Route("/v1/host/files", routes.host_file, methods=["GET"]),
            Route("/v1/host/files", routes.make_host_file, methods=["PUT"]),
            Route("/v1/host/log", logs.own),
            Route("/v1/machines", routes.machines),
            Route(_MACHINE, routes.see, methods=["GET"]),
            Route(_MACHINE, routes.define, methods=["PUT"]),
            Route(_MACHINE, routes.discard, methods=["DELETE"]),
            Route(f"{_MACHINE}/power", routes.power, methods=["PUT"]),
            Route(f"{_MACHINE}/ctrl-alt-del", routes.ctrl_alt_del, methods=["POST"]),
            Route(f"{_MACHINE}/metrics", routes.metrics),
            Route(f"{_MACHINE}/balloon", routes.balloon),
            Route(f"{_MACHINE}/console", logs.console),
            Route(f"{_MACHINE}/vmm-log", logs.vmm_log),
            Route(f"{_MACHINE}/snapshots/{{snapshot:uuid}}", snapshots.take, methods=["PUT"]),
            Route("/v1/snapshots", snapshots.list),
            Route(_SNAPSHOT, snapshots.see, methods=["GET"]),
            Route(_SNAPSHOT, snapshots.receive, methods=["PUT"]),
            Route(_SNAPSHOT, snapshots.discard, methods=["DELETE"]),
            Route(f"{_SNAPSHOT}/export", snapshots.export, methods=["GET"]),
            WebSocketRoute(f"{_MACHINE}/console/stream", consoles.serve),
            WebSocketRoute(f"{_MACHINE}/guest/sessions/{{session}}/stream", guests.stream),
            WebSocketRoute(f"{_MACHINE}/guest/pipes/{{pipe}}", Pipes(guests).serve),
            Route(f"{_MACHINE}/guest/{{path:path}}", guests.forward, methods=["GET", "PUT", "POST", "DELETE", "PATCH"]),
        ],
        middleware=[
            Middleware(RequestIdMiddleware),
            Middleware(BodyLimitMiddleware, limit_bytes=MOST_BODY_BYTES, is_streamed=is_archive),
        ],
        exception_handlers={
            ValidationError: _on_invalid,
            Problem: _on_problem,
            Trouble: _on_trouble,
            VmmTrouble: _on_vmm_trouble,
            OSError: _on_os_error,
            HTTPException: _on_http,
            Exception: _on_bug,
        },
    )
    app.router.redirect_slashes = False
    return app


def _answer(status: int, error: str, code: str, *, to: Request | None = None) -> JSONResponse:
    """`to`: what it answers, if that may be an archive, of which the rest is not read then."""
    headers = {"Connection": "close"} if to is not None and is_archive(to.scope) else None
    return JSONResponse(TroubleBody(error=error, code=code).model_dump(), status_code=status, headers=headers)


async def _on_invalid(_request: Request, refused: Exception) -> Response:
    assert isinstance(refused, ValidationError)
    first = refused.errors(include_url=False, include_input=False)[0]
    return _answer(422, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}", "invalid")


async def _on_problem(_request: Request, problem: Exception) -> Response:
    """What kit refuses about a body, in this interface's shape."""
    assert isinstance(problem, Problem)
    return _answer(problem.status, problem.error, problem.code)


async def _on_trouble(request: Request, trouble: Exception) -> Response:
    if isinstance(trouble, Gone):
        return _answer(404, str(trouble), "gone", to=request)
    if isinstance(trouble, StaleGeneration):
        return _answer(409, str(trouble), "stale_generation", to=request)
    if isinstance(trouble, Refused):
        return _answer(409, str(trouble), "refused", to=request)
    return _answer(503, str(trouble), "trouble", to=request)


async def _on_vmm_trouble(_request: Request, trouble: Exception) -> Response:
    return _answer(409, str(trouble), "refused")


async def _on_os_error(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, OSError)
    _log.error("request_failed", why=str(refused))
    return _answer(503, f"the host cannot do it now: {refused.strerror or refused}", "trouble", to=request)


async def _on_http(_request: Request, refused: Exception) -> Response:
    assert isinstance(refused, HTTPException)
    return _answer(refused.status_code, refused.detail, "no_such_route")


async def _on_bug(_request: Request, bug: Exception) -> Response:
    return _answer(500, f"internal error: {type(bug).__name__}", "internal_error")
