"""What every request must be before a route looks at it: text that can be read in one way only, and kept.

A target (path and query) is UTF-8 and holds no NUL; a JSON body is what kit/json_text.py says.
"""

from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from nexus.kit.asgi import problem_response
from nexus.kit.bodies import read_body, replay_body
from nexus.kit.json_text import parse_json
from nexus.kit.problems import InvalidField, Malformed, Problem


class WellFormedMiddleware:
    """Refuses what is not well formed: 400 for bytes that are no text or no JSON, 422 for NUL in the query."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            require_target(scope)
            if scope["type"] == "http" and is_json(Headers(scope=scope).get("content-type", "")):
                body = await read_body(receive)
                if body:
                    parse_json(body)
                receive = replay_body(body, receive)
        except Problem as problem:
            await _refuse(problem, scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_json(content_type: str) -> bool:
    """Whether a Content-Type says JSON: `application/json`, or another `application/…+json`."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def require_target(scope: Scope) -> None:
    """Raise Malformed or InvalidField for a path or query that is not UTF-8 or holds NUL."""
    path = scope.get("raw_path") or scope["path"].encode(errors="surrogateescape")
    if b"\0" in _decoded(path, "path"):
        raise Malformed("The path holds a NUL character.", suggestion="Leave that character out.")
    if b"\0" in _decoded(scope["query_string"], "query"):
        raise InvalidField("A query parameter holds a NUL character.", suggestion="Leave that character out.")


def _decoded(quoted: bytes, what: str) -> bytes:
    if b"%" not in quoted and quoted.isascii():
        return quoted
    text = unquote_to_bytes(quoted)
    try:
        text.decode()
    except UnicodeDecodeError as unreadable:
        raise Malformed(f"The {what} is not UTF-8.", suggestion="Percent-encode it from UTF-8.") from unreadable
    return text


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await problem_response(problem)(scope, receive, send)
        return
    socket = WebSocket(scope, receive, send)
    await socket.receive()
    await socket.send_denial_response(problem_response(problem))
