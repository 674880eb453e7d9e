"""What the API's description says of every route by its rule: how to authenticate, and the refusals that go with it.

A route declares the problems of its own; those that come from what all routes pass through (its rule, the forms of
bodies, idempotency keys) are added here, so that no route can forget one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nexus.kit.asgi import BodyTooLarge
from nexus.kit.http import Unavailable, UnsupportedMediaType, problems
from nexus.kit.paging import BadCursor
from nexus.kit.problems import InvalidField, Malformed, NotAllowed, NotSignedIn, Problem
from nexus.kit.versions import Stale
from nexus.manager.access.rules import COOKIE, ForeignOrigin
from nexus.manager.idempotency.middleware import AnswerUnknown, KeyReused

EVERYWHERE: tuple[type[Problem], ...] = (Malformed, InvalidField, BodyTooLarge, Unavailable)
"""What any route may answer."""
_SESSION, _BROWSER, _HOST = "session", "browser", "host"
_SCHEMES = {
    _SESSION: {"type": "http", "scheme": "bearer", "description": "The token of `POST /v1/auth/login`"},
    _BROWSER: {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The same token, as login leaves it with a browser; good only from this server's own pages",
    },
    _HOST: {"type": "http", "scheme": "bearer", "description": "A host's own credential, from its registration"},
}
_SECURITY: dict[str, list[dict[str, list[str]]]] = {"public": [], "host": [{_HOST: []}]}
_SIGNED_IN: list[dict[str, list[str]]] = [{_SESSION: []}, {_BROWSER: []}]
_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes it safe to send this again: the same key and request get the first answer once more",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
_VERSION = {"ETag": {"description": "The version of the object as it is now", "schema": {"type": "string"}}}


@dataclass(frozen=True)
class Described:
    """A route of the description, and the name of its rule (`access.rules`)."""

    method: str
    path: str
    rule: str


def complete(schema: dict[str, Any], routes: Iterable[Described]) -> None:
    """Add to an OpenAPI document what holds for these routes by their rule and form."""
    schema.setdefault("components", {})["securitySchemes"] = _SCHEMES
    for route in routes:
        operation = schema["paths"].get(route.path, {}).get(route.method.lower())
        if operation is not None:
            _complete(operation, route)


def _complete(operation: dict[str, Any], route: Described) -> None:
    operation["security"] = _SECURITY.get(route.rule, _SIGNED_IN)
    _add(operation, [*EVERYWHERE, *_refusals(route.rule, is_change=route.method != "GET")])
    if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", [])):
        _add(operation, [BadCursor])
    headers = {
        parameter["name"].lower() for parameter in operation.get("parameters", []) if parameter["in"] == "header"
    }
    if "if-match" in headers:
        _add(operation, [Stale])
        operation["responses"]["412"]["headers"] = _VERSION
    if "if-none-match" in headers:
        operation["responses"]["200"]["headers"] = _VERSION
        operation["responses"]["304"] = {"description": "It is still what you have", "headers": _VERSION}
    if "requestBody" in operation:
        _add(operation, [UnsupportedMediaType])
    if route.method == "POST" and route.rule in ("viewer", "operator", "admin"):
        _add(operation, [KeyReused, AnswerUnknown])
        operation.setdefault("parameters", []).append(_KEY_PARAMETER)


def _refusals(rule: str, *, is_change: bool) -> list[type[Problem]]:
    if rule == "public":
        return []
    refusals: list[type[Problem]] = [NotSignedIn]
    if rule in ("operator", "admin"):
        refusals.append(NotAllowed)
    if is_change and rule != "host":
        refusals.append(ForeignOrigin)
    return refusals


def _add(operation: dict[str, Any], kinds: Iterable[type[Problem]]) -> None:
    """Have the operation answer with these problems too."""
    for status, added in problems(*kinds).items():
        told = operation["responses"].setdefault(str(status), _problem_answer())
        codes = {code for code in told["description"].split(", ") if code}
        told["description"] = ", ".join(sorted(codes | set(added["description"].split(", "))))


def _problem_answer() -> dict[str, Any]:
    reference = {"$ref": "#/components/schemas/ProblemBody"}
    return {"description": "", "content": {"application/json": {"schema": reference}}}
