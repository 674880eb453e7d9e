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

from nexus.agent.storage.trouble import StorageTrouble
from nexus.protocol.hosts import HostFile
from nexus.protocol.trouble import Refused

SETTING = "AGENT_DRIVE_ROOTS"


class HostFiles:
    """`roots`: where files may be; `private`: our own directories, which are closed even below a root."""

    def __init__(self, roots: Sequence[Path], *, private: Sequence[Path]) -> None:
        self._roots = tuple(roots)
        self._private = tuple(private)

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

    def ensure(self, path: Path, *, size_bytes: int | None) -> Path:
        """The resolved path of the file, which is made when it is missing, and grown (never cut short) to
        `size_bytes`. Raises Refused, StorageTrouble."""
        resolved = self._resolve(path)
        try:
            _ensure(resolved, size_bytes)
        except FileNotFoundError as missing:
            raise StorageTrouble(f"{path} is not there on the host") from missing
        except OSError as refused:
            raise StorageTrouble(f"{path} on the host cannot be used: {refused.strerror}") from refused
        return resolved

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


def _ensure(path: Path, size_bytes: int | None) -> None:
    if size_bytes is None:
        os.close(open_file(path, os.O_RDONLY))
        return
    try:
        fd = open_file(path, os.O_RDWR)
    except FileNotFoundError:
        fd = _create(path)
    try:
        if os.fstat(fd).st_size < size_bytes:
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


def _is_below(path: Path, directories: Sequence[Path]) -> bool:
    return any(path.is_relative_to(directory.resolve()) for directory in directories)
