"""HTTP plumbing for FastAPI: request ids, one error shape on every route, limits, and services by type.

What must stay true: every answer carries `X-Request-ID`, every error is a `ProblemBody`, and an unexpected error tells
the client nothing but the request id under which the log has the rest.
"""

from typing import Any, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

from nexus.kit.problems import Problem, ProblemBody

_T = TypeVar("_T")

PROVIDED = "nexus_provided"


def provide(app: Any, *services: object) -> None:
    """Make each service available to routes under its own class; see `provided`."""
    table: dict[type, object] = getattr(app.state, PROVIDED, {})
    table.update({type(service): service for service in services})
    setattr(app.state, PROVIDED, table)


def provided(kind: type[Any]) -> Any:
    """A FastAPI dependency on the one service of this class: `Vms = Annotated[VmService, provided(VmService)]`."""

    def find(connection: HTTPConnection) -> Any:
        return service(connection, kind)

    return Depends(find)


def service(connection: HTTPConnection, kind: type[_T]) -> _T:
    """The one service of this class that the wiring has provided. LookupError is a mistake in the wiring."""
    table: dict[type, Any] = getattr(connection.app.state, PROVIDED, {})
    if kind not in table:
        raise LookupError(f"nobody provides {kind.__name__}; see the manager's wiring")
    return table[kind]


def problems(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these problems, for its OpenAPI description."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        told = by_status.setdefault(kind.status, {"model": ProblemBody, "description": ""})
        told["description"] = ", ".join(filter(None, [told["description"], f"`{kind.code}`"]))
    return by_status
