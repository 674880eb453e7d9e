"""One supervisor per installation: a lock the kernel drops when its holder ends, however it ends."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class AlreadyHeld(Exception):
    """Another process holds the lock."""


@contextmanager
def hold(path: Path) -> Generator[None]:
    """Hold the lock file for the block. Raises AlreadyHeld at once if another process does."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)  # not inherited: children must not hold it
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise AlreadyHeld(str(path)) from held
        yield
    finally:
        os.close(descriptor)
