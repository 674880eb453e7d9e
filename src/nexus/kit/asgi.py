"""ASGI middleware: a request id and a log line for each request, a limit on bodies, security headers on answers.

Plain ASGI, because a middleware that buffers would break streams and WebSockets.
"""

import contextlib
import logging
import re
import time
from collections.abc import Callable, Mapping
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from nexus.kit import log
from nexus.kit.problems import Problem

_log = log.get("http")

REQUEST_ID = "x-request-id"
_NOTHING = re.compile(r"(?!)")
_VALID_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class RequestIdMiddleware:
    """Gives each request its id (the client's own if it is well formed), on every log line, in the answer, and in one
    access log line with status and duration. The outermost middleware.

    `routine` matches the paths of requests that come by themselves, over and over: their line is for debugging, unless
    something was wrong with them."""

    def __init__(self, app: ASGIApp, *, routine: re.Pattern[str] = _NOTHING) -> None:
        self._app = app
        self._routine = routine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _VALID_ID.fullmatch(given) else str(uuid4())
        status = 101 if scope["type"] == "websocket" else 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            elif message["type"] == "websocket.accept":
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, answer)
            finally:
                is_routine = 0 < status < 400 and self._routine.fullmatch(scope["path"]) is not None
                _log.log(
                    logging.DEBUG if is_routine else logging.INFO,
                    "request",
                    method=scope.get("method", "WEBSOCKET"),
                    path=scope["path"],
                    status=status or None,
                    duration_ms=round((time.perf_counter() - began) * 1000, 1),
                )


class Bug(Problem):
    """What is told of an error that nobody foresaw."""

    status, code = 500, "internal_error"


def problem_response(problem: Problem, *, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer that tells this problem, with the id of the request being served."""
    request_id = log.bound("request_id")
    body = problem.body(str(request_id) if request_id else None)
    challenge = {"WWW-Authenticate": "Bearer"} if body.status == 401 else {}
    return JSONResponse(
        body.model_dump(), status_code=body.status, headers={**challenge, **problem.headers, **(headers or {})}
    )


class UnexpectedErrorMiddleware:
    """Where an exception that nobody handled ends: logged whole, told as a bug. Directly inside RequestIdMiddleware,
    for Starlette's own comes too late to know the request's id and does nothing for WebSockets."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_started = False

        async def answer(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception:
            _log.exception("unexpected_error", path=scope.get("path"))
            if scope["type"] == "http" and not has_started:
                await self._response()(scope, receive, send)
            elif scope["type"] == "websocket":
                await self._end(WebSocket(scope, receive, send), has_started)

    def _response(self) -> JSONResponse:
        return problem_response(
            Bug(
                "Something went wrong inside the platform; this is a bug.",
                suggestion="Quote the request id when you report it; the manager's log has the details under it.",
            )
        )

    async def _end(self, socket: WebSocket, has_started: bool) -> None:
        if has_started:
            with contextlib.suppress(RuntimeError, OSError):  # it may be closed already
                await socket.send({"type": "websocket.close", "code": 1011, "reason": "internal error"})
        else:
            await socket.receive()
            await socket.send_denial_response(self._response())


class BodyTooLarge(Problem):
    status, code = 413, "body_too_large"


class BodyLimitMiddleware:
    """Refuses bodies beyond `limit_bytes`, announced or not, with 413; but those that `is_streamed` knows, which are
    never held whole, and which their route bounds."""

    def __init__(
        self, app: ASGIApp, *, limit_bytes: int, is_streamed: Callable[[Scope], bool] = lambda _scope: False
    ) -> None:
        self._app = app
        self._limit = limit_bytes
        self._is_streamed = is_streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_streamed(scope):
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced) > self._limit:
            await problem_response(self._too_large())(scope, receive, send)
            return
        taken, is_told = 0, False

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise self._too_large()
            return message

        async def answer(message: Message) -> None:
            """Whatever the application makes of a body that was cut off, the client hears why."""
            nonlocal is_told
            if taken <= self._limit:
                await send(message)
            elif not is_told:
                is_told = True
                await problem_response(self._too_large())(scope, receive, send)

        try:
            await self._app(scope, limited, answer)
        except BodyTooLarge:
            await answer({"type": "http.response.start"})

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"The body is longer than this server takes ({self._limit} bytes).", suggestion="Send less at once."
        )


class SecurityHeadersMiddleware:
    """What a browser should hold our pages and answers to. An answer that sets one of these itself keeps its own."""

    def __init__(self, app: ASGIApp, *, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, answer if scope["type"] == "http" else send)
