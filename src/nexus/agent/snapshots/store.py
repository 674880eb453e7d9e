"""The host's snapshots on disk: a directory each, by id, which nothing writes to once its manifest is there.

Must stay true: a snapshot is either whole and listed, or not there; and nothing is made from one before its files,
and those of what it is over, were compared with their manifest's digests, once for each time that they changed or the
agent started.
"""

import asyncio
import errno
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

from nexus.agent.snapshots import manifest as manifests
from nexus.agent.snapshots.digests import digest
from nexus.agent.snapshots.lineage import Kept, Lineage, SnapshotUnusable, lineage
from nexus.agent.snapshots.manifest import KeptFile, Manifest
from nexus.agent.snapshots.tombstones import Tombstones
from nexus.agent.snapshots.wholes import Wholes
from nexus.agent.storage.breaking_off import in_thread
from nexus.agent.storage.files import Step, write_atomically
from nexus.kit import log
from nexus.kit.durable import sync_directory, sync_file

_log = log.get("nexus.agent.snapshots")

READ_ONLY, DISKS, DELETED = 0o400, "disks", ".gone"
Stamp = tuple[int, int, int, int, int]


class SnapshotStore:
    """`root` is ours alone: VMMs are handed what they need, open."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._kept: dict[UUID, Kept] = {}
        self._verified: dict[UUID, tuple[Stamp, ...]] = {}
        self._verifying: dict[UUID, asyncio.Lock] = {}
        self._deleted = Tombstones(root / DELETED)
        self._wholes = Wholes(root)
        self.whole = self._wholes.whole

    def open(self) -> None:
        """Find what is there, and remove what attempts left behind. Nothing may be being taken."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._deleted.open()
        for directory in sorted(path for path in self._root.iterdir() if path.name != DELETED):
            try:
                kept = _load(directory)
            except FileNotFoundError:
                _log.info("snapshot_leftovers_removed", directory=directory.name)
                shutil.rmtree(directory)
            except (ValidationError, ValueError, OSError) as unreadable:
                _log.error("snapshot_not_readable", directory=directory.name, why=str(unreadable))
            else:
                self._kept[kept.manifest.id] = kept

    def list(self) -> tuple[Kept, ...]:
        return tuple(self._kept.values())

    def find(self, snapshot: UUID) -> Kept | None:
        return self._kept.get(snapshot)

    def lineage(self, kept: Kept) -> Lineage:
        """It with all that it needs, not verified. Raises SnapshotUnusable."""
        return lineage(kept, self.find)

    def needing(self, snapshot: UUID) -> tuple[Kept, ...]:
        """Diffs that are over it."""
        kept = self._kept.values()
        return tuple(each for each in kept if each.manifest.parent and each.manifest.parent.id == snapshot)

    def was_deleted(self, snapshot: UUID) -> bool:
        """Whether it was lately, so that it must not be taken again."""
        return snapshot in self._deleted

    def begin(self, snapshot: UUID) -> Path:
        """An empty directory for its files. Raises OSError."""
        directory = self._root / str(snapshot)
        if directory.exists():
            shutil.rmtree(directory)
        (directory / DISKS).mkdir(mode=0o700, parents=True)
        return directory

    async def abandon(self, snapshot: UUID) -> None:
        """Leave nothing of an attempt. What cannot be removed now is removed by the next agent."""
        directory = self._root / str(snapshot)
        await in_thread(lambda _step: shutil.rmtree(directory, ignore_errors=True))

    async def describe(self, directory: Path, *, step: Step) -> tuple[KeptFile, ...]:
        """The files written since `begin`, on disk and never to be written again."""
        return await in_thread(lambda between: _describe(directory, between), step=step)

    async def finish(self, manifest: Manifest) -> Kept:
        """From now on the snapshot is there. Raises OSError; then, or when broken off, it is to be abandoned."""
        directory = self._root / str(manifest.id)
        kept = await in_thread(lambda _step: _finish(directory, manifest))
        self._kept[manifest.id] = kept
        self._verified[manifest.id] = _stamps(kept)
        return kept

    async def discard(self, snapshot: UUID) -> None:
        """Absent is success; it is not taken again either way. Raises OSError; then it may be there still."""
        directory = self._root / str(snapshot)
        try:
            await self._deleted.add(snapshot)
        except OSError as refused:
            if refused.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            await in_thread(lambda _step: _remove(directory))  # deleting is the way out of a full disk
            await self._deleted.add(snapshot)
        await in_thread(lambda _step: _remove(directory))
        self._kept.pop(snapshot, None)
        self._verified.pop(snapshot, None)
        self._verifying.pop(snapshot, None)

    async def verified(self, snapshot: UUID, *, say: Callable[[str], None]) -> Lineage:
        """A snapshot whose files, and those of all that it needs, are what their manifests say. Raises
        SnapshotUnusable; OSError when that cannot be found out now."""
        kept = self._kept.get(snapshot)
        if kept is None:
            raise SnapshotUnusable(f"This host has no snapshot {snapshot}.")
        found = self.lineage(kept)
        for link in found.links:
            await self._verify(link, say)
        return found

    async def _verify(self, kept: Kept, say: Callable[[str], None]) -> None:
        """However many want it at once, its files are read once."""
        snapshot = kept.manifest.id
        try:
            if self._verified.get(snapshot) == _stamps(kept):
                return
            say("verifying the snapshot")
            async with self._verifying.setdefault(snapshot, asyncio.Lock()):
                stamps = _stamps(kept)
                if self._verified.get(snapshot) != stamps:
                    await in_thread(lambda between: _verify(kept, between))
                    self._verified[snapshot] = stamps
        except FileNotFoundError as missing:
            raise SnapshotUnusable(
                "The snapshot cannot be used: a file of it is missing; it was changed outside of Nexus."
            ) from missing


def _load(directory: Path) -> Kept:
    data = (directory / manifests.FILE).read_bytes()
    manifest = Manifest.model_validate_json(data)
    if str(manifest.id) != directory.name:
        raise ValueError(f"it is of the snapshot {manifest.id}")
    return Kept(directory, manifest, hashlib.sha256(data).hexdigest())


def _describe(directory: Path, step: Step) -> tuple[KeptFile, ...]:
    described: list[KeptFile] = []
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        path.chmod(READ_ONLY)
        sync_file(path)
        found, status = digest(path, step), path.stat()
        described.append(
            KeptFile(
                name=str(path.relative_to(directory)),
                size_bytes=status.st_size,
                stored_bytes=status.st_blocks * 512,
                digest=found,
            )
        )
    return tuple(described)


def _finish(directory: Path, manifest: Manifest) -> Kept:
    sync_directory(directory / DISKS)
    write_atomically(directory / manifests.FILE, manifest.model_dump_json().encode(), mode=READ_ONLY)
    sync_directory(directory.parent)
    return _load(directory)


def _remove(directory: Path) -> None:
    """The manifest first: what breaks off then is leftovers."""
    if directory.is_dir():
        (directory / manifests.FILE).unlink(missing_ok=True)
        sync_directory(directory)
        shutil.rmtree(directory)


def _stamps(kept: Kept) -> tuple[Stamp, ...]:
    """What would be other if a file had been changed since."""
    found = [(kept.directory / file.name).lstat() for file in kept.manifest.files]
    return tuple(
        (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns) for status in found
    )


def _verify(kept: Kept, step: Step) -> None:
    for file in kept.manifest.files:
        if digest(kept.directory / file.name, step) != file.digest:
            raise SnapshotUnusable(
                f"The snapshot cannot be used: its file {file.name} is not what was written; "
                "it was changed outside of Nexus."
            )
