"""Which snapshots were deleted on this host lately: an empty file each, by id.

Must stay true: what was deleted is not taken again. A wish for it may still arrive, from a manager that stood still
while another one had the snapshot deleted; nobody would know of what was taken then, so nobody would ever remove it.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from nexus.kit.durable import sync_directory

KEPT_S = 24 * 3600.0
"""Far longer than a request is under way, or than a manager that stood still waits before it goes on."""


class Tombstones:
    """`directory` is ours alone; it is made with the first."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._snapshots: set[UUID] = set()

    def open(self) -> None:
        """Find what is there. Raises OSError."""
        self._snapshots = {snapshot for snapshot, _ in _files(self._directory)}

    def __contains__(self, snapshot: UUID) -> bool:
        return snapshot in self._snapshots

    async def add(self, snapshot: UUID) -> None:
        """Counts at once, and for the next agent too when this returns. Raises OSError."""
        self._snapshots.add(snapshot)
        self._snapshots.difference_update(await asyncio.to_thread(_write, self._directory, snapshot))


def _write(directory: Path, snapshot: UUID) -> set[UUID]:
    """Which others have expired, and are removed."""
    if not directory.exists():
        directory.mkdir(mode=0o700, exist_ok=True)
        sync_directory(directory.parent)
    (directory / str(snapshot)).touch(mode=0o600)
    expired = set[UUID]()
    for other, path in _files(directory):
        with contextlib.suppress(FileNotFoundError):  # another deletion removes them too
            if path.stat().st_mtime < time.time() - KEPT_S:
                expired.add(other)
                path.unlink()
    sync_directory(directory)
    return expired


def _files(directory: Path) -> Iterator[tuple[UUID, Path]]:
    for path in list(directory.iterdir()) if directory.is_dir() else ():
        with contextlib.suppress(ValueError):
            yield UUID(path.name), path
