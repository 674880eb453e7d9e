"""Drives as rows, and which of them a machine starts with."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from nexus.kit.db import Record
from nexus.kit.fields import Spelled
from nexus.protocol.limits import RateLimiter
from nexus.protocol.machines import CacheType, DiskFormat, DiskRole, IoEngine

DEFAULT_OVERLAY_BYTES = 4 << 30
"""The writable layer over a read-only base. Sparse: it takes what is written, and grows to this."""
MOST_DRIVES = 10
"""Of one machine: with its NICs and what else it has, all hypervisors have places for that many."""
DriveName = Annotated[str, Spelled(r"^[A-Za-z0-9_]{1,64}$", "1 to 64 letters, digits and _")]
DriveRef = Annotated[str, Spelled(r"^[A-Za-z0-9_-]{1,64}$", "the id or drive_id of a drive")]


@dataclass(frozen=True)
class HostFile:
    """A file of a host's own: as it was asked for, where that leads once links are resolved, and its size."""

    host_id: UUID
    path: str
    resolved_path: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class NewDrive:
    drive_id: str
    role: DiskRole
    format: DiskFormat
    image_id: UUID | None = None
    size_bytes: int | None = None
    is_read_only: bool = False
    file: HostFile | None = None
    cache_type: CacheType = CacheType.WRITEBACK
    io_engine: IoEngine = IoEngine.SYNC
    rate_limiter: RateLimiter | None = None


@dataclass(frozen=True, kw_only=True)
class Drive:
    """A row, as far as changing it needs to know."""

    id: UUID
    drive_id: str
    role: DiskRole
    image_id: UUID | None
    size_bytes: int | None
    is_read_only: bool
    path_on_host: str | None
    resolved_path: str | None
    cache_type: CacheType
    io_engine: IoEngine
    rate_limiter: RateLimiter | None


COLUMNS = """
d.id, d.drive_id, d.role, d.image_id, d.size_bytes, d.is_read_only, d.path_on_host, d.resolved_path, d.cache_type,
d.io_engine, d.rate_limiter
"""
"""What `drive_of` reads, from `drives d`."""


def drive_of(row: Record) -> Drive:
    limiter = row["rate_limiter"]
    return Drive(
        id=row["id"],
        drive_id=row["drive_id"],
        role=DiskRole(row["role"]),
        image_id=row["image_id"],
        size_bytes=row["size_bytes"],
        is_read_only=row["is_read_only"],
        path_on_host=row["path_on_host"],
        resolved_path=row["resolved_path"],
        cache_type=CacheType(row["cache_type"]),
        io_engine=IoEngine(row["io_engine"]),
        rate_limiter=RateLimiter.model_validate(limiter) if limiter is not None else None,
    )


def root_drives(
    *, image_id: UUID, image_format: DiskFormat, image_bytes: int, wanted_bytes: int | None
) -> list[NewDrive]:
    """The drives that make up a root file system: a clone of an ext4 image, or a read-only squashfs below an overlay.

    `wanted_bytes` is the size of what is writable; without it an ext4 keeps its image's size.
    """
    if image_format is not DiskFormat.SQUASHFS:
        size = wanted_bytes or image_bytes
        return [NewDrive(drive_id="root", role=DiskRole.ROOT, format=image_format, image_id=image_id, size_bytes=size)]
    base = NewDrive(
        drive_id="root",
        role=DiskRole.ROOT,
        format=image_format,
        image_id=image_id,
        size_bytes=image_bytes,
        is_read_only=True,
    )
    size = wanted_bytes or DEFAULT_OVERLAY_BYTES
    return [base, NewDrive(drive_id="overlay", role=DiskRole.OVERLAY, format=DiskFormat.EXT4, size_bytes=size)]
