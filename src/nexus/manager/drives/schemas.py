"""Drives on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator

from nexus.kit.envelopes import Item, Items
from nexus.kit.fields import FromText, Id, Line, RequestBody
from nexus.kit.ids import read_id
from nexus.manager.drives.models import DriveName
from nexus.manager.labels import ImageRef
from nexus.manager.limits.bodies import DriveLimiterAnswer, DriveLimiterBody
from nexus.manager.vms.changing import Changed
from nexus.protocol.machines import CacheType, DiskFormat, DiskRole, IoEngine

LEAST_BYTES, MOST_BYTES = 1 << 20, 1 << 44
HostPath = Annotated[Line, StringConstraints(pattern=r"^/[^\x00]{0,1023}$")]
Size = Annotated[int, Field(ge=LEAST_BYTES, le=MOST_BYTES)]


class CreateDrive(RequestBody):
    """A drive to add: empty (`size_bytes`), from an image of kind data, or a file of the host's (`path_on_host`)."""

    drive_id: DriveName = Field(description="What to call it; unique among the VM's drives", examples=["data"])
    path_on_host: HostPath | None = Field(
        default=None,
        description="A file of the VM's host, in a directory that its owner has opened (AGENT_DRIVE_ROOTS); made "
        "if it is missing and `size_bytes` is given. For administrators only",
    )
    image_id: Id | None = Field(default=None, description="An image of kind data to begin with; read-only it is shared")
    image: ImageRef | None = Field(default=None, description="That image's name or id, instead of its id")
    is_root_device: bool = Field(default=False, description="Must be false: a VM has its root from the beginning")
    is_read_only: bool = Field(default=False, description="The guest cannot write on it")
    size_bytes: Size | None = Field(
        default=None, description="Its size; without it that of the image, or of the file. Takes room as it is written"
    )
    format: Literal["ext4", "raw"] | None = Field(
        default=None, description="Of an empty drive: ext4, which is also the default, or raw: nothing is on it"
    )
    cache_type: Annotated[CacheType, FromText] = Field(
        default=CacheType.WRITEBACK,
        description="Writeback: on disk when the guest asks for it; Writethrough: with every write; Unsafe: sometime, "
        "for data that may be lost with the host",
    )
    io_engine: Annotated[IoEngine, FromText] = Field(
        default=IoEngine.SYNC, description="Sync: by threads; Async: by io_uring, where the host has it"
    )
    rate_limiter: DriveLimiterBody | None = Field(default=None, description="Limits of reading and writing, together")

    @model_validator(mode="after")
    def _is_one_drive(self) -> "CreateDrive":
        if self.image is not None and self.image_id is not None:
            raise ValueError("name the image by image or by image_id, not both")
        if read_id(self.drive_id) is not None:
            raise ValueError("drive_id must not read as an id")
        return self


class PatchDrive(RequestBody):
    """What to change; a field that is left out stays."""

    path_on_host: HostPath | None = Field(
        default=None,
        description="Another file of the host's, for a drive that is one: a running guest finds it in place of the one "
        "before, and should not have that mounted. For administrators only",
    )
    size_bytes: Size | None = Field(default=None, description="Its new size, never a smaller one")
    cache_type: Annotated[CacheType | None, FromText] = Field(
        default=None, description="Writeback, Writethrough or Unsafe, from the next start on"
    )
    io_engine: Annotated[IoEngine | None, FromText] = Field(
        default=None, description="Sync or Async, from the next start on"
    )
    rate_limiter: DriveLimiterBody | None = Field(
        default=None, description="All its limits, in place of those before; null: none"
    )

    @model_validator(mode="after")
    def _only_limits_are_cleared(self) -> "PatchDrive":
        for name in sorted(self.model_fields_set - {"rate_limiter"}):
            if getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null")
        if self.path_on_host is not None and self.size_bytes is not None:
            raise ValueError("give path_on_host or size_bytes, not both: another file has a size of its own")
        return self


class DriveBody(BaseModel):
    """A disk of a VM."""

    id: UUID = Field(description="Its id")
    vm_id: UUID = Field(description="The VM it belongs to")
    drive_id: str = Field(description="What it is called; paths take this or the id. In the guest, its serial number")
    role: DiskRole = Field(description="root, overlay (the writable layer above a read-only root) or data")
    is_root_device: bool = Field(description="Whether the root file system is on it")
    is_read_only: bool = Field(description="Whether the guest cannot write on it")
    path_on_host: str | None = Field(description="The host's file that it is, as given; null: a file of the VM's own")
    image_id: UUID | None = Field(description="The image it began with")
    image: str | None = Field(description="That image's name")
    format: DiskFormat = Field(description="What was on it in the beginning")
    size_bytes: int | None = Field(description="Its size")
    cache_type: CacheType = Field(description="What becomes of what the guest has written")
    io_engine: IoEngine = Field(description="How the hypervisor reads and writes it")
    rate_limiter: DriveLimiterAnswer | None = Field(description="Limits of reading and writing, together; null: none")
    is_pending: bool = Field(description="Whether the running VM does not have it, or not so, before its next start")
    created_at: datetime = Field(description="When it was added")
    updated_at: datetime = Field(description="When anything here last changed")


class DriveList(Items[DriveBody]):
    """The drives of a VM, as the guest counts them: vda first."""


class DriveItem(Item[DriveBody]):
    """A drive."""


class DriveChanged(Changed, DriveBody):
    """The drive as it is now, and when that takes effect."""


class Data(StrEnum):
    """What becomes of what is on a drive that was removed."""

    DELETED = "deleted"
    KEPT = "kept"


class DriveRemoved(Changed):
    """What became of a drive and its data."""

    data: Data = Field(
        description="deleted: its file goes for good, as soon as no running boot has it; kept: it was a file of the "
        "host's own, or an image, and stays where it is"
    )
