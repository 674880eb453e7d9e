"""What is kept about a snapshot beside its files: `manifest.json`, written last.

Must stay true: a directory with a manifest is a whole snapshot; one without is what an attempt left behind.
"""

from datetime import datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

from nexus.protocol.base import Message
from nexus.protocol.snapshots import SnapshotDisk, SnapshotPins, SnapshotSeen, SnapshotState

FILE = "manifest.json"


class KeptFile(Message):
    """A file of the snapshot, by its path below the directory. `stored_bytes`: what it takes on disk."""

    name: str
    size_bytes: int
    stored_bytes: int
    digest: str


class Manifest(Message):
    version: Literal[1] = 1
    id: UUID
    machine: UUID
    disks: tuple[SnapshotDisk, ...]
    pins: SnapshotPins | None
    """None: it has no memory."""
    files: tuple[KeptFile, ...]
    is_consistent: bool
    warning: str | None
    taken_at: datetime
    paused_ms: int | None

    @property
    def has_memory(self) -> bool:
        return self.pins is not None

    def disk(self, drive_id: str) -> SnapshotDisk | None:
        return next((disk for disk in self.disks if disk.drive_id == drive_id), None)


def disk_file(drive_id: str) -> str:
    """Where a snapshot has its copy of a disk."""
    return f"disks/{drive_id}.raw"


def seen(manifest: Manifest, *, checksum: str, directory: Path) -> SnapshotSeen:
    """`checksum`: of the manifest's file."""
    disks = {disk_file(disk.drive_id) for disk in manifest.disks}
    return SnapshotSeen(
        id=manifest.id,
        machine=manifest.machine,
        state=SnapshotState.READY,
        warning=manifest.warning,
        has_memory=manifest.has_memory,
        is_consistent=manifest.is_consistent,
        size_bytes=sum(file.stored_bytes for file in manifest.files),
        memory_bytes=sum(file.stored_bytes for file in manifest.files if file.name not in disks),
        disks=manifest.disks,
        checksum=checksum,
        pins=manifest.pins,
        path=str(directory),
        taken_at=manifest.taken_at,
        paused_ms=manifest.paused_ms,
    )
