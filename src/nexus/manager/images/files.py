"""Looking at a file before it becomes an image. Blocking: call it off the event loop.

Only regular files below the image root count, after every symbolic link on the way has been followed; what a file holds
is told by its own first bytes, never by its name.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from nexus.manager.images.errors import ImageFileRefused
from nexus.manager.images.models import FORMATS, ImageFormat, ImageKind

_EXT4_MAGIC_AT = 1024 + 0x38
"""The superblock starts at byte 1024, `s_magic` (0xEF53, little-endian) 0x38 bytes into it."""


@dataclass(frozen=True)
class FoundFile:
    path: Path
    format: ImageFormat
    sha256: str
    size_bytes: int


def inspect(root: Path, given: str, kind: ImageKind) -> FoundFile:
    """Read the file that `given` names (absolute, or relative to `root`).

    Raises ImageFileRefused when it is outside the root, no regular file, unreadable, or no image of this kind.
    """
    path = resolve(root, given)
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ImageFileRefused(f"{given} is not a regular file.")
            head = file.read(_EXT4_MAGIC_AT + 2)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as unreadable:
        raise ImageFileRefused(f"Cannot read {given}: {unreadable.strerror}.") from unreadable
    found = _format_of(head, kind)
    if found not in FORMATS[kind]:
        wanted = " or ".join(FORMATS[kind])
        raise ImageFileRefused(f"{given} is no {kind} image: it holds {found}, not {wanted}.")
    return FoundFile(path, found, digest, status.st_size)


def resolve(root: Path, given: str) -> Path:
    """The real path of `given` below `root`. Raises ImageFileRefused."""
    if "\0" in given or not given:
        raise ImageFileRefused("path: this is no path.")
    try:
        top = root.resolve(strict=True)
        path = (top / given).resolve(strict=True)
    except (OSError, RuntimeError) as missing:
        raise ImageFileRefused(f"There is no file {given}.", suggestion=f"Put it below {root} first.") from missing
    if not path.is_relative_to(top):
        raise ImageFileRefused(
            f"{given} is outside the image directory.", suggestion=f"Put the file below {root} (MANAGER_IMAGE_ROOT)."
        )
    return path


def _format_of(head: bytes, kind: ImageKind) -> ImageFormat:
    if head.startswith(b"\x7fELF"):
        return ImageFormat.ELF
    if head.startswith((b"070701", b"070702")):
        return ImageFormat.CPIO
    if head.startswith(b"hsqs"):
        return ImageFormat.SQUASHFS
    if head[_EXT4_MAGIC_AT:] == b"\x53\xef":
        return ImageFormat.EXT4
    if kind is ImageKind.INITRAMFS and head.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        return ImageFormat.CPIO
    return ImageFormat.RAW
