"""Which drives a machine starts with."""

from dataclasses import dataclass
from uuid import UUID

from nexus.protocol.machines import DiskFormat, DiskRole

DEFAULT_OVERLAY_BYTES = 4 << 30
"""The writable layer over a read-only base. Sparse: it takes what is written, and grows to this."""


@dataclass(frozen=True, kw_only=True)
class NewDrive:
    drive_id: str
    role: DiskRole
    format: DiskFormat
    image_id: UUID | None = None
    size_bytes: int | None = None
    is_read_only: bool = False


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
