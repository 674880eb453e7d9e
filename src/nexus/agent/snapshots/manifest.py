"""What is kept about a snapshot beside its files: `manifest.json`, written last.

Must stay true: a directory with a manifest is a whole snapshot, or a diff that is whole with its parent; one without
is what an attempt left behind.

Files are called what the hypervisor called them, `memory` among them, and `disks/….raw`. A diff has in place of such a
file a layer over its parent's of that name (`layer_of`), where the parent has one.
"""

from datetime import datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

from nexus.protocol.base import Message
from nexus.protocol.machines import Sha256
from nexus.protocol.snapshots import SnapshotDisk, SnapshotPins, SnapshotSeen, SnapshotState, SnapshotType

FILE, MEMORY, STATE = "manifest.json", "memory", "state"


class KeptFile(Message):
    """A file of the snapshot, by its path below the directory. `stored_bytes`: what it takes on disk."""

    name: str
    size_bytes: int
    stored_bytes: int
    digest: str


class Parent(Message):
    """What a diff is over. `checksum`: of its manifest, so that a diff's own is over all that it needs."""

    id: UUID
    checksum: Sha256


class Manifest(Message):
    """`version` 2: it may have a parent, which older agents would not look for."""

    version: Literal[1, 2] = 1
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
    parent: Parent | None = None

    @property
    def type(self) -> SnapshotType:
        return SnapshotType.FULL if self.parent is None else SnapshotType.DIFF

    @property
    def has_memory(self) -> bool:
        return self.pins is not None

    def disk(self, drive_id: str) -> SnapshotDisk | None:
        return next((disk for disk in self.disks if disk.drive_id == drive_id), None)


def disk_file(drive_id: str) -> str:
    """Where a snapshot has its copy of a disk."""
    return f"disks/{drive_id}.raw"


def layer_of(name: str) -> str:
    """Where a diff has what differs from its parent's file of this name."""
    return f"{name}.layer"


def seen(manifest: Manifest, *, checksum: str, directory: Path) -> SnapshotSeen:
    """`checksum`: of the manifest's file."""
    raw = {disk_file(disk.drive_id) for disk in manifest.disks}
    disks = raw | {layer_of(name) for name in raw}
    return SnapshotSeen(
        id=manifest.id,
        machine=manifest.machine,
        state=SnapshotState.READY,
        warning=manifest.warning,
        type=manifest.type,
        parent=manifest.parent.id if manifest.parent else None,
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
