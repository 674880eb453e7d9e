"""Pipes and the requests passed on, between a manager's WebSocket and a guest that may do as it likes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from starlette.requests import Request
from starlette.websockets import WebSocket

from nexus.agent.api.guest_proxy import GuestProxy
from nexus.agent.api.pipes import Pipes
from nexus.agent.guest.client import GuestClient
from nexus.kit.ids import new_id
from nexus.protocol.machines import GuestPhase
from nexus.protocol.trouble import Retryable

PATIENCE_S = 60
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


class Guest:
    """The guest's end of a pipe: it says what it is given; b"" is the end of it."""

    def __init__(self) -> None:
        self.saying: asyncio.Queue[bytes] = asyncio.Queue()
        self.saying.put_nowait(SWITCHED)
        self.heard = b""
        self.has_end = asyncio.Event()

    async def read(self, limit: int = 65536) -> bytes:
        return await self.saying.get()

    async def write(self, data: bytes) -> None:
        self.heard += data

    def write_eof(self) -> None:
        self.has_end.set()

    def abort(self) -> None:
        return

    @asynccontextmanager
    async def stream(self) -> AsyncGenerator["Guest"]:
        yield self


class Manager:
    """The manager's end of the WebSocket, as the agent's server shows it."""

    def __init__(self, guest: Guest) -> None:
        self._saying: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._saying.put_nowait({"type": "websocket.connect"})
        self.told: list[dict[str, Any]] = []
        self.has_end = asyncio.Event()
        scope: dict[str, Any] = {
            "type": "websocket",
            "path_params": {"machine": new_id(), "pipe": "port"},
            "query_string": b"port=7",
            "headers": [],
        }
        self.socket = WebSocket(scope, self._saying.get, self._take)
        self._pipes = Pipes(proxy(SimpleNamespace(is_ready=True, stream=guest.stream)))

    def say(self, **message: Any) -> None:
        self._saying.put_nowait({"type": "websocket.receive", **message})

    def leave(self) -> None:
        self._saying.put_nowait({"type": "websocket.disconnect", "code": 1006})

    def serve(self) -> "asyncio.Task[None]":
        return asyncio.create_task(self._pipes.serve(self.socket))

    async def _take(self, message: Any) -> None:
        self.told.append(message)
        if message.get("text") == "end":
            self.has_end.set()


def proxy(link: Any) -> GuestProxy:
    machine = SimpleNamespace(seen=lambda: SimpleNamespace(guest=GuestPhase.READY), link=link)

    def get(_machine: UUID) -> Any:
        return machine

    machines: Any = SimpleNamespace(get=get)
    return GuestProxy(machines)


async def test_a_manager_that_leaves_after_its_end_is_noticed() -> None:
    """A guest that never ends its own direction would else hold the pipe for ever."""
    guest = Guest()
    manager = Manager(guest)
    serving = manager.serve()
    manager.say(bytes=b"hi")
    manager.say(text="end")
    async with asyncio.timeout(PATIENCE_S):
        await guest.has_end.wait()
        manager.leave()
        await serving
    assert guest.heard.endswith(b"hi")
    assert [message["type"] for message in manager.told] == ["websocket.accept"]


@pytest.mark.parametrize("guest_is_first", [True, False])
async def test_a_pipe_is_closed_when_both_directions_have_ended(guest_is_first: bool) -> None:
    guest = Guest()
    manager = Manager(guest)
    serving = manager.serve()

    async def end_of_guest() -> None:
        guest.saying.put_nowait(b"last words")
        guest.saying.put_nowait(b"")
        await manager.has_end.wait()

    async with asyncio.timeout(PATIENCE_S):
        if guest_is_first:
            await end_of_guest()
            assert not serving.done(), "the manager may still have something to say"
        manager.say(bytes=b"hi")
        manager.say(text="end")
        await guest.has_end.wait()
        if not guest_is_first:
            await end_of_guest()
        await serving
    assert [message.get("bytes") or message.get("text") or message.get("code") for message in manager.told] == [
        None,
        b"last words",
        "end",
        1000,
    ]


@pytest.mark.parametrize(("status", "is_one"), [(200, True), (404, True), (599, True), (600, False), (999, False)])
async def test_only_a_status_that_http_has_is_passed_on(short_tmp: Path, status: int, is_one: bool) -> None:
    """The manager could not read another: it would take this agent for one that cannot be reached."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d Oh\r\nContent-Length: 2\r\n\r\n{}" % status)
        await writer.drain()
        writer.close()

    path = short_tmp / "guest.sock"
    guests = proxy(SimpleNamespace(is_ready=True, client=lambda: GuestClient(path)))
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path_params": {"machine": new_id(), "path": "health"},
        "query_string": b"",
        "headers": [],
        "scheme": "http",
        "server": ("agent", 80),
        "path": "/",
    }

    async def nothing_more() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async with await asyncio.start_unix_server(answer, str(path)):
        request = Request(scope, nothing_more)
        if is_one:
            assert (await guests.forward(request)).status_code == status
        else:
            with pytest.raises(Retryable, match="status that makes no sense"):
                await guests.forward(request)
