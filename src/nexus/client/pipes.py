"""Bytes to and from something in a guest, over WebSockets: a port, or a tree of files as a tar archive.

From the manager comes `{"type":"open"}` first, or `{"type":"error", …ProblemBody}`. Then binary messages are bytes, and
`{"type":"end"}` says in either direction that no more will come. What is closed without it was cut.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from nexus.client.dialing import dialed
from nexus.client.errors import ApiError, UnexpectedAnswer, Unreachable
from nexus.client.transport import Transport, segment
from nexus.kit.problems import ProblemBody

CHUNK_BYTES = 64 * 1024
_END = json.dumps({"type": "end"})


@dataclass(frozen=True)
class Unpacked:
    """What became of an archive."""

    files: int
    bytes: int


class Pipe:
    """An open pipe. One reader, one sender."""

    def __init__(self, connection: ClientConnection, *, url: str) -> None:
        self._connection = connection
        self._url = url

    async def receive(self) -> bytes:
        """At least one byte; none at the end of what the guest says. Raises Unreachable when the pipe was cut."""
        message = await self._next()
        if isinstance(message, bytes):
            return message
        if message["type"] != "end":
            raise UnexpectedAnswer(self._url, f"a pipe said {message!r}")
        return b""

    async def send(self, data: bytes) -> None:
        """Returns when the other side can take more. Raises Unreachable when the pipe was cut."""
        await self._send(data)

    async def end(self) -> None:
        """Nothing more will be sent."""
        await self._send(_END)

    async def await_open(self) -> None:
        """Raises ApiError for a pipe that there cannot be."""
        await self._next()

    async def unpacked(self) -> Unpacked:
        """What became of the archive that was sent. Raises ApiError for one that could not be written whole."""
        message = await self._next()
        if isinstance(message, bytes) or message["type"] != "unpacked":
            raise UnexpectedAnswer(self._url, "it did not say what became of the files")
        return Unpacked(files=int(message["files"]), bytes=int(message["bytes"]))

    async def _next(self) -> bytes | dict[str, Any]:
        try:
            message = await self._connection.recv()
        except ConnectionClosed as lost:
            raise Unreachable(self._url, f"the connection was lost ({lost})") from lost
        if isinstance(message, bytes):
            return message
        try:
            value = cast("dict[str, Any]", json.loads(message))
            if value["type"] == "error":
                raise ApiError(ProblemBody.model_validate(value))
        except (ValueError, KeyError, TypeError) as broken:
            raise UnexpectedAnswer(self._url, f"a pipe said {message[:80]!r}") from broken
        return value

    async def _send(self, message: bytes | str) -> None:
        try:
            await self._connection.send(message)
        except ConnectionClosed as lost:
            with suppress(Unreachable):
                await self._reason()
            raise Unreachable(self._url, f"the connection was lost ({lost})") from lost

    async def _reason(self) -> None:
        """What the manager said before it hung up, if that lies unread: raises it as ApiError."""
        while True:
            await self._next()


@asynccontextmanager
async def open_forward(transport: Transport, vm_id: UUID, *, port: int) -> AsyncGenerator[Pipe]:
    """One connection to a TCP port on the guest's loopback. Raises ApiError where nothing listens."""
    path = f"/v1/vms/{segment(vm_id)}/forward/ws"
    async with _open(transport, path, {"port": port}) as pipe:
        yield pipe


@asynccontextmanager
async def open_push(
    transport: Transport, vm_id: UUID, *, path: str, username: str | None = None
) -> AsyncGenerator[Pipe]:
    """Send a tar archive to `path` in the guest, then `end`, then ask what was `unpacked`. Where `path` is a directory
    the archive goes into it; else its one tree gets that name."""
    query = {"path": path} | ({"username": username} if username else {})
    async with _open(transport, f"/v1/vms/{segment(vm_id)}/files/ws", query) as pipe:
        yield pipe


@asynccontextmanager
async def _open(transport: Transport, path: str, query: Mapping[str, object]) -> AsyncGenerator[Pipe]:
    async with dialed(transport, path, query, ping_timeout_s=None) as connection:
        pipe = Pipe(connection, url=transport.url)
        await pipe.await_open()
        yield pipe
