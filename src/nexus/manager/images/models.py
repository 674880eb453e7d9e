"""A row of `images`: a file that machines start from, named by its content."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from nexus.kit.db import Record


class ImageKind(StrEnum):
    KERNEL = "kernel"
    INITRAMFS = "initramfs"
    ROOTFS = "rootfs"
    DATA = "data"


class ImageFormat(StrEnum):
    ELF = "elf"
    CPIO = "cpio"
    SQUASHFS = "squashfs"
    EXT4 = "ext4"
    RAW = "raw"


FORMATS: dict[ImageKind, tuple[ImageFormat, ...]] = {
    ImageKind.KERNEL: (ImageFormat.ELF,),
    ImageKind.INITRAMFS: (ImageFormat.CPIO,),
    ImageKind.ROOTFS: (ImageFormat.SQUASHFS, ImageFormat.EXT4),
    ImageKind.DATA: (ImageFormat.EXT4, ImageFormat.SQUASHFS, ImageFormat.RAW),
}
"""What a file of each kind may hold."""


@dataclass(frozen=True, kw_only=True)
class Image:
    id: UUID
    kind: ImageKind
    name: str
    format: ImageFormat
    sha256: str
    size_bytes: int
    path: Path


COLUMNS = "i.id, i.kind, i.name, i.format, i.sha256, i.size_bytes, i.path"


def image_of(row: Record) -> Image:
    return Image(
        id=row["id"],
        kind=ImageKind(row["kind"]),
        name=row["name"],
        format=ImageFormat(row["format"]),
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        path=Path(row["path"]),
    )
