"""Files of the host's own that drives are served from: below the directories that its owner has named, nowhere else.

Paths come from outside. A path is resolved first, and what it leads to must be below one of the directories (and not
below ours); later it is opened by walking the resolved path through no symbolic link at all. Must stay true: what is
put in the way between the two is not followed, and nothing that was here before us is ever removed or cut short.
"""

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from nexus.agent.storage.trouble import StorageTrouble
from nexus.protocol.hosts import HostFile
from nexus.protocol.trouble import Refused

SETTING = "AGENT_DRIVE_ROOTS"


class HostFiles:
    """`roots`: where files may be; `private`: our own directories, which are closed even below a root."""

    def __init__(self, roots: Sequence[Path], *, private: Sequence[Path]) -> None:
        self._roots = tuple(roots)
        self._private = tuple(private)
        self._claims: dict[UUID, dict[tuple[int, int], bool]] = {}
        """Of each machine that runs: the files (device, inode) it uses, and whether it writes them."""

    @property
    def is_open(self) -> bool:
        """Whether there is any place for such files."""
        return bool(self._roots)

    def find(self, path: Path) -> HostFile:
        """What is at `path`. Raises Refused when that cannot be a drive's file, with a sentence for a user."""
        resolved = self._resolve(path)
        try:
            fd = open_file(resolved, os.O_RDONLY)
        except FileNotFoundError:
            return HostFile(path=str(resolved))
        except OSError as refused:
            raise Refused(f"{path} on the host cannot be opened: {refused.strerror}") from refused
        try:
            return HostFile(path=str(resolved), size_bytes=os.lseek(fd, 0, os.SEEK_END))
        finally:
            os.close(fd)

    def create(self, path: Path, *, size_bytes: int) -> HostFile:
        """Have a file at `path`; one that is there already stays as it is. Raises Refused."""
        resolved = self._resolve(path)
        try:
            fd = _create(resolved)
        except FileExistsError:
            return self.find(resolved)
        except OSError as refused:
            raise Refused(f"{path} on the host cannot be made: {refused.strerror}") from refused
        try:
            os.ftruncate(fd, size_bytes)
        except OSError as refused:
            resolved.unlink()
            raise Refused(f"{path} on the host cannot be made: {refused.strerror}") from refused
        finally:
            os.close(fd)
        return HostFile(path=str(resolved), size_bytes=size_bytes)

    def ensure(self, path: Path, *, size_bytes: int | None) -> Path:
        """The same path, of a file that is there and has been grown (never cut short) to `size_bytes`; None: it is only
        read. Raises Refused, StorageTrouble."""
        if self._resolve(path) != path:
            raise StorageTrouble(f"{path} on the host leads elsewhere than when it was chosen")
        try:
            _grow(path, size_bytes)
        except FileNotFoundError as missing:
            raise StorageTrouble(f"{path} is not there on the host any more") from missing
        except OSError as refused:
            raise StorageTrouble(f"{path} on the host cannot be used: {refused.strerror}") from refused
        return path

    def claim(self, machine: UUID, path: Path, *, writes: bool) -> None:
        """Note that a machine is going to use a file. Raises StorageTrouble while another uses it in a way that this
        does not go together with, by whatever name: two may read it, or one may write it."""
        key = _identity(path)
        for other, claims in self._claims.items():
            if other != machine and key in claims and (writes or claims[key]):
                raise StorageTrouble(f"{path} on the host is in use by another machine")
        mine = self._claims.setdefault(machine, {})
        mine[key] = writes or mine.get(key, False)

    def release(self, machine: UUID) -> None:
        """Note that a machine uses none any more."""
        self._claims.pop(machine, None)

    def _resolve(self, path: Path) -> Path:
        if not self._roots:
            raise Refused(f"this host serves no files of its own: its owner has not set {SETTING}")
        try:
            resolved = path.parent.resolve(strict=True) / path.name
            if resolved.is_symlink():
                resolved = resolved.resolve(strict=True)
        except (OSError, RuntimeError) as refused:
            raise Refused(f"there is no directory {path.parent} on the host, or a link leads nowhere") from refused
        if not _is_below(resolved, self._roots) or _is_below(resolved, self._private):
            allowed = ", ".join(str(root) for root in self._roots)
            raise Refused(f"{path} is not below a directory whose files this host serves ({allowed})")
        return resolved


NO_HOST_FILES = HostFiles((), private=())


def open_file(path: Path, flags: int) -> int:
    """A descriptor of the regular file at a resolved path, reached through no symbolic link. Raises OSError: ELOOP or
    ENOTDIR for a link, EINVAL for anything that is no regular file."""
    directory = _open_directory(path.parent)
    try:
        fd = os.open(path.name, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=directory)
    finally:
        os.close(directory)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    os.set_blocking(fd, True)
    return fd


def _open_directory(path: Path) -> int:
    fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in path.parts[1:]:
        try:
            below = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        finally:
            os.close(fd)
        fd = below
    return fd


def _grow(path: Path, size_bytes: int | None) -> None:
    fd = open_file(path, os.O_RDONLY if size_bytes is None else os.O_RDWR)
    try:
        if size_bytes is not None and os.fstat(fd).st_size < size_bytes:
            os.ftruncate(fd, size_bytes)
    finally:
        os.close(fd)


def _create(path: Path) -> int:
    directory = _open_directory(path.parent)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(path.name, flags, 0o600, dir_fd=directory)
    finally:
        os.close(directory)


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as gone:
        raise StorageTrouble(f"{path} on the host cannot be used: {gone.strerror}") from gone
    return found.st_dev, found.st_ino


def _is_below(path: Path, directories: Sequence[Path]) -> bool:
    return any(path.is_relative_to(directory.resolve()) for directory in directories)
