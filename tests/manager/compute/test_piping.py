"""A client's WebSocket and a pipe into a guest that may do as it likes."""

import asyncio
from typing import Any

import pytest
from fastapi import WebSocket, WebSocketDisconnect

from nexus.kit.problems import Problem
from nexus.manager.vms.piping import END, MOST_ANSWER_BYTES, PipeRelay, Push

PATIENCE_S = 60


class Client:
    """A client's end of the WebSocket, as our server shows it."""

    def __init__(self) -> None:
        self._saying: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.told: list[dict[str, Any]] = []
        self.has_end = asyncio.Event()
        self.socket = WebSocket({"type": "websocket", "headers": []}, self._saying.get, self._take)

    async def connected(self) -> "Client":
        self._saying.put_nowait({"type": "websocket.connect"})
        await self.socket.accept()
        return self

    def say(self, **message: Any) -> None:
        self._saying.put_nowait({"type": "websocket.receive", **message})

    def leave(self) -> None:
        self._saying.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def _take(self, message: Any) -> None:
        self.told.append(message)
        if message.get("text") == END:
            self.has_end.set()


class Pipe:
    """A pipe whose guest says what it is given; b"" is the end of it."""

    def __init__(self, *saying: bytes) -> None:
        self.saying: asyncio.Queue[bytes] = asyncio.Queue()
        for each in saying:
            self.saying.put_nowait(each)
        self.has_end = asyncio.Event()

    async def receive(self) -> bytes:
        return await self.saying.get()

    async def send(self, data: bytes) -> None:
        return

    async def end(self) -> None:
        self.has_end.set()


async def test_a_client_that_leaves_after_its_end_is_noticed() -> None:
    """A guest that never ends its own direction would else hold both connections for ever."""
    client, pipe = await Client().connected(), Pipe()
    relaying = asyncio.create_task(PipeRelay(client.socket, pipe).run())  # pyright: ignore[reportArgumentType]
    client.say(text='{"type": "end"}')
    async with asyncio.timeout(PATIENCE_S):
        await pipe.has_end.wait()
        client.leave()
        with pytest.raises(WebSocketDisconnect):
            await relaying


@pytest.mark.parametrize("guest_is_first", [True, False])
async def test_a_pipe_is_closed_when_both_directions_have_ended(guest_is_first: bool) -> None:
    client, pipe = await Client().connected(), Pipe()
    relaying = asyncio.create_task(PipeRelay(client.socket, pipe).run())  # pyright: ignore[reportArgumentType]
    async with asyncio.timeout(PATIENCE_S):
        if guest_is_first:
            pipe.saying.put_nowait(b"")
            await client.has_end.wait()
            assert not relaying.done(), "the client may still have something to say"
        client.say(text='{"type": "end"}')
        await pipe.has_end.wait()
        pipe.saying.put_nowait(b"")
        await relaying
    assert client.told[-2:] == [
        {"type": "websocket.send", "text": '{"type": "end"}'},
        {"type": "websocket.close", "code": 1000, "reason": ""},
    ]


async def test_a_guest_that_never_stops_saying_what_became_of_files_is_not_listened_to() -> None:
    client, part = await Client().connected(), 16 << 10
    pipe = Pipe(*(b" " * part for _ in range(100)), b"")
    client.say(text='{"type": "end"}')
    with pytest.raises(Problem, match="did not say what became of the files"):
        async with asyncio.timeout(PATIENCE_S):
            await Push(client.socket, pipe, wish="copy files").run()  # pyright: ignore[reportArgumentType]
    assert pipe.saying.qsize() == 101 - MOST_ANSWER_BYTES // part - 1
