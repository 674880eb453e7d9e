"""What a drive may be, and what may be changed about it: pure, so that every combination can be put into a table."""

from nexus.manager.drives.errors import DriveRefused, RootDrive
from nexus.manager.drives.models import Drive, NewDrive
from nexus.manager.images.models import Image
from nexus.protocol.hosts import Offer
from nexus.protocol.limits import RateLimiter
from nexus.protocol.machines import CacheType, DiskFormat, DiskRole, IoEngine

LEAST_EXT4_BYTES = 64 << 20
SECTOR_BYTES = 512


def check_source(*, has_path: bool, has_image: bool, size_bytes: int | None, is_read_only: bool) -> None:
    """Raises DriveRefused for a drive that comes from nowhere, or from two places, or could never hold anything."""
    if has_path and has_image:
        raise DriveRefused("Give either path_on_host or an image, not both.")
    if not has_path and not has_image and size_bytes is None:
        raise DriveRefused("size_bytes: an empty drive needs a size.", suggestion="Or give an image, or path_on_host.")
    if not has_path and not has_image and is_read_only:
        raise DriveRefused("is_read_only: nothing could ever be on an empty drive that is read-only.")


def check_size(size_bytes: int | None, *, least: int, why: str) -> None:
    """Raises DriveRefused for a size that no disk has, or one below what is on it."""
    if size_bytes is None:
        return
    if size_bytes % SECTOR_BYTES:
        raise DriveRefused(f"size_bytes: {size_bytes} is no multiple of {SECTOR_BYTES}, the size of a sector.")
    if size_bytes < least:
        raise DriveRefused(f"size_bytes: {why} {least} bytes.", suggestion=f"Ask for at least {least}.")


def check_image(image: Image, *, is_read_only: bool) -> None:
    """Raises DriveRefused for an image that cannot be used so."""
    if image.format == DiskFormat.SQUASHFS and not is_read_only:
        raise DriveRefused(
            f"is_read_only: image {image.name} holds a squashfs, which cannot be written.",
            suggestion="Set is_read_only.",
        )


def format_of(image: Image | None, *, has_path: bool, wanted: DiskFormat | None) -> DiskFormat:
    """What a new drive holds: what its image does, what its owner put there, or an empty ext4 unless raw is wanted.
    Raises DriveRefused where `wanted` contradicts that."""
    if image is not None or has_path:
        if wanted is not None:
            raise DriveRefused("format: only an empty drive is given a file system.", suggestion="Leave it out.")
        return DiskFormat(image.format) if image is not None else DiskFormat.RAW
    return wanted or DiskFormat.EXT4


def needed(
    *,
    has_path: bool = False,
    cache_type: CacheType | None = None,
    io_engine: IoEngine | None = None,
    limiter: RateLimiter | None = None,
) -> list[Offer]:
    """What the host must offer for this."""
    found: list[Offer] = []
    if has_path:
        found.append(Offer.HOST_FILES)
    if cache_type is CacheType.WRITETHROUGH:
        found.append(Offer.WRITETHROUGH)
    if io_engine is IoEngine.ASYNC:
        found.append(Offer.ASYNC_IO)
    if limiter is not None:
        found.append(Offer.DRIVE_LIMITS)
        if any(bucket is not None and bucket.one_time_burst for bucket in (limiter.bandwidth, limiter.ops)):
            found.append(Offer.ONE_TIME_BURST)
    return found


def needed_of(drive: NewDrive) -> list[Offer]:
    return needed(
        has_path=drive.file is not None,
        cache_type=drive.cache_type,
        io_engine=drive.io_engine,
        limiter=drive.rate_limiter,
    )


def check_growth(drive: Drive, size_bytes: int) -> None:
    """Raises DriveRefused for a drive that cannot have this size."""
    if drive.is_read_only:
        raise DriveRefused(f"size_bytes: drive {drive.drive_id} is read-only, and as large as what is on it.")
    check_size(size_bytes, least=drive.size_bytes or 0, why=f"drive {drive.drive_id} cannot shrink; it has")


def check_path_change(drive: Drive) -> None:
    """Raises DriveRefused for a drive that is the VM's own."""
    if drive.path_on_host is None:
        raise DriveRefused(
            f"path_on_host: drive {drive.drive_id} is the VM's own file, whose data would be lost.",
            suggestion="Add another drive with that path, and remove this one when you do not need it.",
        )


def is_content_kept(drive: Drive) -> bool:
    """Whether what is on a drive is still there when it has been removed."""
    return drive.path_on_host is not None or (drive.image_id is not None and drive.is_read_only)


def check_removal(drive: Drive, *, of: str) -> None:
    """Raises RootDrive."""
    if drive.role is not DiskRole.DATA:
        raise RootDrive(
            f"Cannot remove drive {drive.drive_id} of {of}: its root file system is on it.",
            suggestion="Delete the VM instead.",
        )
