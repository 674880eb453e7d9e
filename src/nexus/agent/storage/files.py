"""Files written so that a crash leaves the old content or the new, and copies that share blocks where they can."""

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from nexus.kit.durable import sync_directory

FICLONE = 0x40049409
"""_IOW(0x94, 9, int), linux/fs.h: share the source's blocks (btrfs, xfs, overlay on them)."""
NO_REFLINK = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS)
COPY_CHUNK_BYTES = 16 << 20
Step = Callable[[int], None]
"""Called with the number of bytes copied since the last call; breaks the copying off by raising."""


def write_atomically(path: Path, data: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Replace `path`; `durable`: have it on disk when this returns."""
    staged = path.with_name(f".{path.name}.new")
    fd = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "wb", buffering=0) as file:
            write_all(file.fileno(), data)
            if durable:
                os.fsync(file.fileno())
        staged.rename(path)
    except OSError:
        staged.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def write_all(fd: int, data: bytes) -> None:
    """Every byte: a disk that fills up takes a part and complains only at the next write."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def count_nothing(_copied: int) -> None:
    """Nobody waits for this."""


def clone(source: Path, target: Path, *, mode: int = 0o600, step: Step = count_nothing) -> None:
    """Make `target` a copy of `source`: by reflink, else copying what is data and leaving holes holes."""
    read = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        write = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        try:
            if not _reflink(read, write):
                copy_sparsely(read, write, step=step)
        finally:
            os.close(write)
    finally:
        os.close(read)


def append(source: Path, fd: int) -> None:
    """Copy the whole of `source` to the end of `fd`, inside the kernel."""
    with source.open("rb") as opened:
        left = os.fstat(opened.fileno()).st_size
        while left:
            copied = os.sendfile(fd, opened.fileno(), None, min(left, COPY_CHUNK_BYTES))  # pyright: ignore[reportArgumentType]
            if not copied:
                raise OSError(errno.EIO, "source became shorter while it was copied", str(source))
            left -= copied


def _reflink(read: int, write: int) -> bool:
    try:
        fcntl.ioctl(write, FICLONE, read)
    except OSError as refused:
        if refused.errno in NO_REFLINK:
            return False
        raise
    return True


def copy_sparsely(read: int, write: int, *, step: Step = count_nothing) -> None:
    """Have in an open file what another holds; where that has holes, what is there already stays."""
    os.ftruncate(write, os.fstat(read).st_size)
    for start, end in stored(read):
        copy_range(read, write, at=start, to=start, length=end - start, step=step)


def stored(fd: int) -> Iterator[tuple[int, int]]:
    """Where an open file has something that is not a hole, as beginnings and ends, in order. Raises OSError."""
    size, at = os.fstat(fd).st_size, 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as no_more:
            if no_more.errno == errno.ENXIO:
                return
            raise
        at = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, at


def copy_range(read: int, write: int, *, at: int, to: int, length: int, step: Step = count_nothing) -> None:
    """Copy `length` bytes from `at` in one open file to `to` in another; blocks are shared where they can be. Raises
    OSError."""
    while length:
        copied = _copy_some(read, write, at, to, min(length, COPY_CHUNK_BYTES))
        if not copied:
            raise OSError(errno.EIO, "source became shorter while it was copied")
        at, to, length = at + copied, to + copied, length - copied
        step(copied)


def _copy_some(read: int, write: int, at: int, to: int, want: int) -> int:
    with contextlib.suppress(OSError):
        return os.copy_file_range(read, write, want, at, to)
    return os.pwrite(write, os.pread(read, min(want, 1 << 20), at), to)


def can_reflink(directory: Path) -> bool:
    """Whether files in `directory` can share blocks; found out with two scratch files."""
    try:
        with tempfile.TemporaryFile(dir=directory) as one, tempfile.TemporaryFile(dir=directory) as other:
            one.write(bytes(4096))
            one.flush()
            return _reflink(one.fileno(), other.fileno())
    except OSError:
        return False
