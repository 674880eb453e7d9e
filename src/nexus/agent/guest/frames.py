"""The multiplexer's frames as bytes (docs/protocol/guest.md): pure, no I/O.

Frame: 'N', type u8, stream u32, length u32 (big-endian), payload of at most 16,384 bytes, 'E'. The trailer is for the
guest: it gives away a frame that was cut short and then completed by the filler of the next connection.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

HEADER: Final = struct.Struct(">cBII")
U32: Final = struct.Struct(">I")
MAGIC: Final = b"N"
TRAILER: Final = b"E"
MAX_PAYLOAD_BYTES: Final = 16384
WINDOW_BYTES: Final = 256 * 1024
NONCE_BYTES: Final = 16
FILLER: Final = b"\xff" * 32768
"""More than the longest frame: whatever frame a lost connection cut short, this completes and is then skipped."""


class FrameType(IntEnum):
    HELLO = 1
    OPEN = 2
    DATA = 3
    WINDOW = 4
    FIN = 5
    RST = 6
    PING = 7


_KNOWN = frozenset(int(kind) for kind in FrameType)


@dataclass(frozen=True, slots=True)
class MuxFrame:
    type: FrameType
    stream: int
    payload: bytes


class Desynchronized(Exception):
    """The bytes are no frames: only a new HELLO helps."""


def encode(kind: FrameType, stream: int, payload: bytes | memoryview = b"") -> bytes:
    return b"".join((HEADER.pack(MAGIC, kind, stream, len(payload)), payload, TRAILER))


class FrameReader:
    """Cuts a byte stream into frames; keeps what is incomplete."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes | bytearray) -> Iterator[MuxFrame]:
        """The frames that `data` completes. Raises Desynchronized at the first byte that cannot be one."""
        self._rest += data
        at = 0
        try:
            while len(self._rest) - at >= HEADER.size:
                kind, stream, length = self._header(at)
                end = at + HEADER.size + length
                if end >= len(self._rest):
                    break
                if self._rest[end] != TRAILER[0]:
                    raise Desynchronized("a frame without its end")
                payload = bytes(self._rest[at + HEADER.size : end])
                at = end + len(TRAILER)
                yield MuxFrame(kind, stream, payload)
        finally:
            del self._rest[:at]

    def _header(self, at: int) -> tuple[FrameType, int, int]:
        magic, kind, stream, length = HEADER.unpack_from(self._rest, at)
        if magic != MAGIC or length > MAX_PAYLOAD_BYTES or kind not in _KNOWN:
            raise Desynchronized(bytes(self._rest[at : at + HEADER.size]).hex())
        return FrameType(kind), stream, length


class EchoFinder:
    """Throws bytes away until a HELLO with our nonce has passed."""

    def __init__(self, nonce: bytes) -> None:
        self._wanted = encode(FrameType.HELLO, 0, nonce)
        self._tail = b""
        self.discarded_bytes = 0

    def feed(self, data: bytes) -> bytes | None:
        """What follows the echo, once it has come; None before."""
        held = self._tail + data
        found = held.find(self._wanted)
        if found >= 0:
            self.discarded_bytes += found
            return held[found + len(self._wanted) :]
        keep = min(len(held), len(self._wanted) - 1)
        self.discarded_bytes += len(held) - keep
        self._tail = held[len(held) - keep :]
        return None
