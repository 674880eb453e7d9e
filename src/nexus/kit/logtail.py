"""Reading a log that is being written, without its writer's help: the end of it, and what comes after a byte."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LogPart:
    """Bytes `start` … of a log that is `size` bytes long in all."""

    start: int
    size: int
    data: bytes


def read(path: Path, *, offset: int, limit: int) -> LogPart:
    """At most `limit` bytes from `offset`; from the beginning for a log that is shorter by now, because it was emptied.
    An absent one is empty."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return LogPart(0, 0, b"")
    try:
        size = os.fstat(fd).st_size
        start = offset if offset <= size else 0
        return LogPart(start, size, os.pread(fd, limit, start))
    finally:
        os.close(fd)
