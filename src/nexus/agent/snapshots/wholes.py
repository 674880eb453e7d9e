"""Snapshots as hypervisors begin from them: a directory with whole files. A full one is that; a diff is composed into
a directory of its own, which is there only as long as it is used.

Must stay true: many that begin from a diff at once share one such directory; when the last has begun it goes. It has no
manifest, so what an agent that ended left behind goes like an attempt to take a snapshot, when the next one starts.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from nexus.agent.snapshots.lineage import Lineage
from nexus.agent.snapshots.manifest import disk_file
from nexus.agent.storage.breaking_off import in_thread
from nexus.agent.storage.files import Step
from nexus.agent.storage.room import require_room

PREFIX = ".composed-"


class _Use:
    """A directory that is being composed or used."""

    def __init__(self) -> None:
        self.users = 0
        self.lock = asyncio.Lock()
        self.directory: Path | None = None


class Wholes:
    """`root`: where the snapshots are."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._uses: dict[UUID, _Use] = {}

    @asynccontextmanager
    async def whole(self, snapshot: Lineage) -> AsyncGenerator[Path]:
        """Its memory and devices, whole, for as long as the block lasts. Raises SnapshotUnusable, StorageTrouble,
        OSError."""
        if snapshot.is_whole:
            yield snapshot.directory
            return
        use = self._uses.setdefault(snapshot.manifest.id, _Use())
        use.users += 1
        try:
            async with use.lock:
                if use.directory is None:
                    use.directory = await in_thread(lambda step: _compose(snapshot, self._root, step))
            yield use.directory
        finally:
            use.users -= 1
            if not use.users:
                del self._uses[snapshot.manifest.id]
                if use.directory is not None:
                    await in_thread(lambda _step, spent=use.directory: shutil.rmtree(spent, ignore_errors=True))


def _compose(snapshot: Lineage, root: Path, step: Step) -> Path:
    """All but the disks, which are composed where they are used."""
    disks = {disk_file(disk.drive_id) for disk in snapshot.manifest.disks}
    names = [name for name in snapshot.names() if name not in disks]
    with contextlib.ExitStack() as undo:
        directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
        undo.callback(shutil.rmtree, directory, ignore_errors=True)
        _require_room(snapshot, names, directory)
        for name in names:
            snapshot.write(name, directory / name, step)
        undo.pop_all()
    return directory


def _require_room(snapshot: Lineage, names: list[str], directory: Path) -> None:
    needed = 0
    for name in names:
        with snapshot.composed(name) as file:
            needed += file.stored_bytes
    require_room(directory, needed, f"the snapshot's memory takes {needed >> 20} MiB while a machine begins from it")
