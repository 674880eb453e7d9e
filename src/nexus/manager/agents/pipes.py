"""A pipe into a guest, carried by a WebSocket to its host's agent (docs/protocol/agent.md).

Binary messages are bytes; the text message `end` says that no more will come, in either direction. What closes without
it was cut, and must not be taken for an end.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from nexus.manager.agents.dialing import Line, dialed
from nexus.protocol.trouble import Retryable

CHUNK_BYTES: Final = 65536
END: Final = "end"


class PipeStream:
    """An open pipe."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def receive(self) -> bytes:
        """At least one byte; none at the end of what the guest says. Raises Retryable when the pipe was cut."""
        try:
            while (message := await self._connection.recv()) == b"":
                pass
        except ConnectionClosed as lost:
            raise Retryable("the connection to the guest was cut") from lost
        return message if isinstance(message, bytes) else b""

    async def send(self, data: bytes) -> None:
        """Returns when the guest can take more. Raises Retryable when the pipe was cut."""
        try:
            for start in range(0, len(data), CHUNK_BYTES):
                await self._connection.send(data[start : start + CHUNK_BYTES])
        except ConnectionClosed as lost:
            raise Retryable("the connection to the guest was cut") from lost

    async def end(self) -> None:
        """Nothing more will be sent."""
        try:
            await self._connection.send(END)
        except ConnectionClosed as lost:
            raise Retryable("the connection to the guest was cut") from lost


@asynccontextmanager
async def open_pipe(line: Line, path: str) -> AsyncGenerator[PipeStream]:
    """The pipe at `path` of an agent. Raises Gone, Refused, Retryable."""
    async with dialed(line, path, largest=2 * CHUNK_BYTES) as connection:
        yield PipeStream(connection)
