"""Writes cpio archives in the "newc" format, the one a Linux kernel unpacks as its initramfs.

The same entries always give the same bytes (owner 0:0, time 0, inodes counted from 1), because archives are named by
their digest. A kernel accepts several archives in a row if each starts on a multiple of four bytes: that is how a
machine's own files follow a shared initramfs. Format: Documentation/driver-api/early-userspace/buffer-format.rst in
the Linux source.
"""

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

_TRAILER = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Entry:
    """One member. `path` is relative to the root; `mode` holds the file type and the permission bits."""

    path: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        pure = PurePosixPath(self.path)
        if str(pure) != self.path or self.path in ("", ".") or pure.is_absolute() or ".." in pure.parts:
            raise ValueError(f"{self.path!r} is no plain relative path")
        if "\0" in self.path or self.path == _TRAILER:
            raise ValueError(f"{self.path!r} cannot be a name in a cpio archive")


def file(path: str, data: bytes, *, mode: int = 0o644) -> Entry:
    return Entry(path, stat.S_IFREG | mode, data)


def directory(path: str, *, mode: int = 0o755) -> Entry:
    return Entry(path, stat.S_IFDIR | mode)


def symlink(path: str, target: str) -> Entry:
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def character_device(path: str, major: int, minor: int, *, mode: int = 0o600) -> Entry:
    return Entry(path, stat.S_IFCHR | mode, device=(major, minor))


def write(entries: Iterable[Entry]) -> bytes:
    """An archive of `entries` in the given order, its length a multiple of four.

    A directory that a path needs and no earlier entry gave is added before it (mode 0755): a kernel makes no parents.
    Raises ValueError for a path given twice.
    """
    archive = bytearray()
    seen: set[str] = set()
    for entry in entries:
        if entry.path in seen:
            raise ValueError(f"{entry.path!r} is in the archive twice")
        for wanted in (*_missing_parents(entry.path, seen), entry):
            seen.add(wanted.path)
            archive += _member(wanted, inode=len(seen))
    return bytes(archive + _member_bytes(_TRAILER, 0, 0, 1, b"", (0, 0)))


def padding(length: int) -> bytes:
    """The NUL bytes that bring `length` to a multiple of four: put them between an archive and the next."""
    return b"\0" * (-length % 4)


def _missing_parents(path: str, seen: set[str]) -> list[Entry]:
    parents = [str(parent) for parent in PurePosixPath(path).parents][:-1]
    return [directory(parent) for parent in reversed(parents) if parent not in seen]


def _member(entry: Entry, *, inode: int) -> bytes:
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    return _member_bytes(entry.path, inode, entry.mode, links, entry.data, entry.device)


def _member_bytes(path: str, inode: int, mode: int, links: int, data: bytes, device: tuple[int, int]) -> bytes:
    name = path.encode() + b"\0"
    # inode, mode, uid, gid, links, time, size, device of the file (2), device it stands for (2), name size, checksum
    fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return head + padding(len(head)) + data + padding(len(data))
