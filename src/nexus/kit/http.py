"""HTTP plumbing for FastAPI: one error shape on every route, and services found by their type.

What must stay true: every error is a `ProblemBody`; unexpected ones are kit.asgi's.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import asyncpg
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from nexus.kit import log
from nexus.kit.asgi import problem_response
from nexus.kit.db import LOST
from nexus.kit.problems import InvalidField, Malformed, NotFound, Problem, ProblemBody

_log = log.get("http")
_T = TypeVar("_T")
_PROVIDED = "nexus_provided"

_UNSTORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)


class MethodNotAllowed(Problem):
    status, code = 405, "method_not_allowed"


class UnsupportedMediaType(Problem):
    status, code = 415, "unsupported_media_type"


class Unavailable(Problem):
    status, code = 503, "unavailable"


def provide(app: FastAPI, *services: object) -> None:
    """Make each service available to routes under its own class; see `provided`."""
    table: dict[type, object] = getattr(app.state, _PROVIDED, {})
    table.update({type(service): service for service in services})
    setattr(app.state, _PROVIDED, table)


def provided(kind: type[Any]) -> Any:
    """A FastAPI dependency on the one service of this class: `Vms = Annotated[VmService, provided(VmService)]`."""

    async def find(connection: HTTPConnection) -> Any:
        return service(connection, kind)

    return Depends(find)


def service(connection: HTTPConnection, kind: type[_T]) -> _T:
    """The one service of this class that the wiring has provided. LookupError is a mistake in the wiring."""
    table: dict[type, Any] = getattr(connection.app.state, _PROVIDED, {})
    if kind not in table:
        raise LookupError(f"nobody provides {kind.__name__}; see the manager's wiring")
    return table[kind]


def problems(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these problems, for its OpenAPI description."""
    codes: dict[int, list[str]] = {}
    for kind in kinds:
        codes.setdefault(kind.status, []).append(f"`{kind.code}`")
    return {
        status: {"model": ProblemBody, "description": ", ".join(sorted(set(told)))}
        for status, told in sorted(codes.items())
    }


def handle_problems(app: FastAPI) -> None:
    """Have every error of this app answered as a ProblemBody, on WebSockets (before they are accepted) too."""
    handlers: dict[Any, Any] = {
        Problem: _on_problem,
        RequestValidationError: _on_invalid,
        WebSocketRequestValidationError: _on_invalid,
        HTTPException: _on_http_exception,
        **dict.fromkeys(LOST, _on_database_lost),
        **dict.fromkeys(_UNSTORABLE, _on_unstorable),
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


async def _on_problem(connection: Any, error: Exception) -> Response | None:
    assert isinstance(error, Problem)
    return await answer(connection, error)


async def answer(connection: Request | WebSocket, problem: Problem) -> Response | None:
    """The answer that tells this problem. For a WebSocket it is sent here, in place of the handshake's."""
    response = problem_response(problem)
    if isinstance(connection, WebSocket):
        await connection.send_denial_response(response)
        return None
    return response


async def _on_invalid(connection: Any, error: Exception) -> Response | None:
    """A body of another type than JSON is 415, one that is no object 400; JSON (or a parameter) that does not fit is
    422 and names the field."""
    assert isinstance(error, RequestValidationError | WebSocketRequestValidationError)
    first: dict[str, Any] = error.errors()[0]
    where, *path = [str(part) for part in first["loc"]] or ["body"]
    if isinstance(error, RequestValidationError) and isinstance(error.body, bytes):
        # FastAPI parses what is said to be JSON (and kit.wellformed has seen to it that it is); anything else is bytes
        problem: Problem = UnsupportedMediaType(
            "The body is not said to be JSON.", suggestion="Send a JSON object with Content-Type: application/json."
        )
    elif not path and where == "body" and first["type"] != "value_error":
        problem = Malformed(
            f"The body does not fit: {first['msg']}.",
            suggestion="Send a JSON object with Content-Type: application/json.",
        )
    else:
        problem = InvalidField(
            f"{'.'.join(path) or where}: {_in_words(first)}.", fault_message=f"in the request's {where}"
        )
    return await answer(connection, problem)


_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "uuid_parsing": "must be an id (a UUID)",
    "uuid_type": "must be an id (a UUID)",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "enum": "must be {expected}",
}
"""What is told for pydantic's most frequent types of error; its own words speak to who wrote the model."""


def _in_words(error: Mapping[str, Any]) -> str:
    words = _WORDS.get(error["type"])
    return words.format(**error.get("ctx", {})) if words else error["msg"]


async def _on_http_exception(connection: Any, error: Exception) -> Response | None:
    """What the framework itself refuses: no such route, wrong method, an unreadable body."""
    assert isinstance(error, HTTPException)
    path = connection.url.path
    if error.status_code == 404:
        problem: Problem = NotFound(f"There is nothing at {path}.", suggestion="See /openapi.json for what there is.")
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        problem = MethodNotAllowed(f"{connection.method} is not for {path}.", suggestion=f"Use {allowed}.")
        return problem_response(problem, headers=error.headers)
    else:
        problem = Malformed(f"The request cannot be read: {error.detail}.")
    return await answer(connection, problem)


async def _on_unstorable(connection: Any, error: Exception) -> Response | None:
    """NUL passes every JSON parser and plain string type; PostgreSQL has no place for it. The types of kit.fields
    refuse it with the field's name: this is for a field that was given none of them."""
    problem = InvalidField(
        "The request holds a character that cannot be stored (NUL).", suggestion="Leave that character out."
    )
    return await answer(connection, problem)


async def _on_database_lost(connection: Any, error: Exception) -> Response | None:
    return await answer(connection, database_lost(error))


def database_lost(error: Exception) -> Problem:
    """What is told when one of `db.LOST` ends a request; for middleware, which stands outside the handlers."""
    _log.error("database_lost", why=str(error) or type(error).__name__)
    return Unavailable("The platform's database cannot be reached just now.", suggestion="Try again in a moment.")
