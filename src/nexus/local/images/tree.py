"""A file tree in memory: the files of many packages put together and written as one tar stream.

Nothing of an image is ever unpacked onto the host, so owners, modes and devices need no privilege and a package can
touch nothing here. The tree is merged-/usr as in every present distribution: /bin, /sbin and /lib* are symbolic links
into /usr, and a package that still writes to them is put where they lead. The same tree gives the same bytes.
"""

import copy
import io
import posixpath
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import IO

_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


@dataclass(frozen=True, slots=True)
class Node:
    info: tarfile.TarInfo
    data: bytes = b""


class Tree:
    """Paths are relative and plain (`usr/bin/env`). What is added later replaces what was there."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}

    def __contains__(self, path: str) -> bool:
        return path in self._nodes

    def read(self, path: str) -> bytes:
        """A file's bytes; symbolic links are not followed. KeyError if there is none."""
        return self._nodes[path].data

    def paths(self, pattern: str) -> list[str]:
        """The paths that fnmatch `pattern` fits, sorted."""
        return sorted(path for path in self._nodes if fnmatchcase(path, pattern))

    def newest(self) -> int:
        """The latest modification time of any file, in Unix seconds."""
        return max((int(node.info.mtime) for node in self._nodes.values()), default=0)

    def add_package(self, tar: tarfile.TarFile, *, drop: Iterable[str], keep: Iterable[str]) -> None:
        """Everything in `tar` except paths that fit `drop` and not `keep`."""
        drop, keep = tuple(drop), tuple(keep)
        for member in tar:
            path = _merged(_plain(member.name))
            if path in ("", *_MERGED) or (_fits(path, drop) and not _fits(path, keep)):
                continue
            info = copy.copy(member)
            if member.issym():
                info.linkname = _moved_target(member)
            elif member.islnk():
                info.linkname = _merged(_plain(member.linkname))
            content = tar.extractfile(member) if member.isreg() else None
            self._put(path, info, content.read() if content else b"")

    def file(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        self._put(path, _info(mode=mode, size=len(data)), data)

    def directory(self, path: str, *, mode: int = 0o755) -> None:
        self._put(path, _info(tarfile.DIRTYPE, mode=mode))

    def symlink(self, path: str, target: str) -> None:
        info = _info(tarfile.SYMTYPE, mode=0o777)
        info.linkname = target
        self._put(path, info)

    def merge_usr(self) -> None:
        """Add the links from / into /usr for the directories that exist there."""
        for name in _MERGED:
            if any(path.startswith(f"usr/{name}/") for path in self._nodes):
                self.directory(f"usr/{name}")
                self.symlink(name, f"usr/{name}")

    def write(self, out: IO[bytes]) -> None:
        """The tree as a tar stream, everything dated no later than the newest file of a package."""
        self._add_parents()
        with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            # A hard link must come after what it names.
            for path, node in sorted(self._nodes.items(), key=lambda item: (item[1].info.islnk(), item[0])):
                info = copy.copy(node.info)
                info.name, info.uname, info.gname = path, "", ""
                tar.addfile(info, io.BytesIO(node.data) if info.isreg() else None)

    def _put(self, path: str, info: tarfile.TarInfo, data: bytes = b"") -> None:
        old = self._nodes.get(path)
        is_in_use = old is not None and old.info.isdir() and any(name.startswith(f"{path}/") for name in self._nodes)
        if is_in_use and not info.isdir():
            raise ValueError(f"{path} is a directory with files in it and cannot become a file")
        self._nodes[path] = Node(info, data)

    def _add_parents(self) -> None:
        for path in list(self._nodes):
            while path := posixpath.dirname(path):
                self._nodes.setdefault(path, Node(_info(tarfile.DIRTYPE, mode=0o755)))


def _info(kind: bytes = tarfile.REGTYPE, *, mode: int, size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.mode, info.size = kind, mode, size
    return info


def _plain(name: str) -> str:
    """`name` as a relative path without dots; one that leaves the tree is refused."""
    path = posixpath.normpath(name.lstrip("/"))
    if path.split("/")[0] == "..":
        raise ValueError(f"{name!r} leads out of the image")
    return "" if path == "." else path


def _merged(path: str) -> str:
    return f"usr/{path}" if path.split("/")[0] in _MERGED and "/" in path else path


def _moved_target(member: tarfile.TarInfo) -> str:
    """A relative link that climbs is made absolute where its file has moved into /usr: it would climb elsewhere."""
    path = _plain(member.name)
    if member.linkname.startswith("/") or ".." not in member.linkname or _merged(path) == path:
        return member.linkname
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(path), member.linkname))


def _fits(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
