"""One stream of the multiplexer, host side.

What must stay true: a stream never holds more than its window of unread bytes, and a reader that stops reading stops
the guest's writer and nobody else.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from nexus.agent.guest.frames import MAX_PAYLOAD_BYTES, U32, WINDOW_BYTES, FrameType

SendFrame = Callable[[FrameType, int, bytes | memoryview], None]


class MuxStream:
    """A `ByteStream`. Made by the connection, which feeds it the frames that carry its number."""

    def __init__(
        self,
        number: int,
        *,
        send: SendFrame,
        writable: Callable[[], Awaitable[object]],
        forget: Callable[[int], None],
    ) -> None:
        self._number = number
        self._send = send
        self._writable = writable
        self._forget = forget
        self._chunks: deque[bytes] = deque()
        self._held_bytes = 0
        self._unacknowledged_bytes = 0
        self._credit_bytes = WINDOW_BYTES
        self._got_eof = False
        self._sent_eof = False
        self._dead = False
        self._changed = asyncio.Event()

    async def read(self, limit: int = 65536) -> bytes:
        while not self._chunks:
            if self._got_eof:
                return b""
            if self._dead:
                raise ConnectionResetError("the guest channel's stream was reset")
            await self._change()
        chunk = self._chunks.popleft()
        if len(chunk) > limit:
            self._chunks.appendleft(chunk[limit:])
            chunk = chunk[:limit]
        self._acknowledge(len(chunk))
        return chunk

    async def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            while not self._credit_bytes and not self._dead:
                await self._change()
            await self._writable()
            if self._dead or self._sent_eof:
                raise ConnectionResetError("the guest channel's stream was reset")
            size = min(len(rest), MAX_PAYLOAD_BYTES, self._credit_bytes)
            self._credit_bytes -= size
            self._send(FrameType.DATA, self._number, rest[:size])
            rest = rest[size:]

    def write_eof(self) -> None:
        if self._dead or self._sent_eof:
            return
        self._sent_eof = True
        self._send(FrameType.FIN, self._number, b"")
        self._settle()

    def abort(self) -> None:
        if self._dead or (self._got_eof and self._sent_eof):
            return
        self._send(FrameType.RST, self._number, b"")
        self._forget(self._number)
        self._chunks.clear()
        self._got_eof = False
        self.die()

    def feed(self, kind: FrameType, payload: bytes) -> None:
        """Take in a frame for this stream."""
        if kind is FrameType.DATA:
            self._take(payload)
        elif kind is FrameType.WINDOW and len(payload) == U32.size:
            self._credit_bytes += U32.unpack(payload)[0]
        elif kind is FrameType.FIN:
            self._got_eof = True
            self._settle()
        elif kind is FrameType.RST:
            self._forget(self._number)
            self._dead = True
        self._changed.set()

    def die(self) -> None:
        """The carrier is gone, and the stream with it; what arrived before a FIN can still be read."""
        self._dead = True
        self._changed.set()

    def _take(self, payload: bytes) -> None:
        if self._held_bytes + len(payload) > WINDOW_BYTES:
            self.abort()
            return
        if payload:
            self._chunks.append(payload)
            self._held_bytes += len(payload)

    def _acknowledge(self, size: int) -> None:
        self._held_bytes -= size
        self._unacknowledged_bytes += size
        if self._unacknowledged_bytes >= WINDOW_BYTES // 2 and not self._dead and not self._got_eof:
            self._send(FrameType.WINDOW, self._number, U32.pack(self._unacknowledged_bytes))
            self._unacknowledged_bytes = 0

    def _settle(self) -> None:
        if self._got_eof and self._sent_eof:
            self._forget(self._number)

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
