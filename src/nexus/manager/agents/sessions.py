"""A guest session's frames, carried by a WebSocket to its host's agent.

Every binary message is one frame: a type byte (`protocol.guest.FRAME_TYPES`), then the payload. Closing the stream
leaves the session alive in the guest; a later stream continues at any byte that its ring still holds.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from nexus.manager.agents.dialing import Line, dialed
from nexus.protocol.guest import FRAME_TYPES, MAX_FRAME_BYTES, Frame
from nexus.protocol.trouble import Retryable

_FRAMES = {number: frame for frame, number in FRAME_TYPES.items()}


class SessionStream:
    """An open stream. `offset` is the number of the first byte of output that it will deliver."""

    def __init__(self, connection: ClientConnection, *, offset: int) -> None:
        self._connection = connection
        self.offset = offset

    async def send(self, frame: Frame, payload: bytes = b"") -> None:
        """Send one frame, or, where the payload is longer than a frame may be, several.

        Raises Retryable when the stream is lost.
        """
        kind = bytes((FRAME_TYPES[frame],))
        try:
            for start in range(0, len(payload) or 1, MAX_FRAME_BYTES):
                await self._connection.send(kind + payload[start : start + MAX_FRAME_BYTES])
        except ConnectionClosed as lost:
            raise Retryable("the connection to the guest was lost") from lost

    async def frames(self) -> AsyncIterator[tuple[Frame, bytes]]:
        """Frames until the exit frame, which is the last. Raises Retryable when the stream is lost before it."""
        try:
            async for message in self._connection:
                if not isinstance(message, bytes) or not message or message[0] not in _FRAMES:
                    raise Retryable("the guest sent something that is no frame")
                frame = _FRAMES[message[0]]
                yield frame, message[1:]
                if frame is Frame.EXIT:
                    return
        except ConnectionClosed as lost:
            raise Retryable(f"the connection to the guest was lost: {lost}") from lost
        raise Retryable("the guest closed the session before it ended")


@asynccontextmanager
async def open_session(line: Line, path: str) -> AsyncGenerator[SessionStream]:
    """Open the stream at `path` of an agent.

    Raises Gone when the session is unknown, Refused when it has not written as far as the wanted offset, else
    Retryable.
    """
    async with dialed(line, path, largest=MAX_FRAME_BYTES + 1) as connection:
        yield SessionStream(connection, offset=_start_of(connection))


def _start_of(connection: ClientConnection) -> int:
    start = connection.response.headers.get("Nexus-Offset", "0") if connection.response else "0"
    return int(start) if start.isdigit() else 0
