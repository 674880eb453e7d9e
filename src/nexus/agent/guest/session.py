"""The watcher's end of a session: frames over an upgraded HTTP connection (docs/protocol/guest.md, Sessions)."""

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import Final

from nexus.protocol.guest import FRAME_HEADER_BYTES, FRAME_TYPES, MAX_FRAME_BYTES, Frame
from nexus.protocol.trouble import Retryable

_HEADER: Final = struct.Struct(">BI")
_NAMES: Final = {number: frame for frame, number in FRAME_TYPES.items()}
assert _HEADER.size == FRAME_HEADER_BYTES


class SessionStream:
    """Iterate over `(frame, payload)`, or `receive` one at a time; `send` input meanwhile.

    `offset` is the number of the first output byte that follows. Output bytes add to it: a watcher that comes back
    asks for `offset` plus the payload bytes of the output and error-output frames it has received."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, offset: int) -> None:
        self.offset = offset
        self._reader = reader
        self._writer = writer

    async def receive(self) -> tuple[Frame, bytes] | None:
        """The next frame; None after the exit frame, or when a newer watcher has taken this one's place.

        Raises Retryable when the channel was lost: the session lives on, watch it again."""
        try:
            kind, length = _HEADER.unpack(await self._reader.readexactly(_HEADER.size))
            if kind not in _NAMES or length > MAX_FRAME_BYTES:
                raise Retryable(f"the guest sent an unknown session frame ({kind}, {length} bytes)")
            return _NAMES[kind], await self._reader.readexactly(length)
        except asyncio.IncompleteReadError as end:
            if end.partial:
                raise Retryable("the session's stream was cut") from end
            return None
        except ConnectionError as lost:
            raise Retryable("the guest channel was lost") from lost

    async def send(self, frame: Frame, payload: bytes = b"") -> None:
        """Send input, a resize or the end of input; input of any length is cut into frames.

        Returns when the guest can take more. Raises Retryable when the channel was lost."""
        try:
            for at in range(0, max(len(payload), 1), MAX_FRAME_BYTES):
                part = payload[at : at + MAX_FRAME_BYTES]
                self._writer.write(_HEADER.pack(FRAME_TYPES[frame], len(part)) + part)
                await self._writer.drain()
        except ConnectionError as lost:
            raise Retryable("the guest channel was lost") from lost

    async def __aiter__(self) -> AsyncIterator[tuple[Frame, bytes]]:
        while (item := await self.receive()) is not None:
            yield item

    def close(self) -> None:
        """Stop watching. The session lives on."""
        self._writer.transport.abort()
