"""Logs that a VMM writes and that must not grow for ever, though the VMM keeps them open and outlives the agent.

The VMM appends (O_APPEND); from time to time the agent frees the blocks at the head by punching a hole. Nothing is
lost or raced over, and a byte keeps its offset for the machine's whole life: the file's length grows, its use of disk
does not. Where the file system cannot punch holes the log is emptied instead. While no agent runs, nobody trims.
"""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from nexus.agent.storage.holes import punch_hole

KEEP_BYTES = 1 << 20
BLOCK_BYTES = 4096


@dataclass(frozen=True)
class LogPart:
    """Bytes `start` … of a log that is `size` bytes long in all."""

    start: int
    size: int
    data: bytes


def trim(path: Path, *, keep_bytes: int = KEEP_BYTES) -> None:
    """Free what is older than the last `keep_bytes`, once the log uses twice as much."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        found = os.fstat(fd)
        if found.st_blocks * 512 > 2 * keep_bytes:
            free_head(fd, (found.st_size - keep_bytes) // BLOCK_BYTES * BLOCK_BYTES)
    finally:
        os.close(fd)


def read(path: Path, *, offset: int, limit: int) -> LogPart:
    """At most `limit` bytes from `offset`, or from the oldest byte kept; an absent log is empty."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return LogPart(0, 0, b"")
    try:
        size = os.fstat(fd).st_size
        start = max(min(offset, size), _first_byte_kept(fd, size))
        return LogPart(start, size, os.pread(fd, limit, start))
    finally:
        os.close(fd)


def tail(path: Path, *, limit: int = 4096, since: int = 0) -> str:
    """The end of a log, for looking for last words; nothing from before byte `since`, unless it was emptied after."""
    end = size(path)
    start = since if since <= end else 0
    return read(path, offset=max(start, end - limit), limit=limit).data.decode(errors="replace")


def size(path: Path) -> int:
    """How long a log is; 0 for an absent one."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _first_byte_kept(fd: int, size: int) -> int:
    try:
        return os.lseek(fd, 0, os.SEEK_DATA)
    except OSError as empty:
        if empty.errno == errno.ENXIO:
            return size
        raise


def free_head(fd: int, length: int) -> None:
    """Give the first `length` bytes back to the disk; where that cannot be, empty the file. Raises OSError."""
    try:
        punch_hole(fd, 0, length)
    except OSError as refused:
        if refused.errno != errno.EOPNOTSUPP:
            raise
        os.ftruncate(fd, 0)
