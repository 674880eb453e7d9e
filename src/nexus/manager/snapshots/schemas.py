"""Snapshots on the wire."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from nexus.kit.envelopes import Item, Items
from nexus.kit.fields import Id, RequestBody, Spelled
from nexus.manager.labels import Text
from nexus.manager.operations import Created, Done
from nexus.manager.snapshots.models import Purpose, SnapshotName, SnapshotState
from nexus.manager.vms.lifecycle import State
from nexus.manager.vms.models import VmName
from nexus.protocol.snapshots import SnapshotType

MOST_CLONES = 100


TypeName = Annotated[str, Spelled(r"^([Ff][Uu][Ll][Ll]|[Dd][Ii][Ff][Ff])$", "Full or Diff, in any case")]


class CreateSnapshot(RequestBody):
    """A snapshot of a VM. All of it may be left out."""

    name: SnapshotName | None = Field(default=None, description="Its name; without it, the VM's name and the time")
    description: Text = Field(default="", description="What it is for; free text")
    snapshot_type: TypeName = Field(
        default="Full",
        description="Full: all of it. Diff: what differs from its parent, which cannot be deleted before it",
    )
    parent_id: Id | None = Field(
        default=None,
        description="Of a Diff: the snapshot of this VM that it is to be over; without it, what the VM has gone on "
        "from: taken of it, or gone back to, last",
    )
    track_dirty_pages: bool = Field(
        default=False, description="true is refused with `not_offered`: a Diff is found by comparing"
    )
    keep_last: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Of this VM's snapshots keep only so many, with this one: when it is completed, older ones that "
        "nothing needs are deleted; what a Diff that is kept is over is kept too",
    )

    @property
    def type(self) -> SnapshotType:
        return SnapshotType(self.snapshot_type.capitalize())

    @model_validator(mode="after")
    def _only_a_diff_has_a_parent(self) -> "CreateSnapshot":
        if self.parent_id is not None and self.type is not SnapshotType.DIFF:
            raise ValueError("parent_id is of a Diff, and this is to be a Full one")
        return self


class PatchSnapshot(RequestBody):
    """What to change; a field that is left out stays."""

    name: SnapshotName | None = Field(default=None, description="A new name")
    description: Text | None = Field(default=None, description="What it is for; free text")

    @model_validator(mode="after")
    def _nothing_is_cleared(self) -> "PatchSnapshot":
        if cleared := sorted(field for field in self.model_fields_set if getattr(self, field) is None):
            raise ValueError(f"{cleared[0]} cannot be null")
        return self


class InstantiateSnapshot(RequestBody):
    """A new VM that begins from a snapshot. All of it may be left out."""

    name: VmName | None = Field(default=None, description="Its name; without it, that of the VM with a number")
    description: Text | None = Field(default=None, description="What it is for; without it, what the snapshot's VM was")


class RollbackVm(RequestBody):
    """What to go back to."""

    snapshot_id: Id = Field(description="A snapshot of this VM")


class CloneVm(RequestBody):
    """How many VMs like this one, and what to call them."""

    name: VmName | None = Field(
        default=None,
        description="The clone's name; of several, what -1, -2 … is put behind. Without it, the VM's name and `clone`",
    )
    count: int = Field(default=1, ge=1, le=MOST_CLONES, description="How many")
    description: Text | None = Field(default=None, description="What they are for; without it, what the VM is for")


class SnapshotBody(BaseModel):
    """What a VM was at one moment."""

    id: UUID = Field(description="Its id")
    name: str = Field(description="Unique in its project")
    description: str = Field(description="What it is for")
    vm_id: UUID | None = Field(description="The VM it was taken of; null: deleted since, or never here")
    vm_name: str = Field(description="What that VM was called then")
    is_imported: bool = Field(description="It came as an archive; its VM never was on this platform as such")
    host_id: UUID = Field(description="The host it is on; VMs made of it are there too")
    host_name: str = Field(description="That host's name")
    snapshot_type: SnapshotType = Field(
        description="Full: it needs no other; Diff: it holds what differs from its parent"
    )
    state: SnapshotState = Field(description="creating, then completed or failed; deleting")
    fault: str | None = Field(description="Why it could not be taken, or is lost")
    warning: str | None = Field(description="In which way it is less than it could be, such as disks not at rest")
    purpose: Purpose = Field(
        description="keep: until it is deleted; suspend and clone: until those have begun from it that it is for"
    )
    parent_id: UUID | None = Field(
        description="The snapshot that a Diff is over; of a Full one, what the VM had gone on from: taken of it, or "
        "gone back to, last before"
    )
    has_memory: bool | None = Field(description="false: its VM was off, so it holds disks alone; null: not known yet")
    vcpu: int = Field(description="Virtual CPUs of its VM")
    mem_mib: int = Field(description="Memory of its VM in MiB")
    size_bytes: int | None = Field(
        description="What it takes on its host's disk, its parent not counted; blocks shared with others count"
    )
    memory_bytes: int | None = Field(description="What of that is memory")
    checksum: str | None = Field(description="SHA-256 over the digests of all its files, which every use verifies")
    pins: dict[str, Any] | None = Field(description="What must be the same where its memory is to run again")
    snapshot_path: str | None = Field(description="Where its host has the devices' state; null: none, or not yet")
    mem_path: str | None = Field(
        description="Where its host has the memory; null: none, not yet, or only what differs from its parent's"
    )
    paused_ms: int | None = Field(
        description="How long the guest stood still for it, in milliseconds; null: it was off"
    )
    needed_by: list[str] = Field(
        description="VMs that have yet to begin from it, then Diffs that are over it; while there are any it cannot be "
        "deleted"
    )
    taken_at: datetime | None = Field(description="The moment that it holds")
    operation_id: UUID | None = Field(description="The operation that is running on it")
    created_by_user_id: UUID | None = Field(description="Whose it is")
    created_at: datetime = Field(description="When it was asked for")
    updated_at: datetime = Field(description="When anything here last changed")


class SnapshotList(Items[SnapshotBody]):
    """A page of snapshots."""


class SnapshotItem(Item[SnapshotBody]):
    """A snapshot."""


class TreeVm(BaseModel):
    """A VM that was made from a snapshot, or is a clone."""

    id: UUID = Field(description="The VM")
    name: str = Field(description="Its name")
    state: State = Field(description="What it does")
    disk_size_bytes: int = Field(description="Size of what it can write to; it takes what is written")


class TreeSnapshot(BaseModel):
    """A snapshot in the tree of its VM."""

    id: UUID = Field(description="The snapshot")
    name: str = Field(description="Its name")
    parent_id: UUID | None = Field(description="The snapshot in this tree that it came after; null: a first one")
    state: SnapshotState = Field(description="creating, then completed or failed; deleting")
    snapshot_type: SnapshotType = Field(description="Full: it needs no other; Diff: it needs its parent")
    has_memory: bool | None = Field(description="false: it holds disks alone; null: not known yet")
    size_bytes: int | None = Field(description="What it takes on its host's disk")
    is_current: bool = Field(description="Whether the VM as it is now came after this one")
    created_at: datetime = Field(description="When it was asked for")
    vms: list[TreeVm] = Field(description="VMs that were made from it")


class TreeBody(BaseModel):
    """What was taken of a VM, and what was made of that."""

    vm_id: UUID = Field(description="The VM")
    vm_name: str = Field(description="Its name")
    size_bytes: int = Field(description="What all of its snapshots take on its host's disk")
    snapshots: list[TreeSnapshot] = Field(description="Its snapshots, each after its parent")
    clones: list[TreeVm] = Field(description="VMs that were cloned from it as it was then")


class TreeItem(Item[TreeBody]):
    """A VM's tree of snapshots."""


class NewClone(BaseModel):
    """A clone that was admitted."""

    id: UUID = Field(description="The new VM")
    name: str = Field(description="Its name")
    operation_id: UUID = Field(description="The operation that is done when the agent in its guest answers")


class Cloned(Created):
    """The answer to a clone: `id` is the first new VM, `operation_id` is over all of them."""

    items: list[NewClone] = Field(description="All new VMs")


class Suspended(Done):
    """The answer to a suspend."""

    snapshot_id: UUID = Field(description="What it is kept in")
