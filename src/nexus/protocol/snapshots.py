"""Snapshots as manager and agent speak of them.

A snapshot is what a machine was at one moment: its disks, and with a machine that was on its memory and devices. It
belongs to the host it was taken on, never changes, and outlives its machine. It is asked for under the manager's id
(`SnapshotWish`, as often as it takes); the answer is how far it is (`SnapshotSeen`). How a machine begins a boot from
one is `RestoreSpec` (protocol/machines.py).
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from nexus.kit.fields import Int4, Int8, Line
from nexus.protocol.base import Message
from nexus.protocol.machines import DeviceName, Sha256, Told

MOST_DIFFS = 16
"""On one another, over a full one. What begins from the highest reads and verifies them all."""


class SnapshotType(StrEnum):
    """Whether it holds everything, or what has changed since its parent."""

    FULL = "Full"
    DIFF = "Diff"


class SnapshotState(StrEnum):
    """READY and FAILED are final. Of a failed one nothing is left but the reason."""

    TAKING = "taking"
    READY = "ready"
    FAILED = "failed"


class SnapshotWish(Message):
    """PUT /v1/machines/{machine}/snapshots/{snapshot}: have this snapshot of the machine as it is."""

    type: SnapshotType = SnapshotType.FULL
    parent: UUID | None = Field(default=None, description="Of a Diff: the snapshot whose successor it is")
    patience_ms: int = Field(default=0, ge=0, le=5000, description="How long the answer may wait for it to be there")


class SnapshotDisk(Message):
    """One disk of the machine, in the order in which it has them."""

    drive_id: DeviceName = Field(description="What it is called")
    size_bytes: Int8 = Field(description="As its guest sees it")
    image_sha256: Sha256 | None = Field(
        default=None, description="An image that is used in place: the snapshot holds no copy. None: it holds one"
    )


Pin = Annotated[Line, Field(max_length=256)]


class SnapshotPins(Message):
    """What must be the same where the memory of a snapshot is to run again."""

    driver: Pin = Field(description="The hypervisor's name")
    version: Pin = Field(description="The hypervisor's version")
    acceleration: Pin = Field(description="kvm, tcg, or none")
    cpu: Pin = Field(description="The CPU that the guest sees")
    kernel_sha256: Sha256 = Field(description="The guest's kernel")
    vcpus: Int4 = Field(description="Its virtual CPUs")
    memory_mib: Int4 = Field(description="Its memory")
    devices: tuple[Pin, ...] = Field(default=(), description="Its devices in order, in the driver's words")


class SnapshotSeen(Message):
    """How far a snapshot is, and what it is once it is `ready`."""

    id: UUID = Field(description="The snapshot's id")
    machine: UUID = Field(description="The machine it was taken of, which may be gone")
    state: SnapshotState = Field(description="Whether it is there")
    stage: Told | None = Field(default=None, description="While it is being taken: what is being done")
    progress: float | None = Field(default=None, ge=0, le=1, description="While it is being taken: how much is done")
    fault: Told | None = Field(default=None, description="Of a failed one: why, for a user to read")
    warning: Told | None = Field(
        default=None, description="Of a ready one: in which way it is less than it could be, such as disks not at rest"
    )
    type: SnapshotType = Field(default=SnapshotType.FULL, description="Whether it needs a parent")
    parent: UUID | None = Field(default=None, description="The snapshot it needs")
    has_memory: bool = Field(default=False, description="False: its machine was off, so it holds disks alone")
    is_consistent: bool = Field(
        default=False, description="Its machine was off, or its guest had brought its file systems to rest"
    )
    size_bytes: Int8 = Field(default=0, description="What it takes on the host's disk; blocks shared with others count")
    memory_bytes: Int8 = Field(default=0, description="What of that is memory")
    disks: tuple[SnapshotDisk, ...] = Field(default=(), description="All disks of the machine")
    checksum: Sha256 | None = Field(
        default=None, description="Of its manifest, which names every file's digest. None: not ready"
    )
    pins: SnapshotPins | None = Field(default=None, description="What its memory needs. None: it has none")
    path: str | None = Field(default=None, description="Its directory on the host. None: not ready")
    taken_at: datetime | None = Field(default=None, description="The moment that it holds")
    paused_ms: Int8 | None = Field(default=None, description="How long the guest stood still for it; None: it was off")
