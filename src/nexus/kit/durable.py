"""Files that are there, whole, after a power cut: a name on disk must never stand for content that is not."""

import os
from pathlib import Path


def sync_file(path: Path) -> None:
    """Have a file's content on disk."""
    _sync(path, os.O_RDONLY)


def sync_directory(path: Path) -> None:
    """Have the names in a directory on disk."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def put_in_place(draft: Path, path: Path) -> None:
    """Give a finished file its lasting name, in the same directory, in place of what had it; all of it is on disk when
    this returns, and never the name without the content."""
    sync_file(draft)
    draft.rename(path)
    sync_directory(path.parent)


def _sync(path: Path, flags: int) -> None:
    fd = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
