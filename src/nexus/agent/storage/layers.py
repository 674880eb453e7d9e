"""Layers: what a file has that another one, its base, has not, in a file of its own.

A layer is an index and the bytes it names, packed; nothing in it is said by holes, so that it can be copied by any tool
to any file system, and streamed. All numbers are big-endian and unsigned:

| bytes | what |
|---|---|
| 8 | `NXLAYER1` |
| 8 | the size of the whole file, in bytes |
| 4 | 1: the rest of the file is the base's; 0: it is zeros |
| 4 | number of extents |
| 20 each | an extent: where it begins (8), its length (8), 0 for bytes that follow below or 1 for zeros (4) |
| | zeros up to a multiple of 4096 |
| | the bytes of the extents that have any, in order |

Must stay true: extents are in order and apart from each other, and lie inside the file; what was read is checked for
that (`Malformed`), because a layer may come from outside. `size_bytes` is not checked against what there is room for.
"""

import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

BLOCK_BYTES: Final = 4096
"""What is compared at a time, and where the bytes of extents begin: file systems can share whole blocks."""
MOST_EXTENTS: Final = 1 << 18
"""In one layer; an index takes no more than 5 MiB. Where there were more, near ones are one."""
LARGEST_FILE_BYTES: Final = 1 << 62

_MAGIC: Final = b"NXLAYER1"
_HEAD: Final = struct.Struct(">8sQII")
_EXTENT: Final = struct.Struct(">QQI")
_BYTES, _ZEROS = 0, 1


class Malformed(Exception):
    """This is no layer; the message says what is wrong with it."""


class Extent(NamedTuple):
    """A part of the whole file. `is_zeros`: no bytes are stored for it."""

    start: int
    length: int
    is_zeros: bool

    @property
    def end(self) -> int:
        return self.start + self.length


@dataclass(frozen=True)
class Head:
    """How a layer begins."""

    size_bytes: int
    needs_base: bool
    extents: int

    @property
    def index_bytes(self) -> int:
        """From the layer's first byte to the first of its extents' bytes."""
        bare = _HEAD.size + self.extents * _EXTENT.size
        return -(-bare // BLOCK_BYTES) * BLOCK_BYTES


HEAD_BYTES: Final = _HEAD.size


@dataclass(frozen=True)
class Index:
    """What a layer holds: of a file of `size_bytes`, `extents`. `needs_base`: what is between them is the base's."""

    size_bytes: int
    needs_base: bool
    extents: tuple[Extent, ...]

    @property
    def head(self) -> Head:
        return Head(self.size_bytes, self.needs_base, len(self.extents))

    @property
    def data_bytes(self) -> int:
        """What the extents' bytes are together."""
        return sum(extent.length for extent in self.extents if not extent.is_zeros)

    @property
    def layer_bytes(self) -> int:
        """How large the layer is as a file."""
        return self.head.index_bytes + self.data_bytes

    def packed(self) -> bytes:
        """How the layer's file begins, up to the first of the extents' bytes."""
        head = _HEAD.pack(_MAGIC, self.size_bytes, int(self.needs_base), len(self.extents))
        extents = b"".join(
            _EXTENT.pack(extent.start, extent.length, _ZEROS if extent.is_zeros else _BYTES) for extent in self.extents
        )
        return (head + extents).ljust(self.head.index_bytes, b"\0")


def parse_head(data: bytes) -> Head:
    """From the first HEAD_BYTES of a layer. Raises Malformed."""
    if len(data) < HEAD_BYTES:
        raise Malformed("it ends before its index")
    magic, size_bytes, base, extents = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise Malformed("it does not begin as one")
    if size_bytes > LARGEST_FILE_BYTES or base > 1 or extents > MOST_EXTENTS:
        raise Malformed("its head has numbers that cannot be")
    return Head(size_bytes, bool(base), extents)


def parse_index(data: bytes) -> Index:
    """From the first `Head.index_bytes` of a layer. Raises Malformed."""
    head = parse_head(data)
    if len(data) < head.index_bytes:
        raise Malformed("it ends inside its index")
    end = HEAD_BYTES + head.extents * _EXTENT.size
    if any(data[end : head.index_bytes]):
        raise Malformed("there is something behind its index")
    extents = tuple(_checked(_EXTENT.iter_unpack(data[HEAD_BYTES:end]), head.size_bytes))
    return Index(head.size_bytes, head.needs_base, extents)


def _checked(extents: Iterable[tuple[int, ...]], size_bytes: int) -> Iterable[Extent]:
    at = 0
    for start, length, kind in extents:
        if kind not in (_BYTES, _ZEROS) or not length or start < at or start + length > size_bytes:
            raise Malformed("its extents are not in order, or not inside the file")
        at = start + length
        yield Extent(start, length, kind == _ZEROS)


def read_index(fd: int) -> Index:
    """Of an open layer, which must be exactly as long as its index says. Raises Malformed, OSError."""
    head = parse_head(os.pread(fd, HEAD_BYTES, 0))
    index = parse_index(os.pread(fd, head.index_bytes, 0))
    if os.fstat(fd).st_size != index.layer_bytes:
        raise Malformed("it is not as long as its index says")
    return index


class Gathering:
    """Extents as they are found, in order; near ones become one when there would be too many."""

    def __init__(self) -> None:
        self._extents: list[Extent] = []
        self._gap = 0

    def add(self, start: int, length: int, *, is_zeros: bool) -> None:
        """`start` is not before the end of the last."""
        self._append(Extent(start, length, is_zeros))
        while len(self._extents) > MOST_EXTENTS:
            self._gap = max(BLOCK_BYTES, 2 * self._gap)
            found, self._extents = self._extents, []
            for extent in found:
                self._append(extent)

    def index(self, *, size_bytes: int, needs_base: bool) -> Index:
        return Index(size_bytes, needs_base, tuple(self._extents))

    def _append(self, extent: Extent) -> None:
        last = self._extents[-1] if self._extents else None
        if last is None or not self._is_one(last, extent):
            self._extents.append(extent)
            return
        is_zeros = last.is_zeros and extent.is_zeros and last.end == extent.start
        self._extents[-1] = Extent(last.start, extent.end - last.start, is_zeros)

    def _is_one(self, last: Extent, extent: Extent) -> bool:
        """What lies between, and zeros, can always be stored as bytes."""
        if self._gap:
            return extent.start - last.end <= self._gap
        return extent.start == last.end and extent.is_zeros == last.is_zeros
