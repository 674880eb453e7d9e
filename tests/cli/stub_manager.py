"""A manager as far as a client sees one: scripted answers over real HTTP and real WebSockets, nothing behind them.

For what the CLI does with an answer. Whether the real manager answers so is for others to test.
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

Answer = dict[str, Any] | Response
Talk = Callable[[WebSocket], Awaitable[None]]

TOKEN = "t0ken-of-the-tests"


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class StubManager:
    """`on` and `talk` script it; `seen` is what it was asked. Several answers are given one by one, the last one
    ever after."""

    url: str = ""
    seen: list[Seen] = field(default_factory=lambda: list[Seen]())
    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=lambda: dict[tuple[str, str], list[Answer]]())
    talks: dict[str, Talk] = field(default_factory=lambda: dict[str, Talk]())

    drop_all: bool = False
    """Answer every WebSocket as a proxy does whose manager is away."""

    drops: int = 0

    def on(self, method: str, path: str, *answers: Answer) -> None:
        self.answers[method, path] = list(answers)

    def talk(self, path: str, handler: Talk) -> None:
        self.talks[path] = handler

    def asked(self, method: str, path: str) -> list[Seen]:
        return [one for one in self.seen if (one.method, one.path) == (method, path)]

    def have(self, *vms: dict[str, Any]) -> None:
        """Answer as a manager that has these VMs."""

        self.on("GET", "/v1/vms", {"items": list(vms), "next_cursor": None})
        for vm in vms:
            self.on("GET", f"/v1/vms/{vm['id']}", {"item": vm})

    async def _answer(self, request: Request) -> Response:
        raw = await request.body()
        path = request.url.path
        is_archive = request.headers.get("content-type") == "application/x-tar"
        body = raw if is_archive else await request.json() if raw else None
        self.seen.append(Seen(request.method, path, dict(request.query_params), dict(request.headers), body))
        if path.startswith("/v1") and path != "/v1/auth/login" and request.headers.get("authorization") is None:
            return problem(401, "You are not signed in.", code="not_signed_in")
        script = self.answers.get((request.method, path))
        if script is None:
            return problem(404, f"Nothing is scripted for {request.method} {path}.")
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Response):
            return answer
        if "name" in request.query_params and "items" in answer:
            wanted = request.query_params["name"]
            answer = answer | {"items": [one for one in answer["items"] if one["name"] == wanted]}
        return JSONResponse(answer)

    async def _talk(self, socket: WebSocket) -> None:
        if self.drop_all:
            self.drops += 1
            await socket.send_denial_response(Response(status_code=502))
            return
        self.seen.append(Seen("WS", socket.url.path, dict(socket.query_params), dict(socket.headers), None))
        await socket.accept()
        await self.talks[socket.url.path](socket)

    @property
    def app(self) -> Starlette:
        methods = ["GET", "POST", "PATCH", "DELETE", "PUT"]
        return Starlette(
            routes=[WebSocketRoute("/{path:path}", self._talk), Route("/{path:path}", self._answer, methods=methods)]
        )


def problem(status: int, error: str, *, code: str = "conflict", **more: str) -> JSONResponse:
    body = {
        "error": error,
        "suggestion": None,
        "fault_message": None,
        "status": status,
        "code": code,
        "request_id": "req-7",
    }
    return JSONResponse(body | more, status_code=status)


def uuid_of(number: int) -> str:
    return str(UUID(int=0x0192F0C1_0000_7000_8000_0000_0000_0000 + number))


class _Server(uvicorn.Server):
    """Says when it can be reached, and ends at once: uvicorn looks ten times a second whether it should."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._ended: asyncio.Event

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)
        self.is_up.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._ended.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Nobody is left to be waited for."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()

    def end(self) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._ended.set)


@contextmanager
def serving(stub: StubManager) -> Generator[StubManager]:
    """Serve `stub` on a port of its own while the block runs."""
    config = uvicorn.Config(stub.app, port=0, log_level="error", lifespan="off", ws="websockets-sansio")
    server = _Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert server.is_up.wait(10)
    port = cast("int", server.servers[0].sockets[0].getsockname()[1])
    stub.url = f"http://127.0.0.1:{port}"
    try:
        yield stub
    finally:
        server.end()
        thread.join(10)
