"""Files that are composed of a whole one and layers over it: read as if they were whole, copied out, compared.

Must stay true: what is composed never changes while it is open, and nothing here writes to it.
"""

import bisect
import contextlib
import errno
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nexus.agent.storage.files import Step, copy_range, count_nothing, stored, write_all
from nexus.agent.storage.layers import BLOCK_BYTES, Gathering, Index, Malformed, read_index

CHUNK_BYTES = 1 << 20
_ZEROS = bytes(CHUNK_BYTES)


class Run(NamedTuple):
    """Bytes `start` to `end` of the composed file, which are those of `fd` from `at` on. fd -1: zeros."""

    start: int
    end: int
    fd: int
    at: int

    def cut(self, start: int, end: int) -> "Run":
        """What of it is in this range."""
        start, end = max(start, self.start), min(end, self.end)
        return Run(start, end, self.fd, self.at + start - self.start)


@dataclass(frozen=True)
class Composed:
    """A file that is read piece by piece: `runs` in order, apart from each other; between them are zeros."""

    size_bytes: int
    runs: tuple[Run, ...]

    @property
    def stored_bytes(self) -> int:
        """What a copy of it takes at most."""
        return sum(run.end - run.start for run in self.runs)

    @classmethod
    @contextlib.contextmanager
    def open(cls, whole: Path | None, layers: Sequence[Path] = ()) -> Generator["Composed"]:
        """`layers` from the lowest up, over `whole`; None: over nothing, which the lowest must not need. Raises
        Malformed, OSError."""
        with contextlib.ExitStack() as opened:
            size_bytes, runs = 0, list[Run]()
            if whole is not None:
                fd = _open(opened, whole)
                size_bytes, runs = os.fstat(fd).st_size, [Run(start, end, fd, start) for start, end in stored(fd)]
            for position, layer in enumerate(layers):
                fd = _open(opened, layer)
                index = read_index(fd)
                if index.needs_base != (whole is not None or position > 0):
                    raise Malformed("it is not over what it was made over")
                size_bytes, runs = index.size_bytes, _overlaid(runs, _runs_of(index, fd))
                runs = [run.cut(0, size_bytes) for run in runs if run.start < size_bytes]
            yield cls(size_bytes, tuple(runs))

    def read(self, length: int, start: int) -> bytes:
        """Exactly so many bytes; behind the end are zeros. Raises OSError."""
        pieces, at, end = list[bytes](), start, start + length
        for run in self.within(start, end):
            pieces.append(bytes(run.start - at))
            pieces.append(_pread(run.fd, run.end - run.start, run.at))
            at = run.end
        pieces.append(bytes(end - at))
        return b"".join(pieces)

    def copy_to(self, fd: int, *, step: Step = count_nothing) -> None:
        """Write it to an empty file; zeros become holes where the file system has any. Raises OSError."""
        os.ftruncate(fd, self.size_bytes)
        for run in self.runs:
            copy_range(run.fd, fd, at=run.at, to=run.start, length=run.end - run.start, step=step)

    def chunks(self) -> Iterator[int]:
        """Numbers of the chunks of CHUNK_BYTES in which anything may be stored, in order."""
        following = 0
        for run in self.runs:
            first = max(following, run.start // CHUNK_BYTES)
            following = -(-run.end // CHUNK_BYTES)
            yield from range(first, following)

    def within(self, start: int, end: int) -> Iterator[Run]:
        """What is stored of a part of it."""
        position = bisect.bisect_right(self.runs, start, key=lambda run: run.end)
        while position < len(self.runs) and self.runs[position].start < end:
            yield self.runs[position].cut(start, end)
            position += 1


NOTHING = Composed(0, ())


def differences(file: Composed, base: Composed | None, *, step: Step = count_nothing) -> Index:
    """What `file` has that `base` has not; None: what it has that is not zeros. `step` is told of every byte that was
    compared. Raises OSError."""
    below, found = base or NOTHING, Gathering()
    for number in _merged(file.chunks(), below.chunks()):
        start = number * CHUNK_BYTES
        length = min(CHUNK_BYTES, file.size_bytes - start)
        if length <= 0:
            break
        has, had = file.read(length, start), below.read(length, start)
        if has != had:
            _compare(has, had, start, found)
        step(length)
    return found.index(size_bytes=file.size_bytes, needs_base=base is not None)


def write_layer(file: Composed, index: Index, fd: int, *, step: Step = count_nothing) -> None:
    """Write the layer of a file that `differences` has found, to an empty file. `step` is told of every byte that
    is stored. Raises OSError."""
    write_all(fd, index.packed())
    at = index.head.index_bytes
    for extent in index.extents:
        if not extent.is_zeros:
            for run in file.within(extent.start, extent.end):
                to = at + run.start - extent.start
                copy_range(run.fd, fd, at=run.at, to=to, length=run.end - run.start, step=step)
            at += extent.length
    os.ftruncate(fd, at)


def _open(opened: contextlib.ExitStack, path: Path) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    opened.callback(os.close, fd)
    return fd


def _runs_of(index: Index, fd: int) -> Iterator[Run]:
    at = index.head.index_bytes
    for extent in index.extents:
        if extent.is_zeros:
            yield Run(extent.start, extent.end, -1, 0)
        else:
            yield Run(extent.start, extent.end, fd, at)
            at += extent.length


def _overlaid(below: Iterable[Run], above: Iterable[Run]) -> list[Run]:
    """`above` where it has anything, zeros too, and else `below`."""
    result, rest = list[Run](), iter(below)
    under = next(rest, None)
    for over in above:
        while under is not None and under.start < over.end:
            if under.start < over.start:
                result.append(under.cut(0, over.start))
            if under.end > over.end:
                under = under.cut(over.end, under.end)
                break
            under = next(rest, None)
        if over.fd >= 0:
            result.append(over)
    if under is not None:
        result.extend((under, *rest))
    return result


def _merged(one: Iterator[int], other: Iterator[int]) -> Iterator[int]:
    """Numbers that are in either, in order, each once."""
    left, right = next(one, None), next(other, None)
    while left is not None or right is not None:
        number = min(each for each in (left, right) if each is not None)
        yield number
        left = next(one, None) if left == number else left
        right = next(other, None) if right == number else right


def _compare(has: bytes, had: bytes, start: int, found: Gathering) -> None:
    """Note which blocks of a chunk differ."""
    for at in range(0, len(has), BLOCK_BYTES):
        block = has[at : at + BLOCK_BYTES]
        if block != had[at : at + BLOCK_BYTES]:
            found.add(start + at, len(block), is_zeros=block == _ZEROS[: len(block)])


def _pread(fd: int, length: int, at: int) -> bytes:
    """A layer is as long as its index says, and nothing here changes while it is open."""
    pieces = list[bytes]()
    while length:
        piece = os.pread(fd, length, at)
        if not piece:
            raise OSError(errno.EIO, "a file became shorter while it was read")
        pieces.append(piece)
        length, at = length - len(piece), at + len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
