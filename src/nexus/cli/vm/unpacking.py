"""A tar archive from a guest, written here.

Whoever is root in the guest chose what it holds, so nothing of it may be written outside of the target: names are
relative and without `..`, no directory on the way may be a link, and what is there as a link is replaced, not followed.
A whole archive ends as tar archives do; one that does not was cut, whatever else it looks like.
"""

import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, cast

from nexus.cli.failures import REFUSED, CliFailure

_ERROR_RECORD = "NEXUS.error"
_CHUNK_BYTES = 256 * 1024
_MODE = 0o777
"""What is kept of modes: a stranger's set-user-ID bit is not."""


def unpack(chunks: Iterable[bytes], target: Path) -> int:
    """Write the archive into `target` where that is a directory, else under that name. Returns the bytes of content.

    Raises CliFailure for an archive that is cut, that says why it is not whole, or that would lead out."""
    place = _Place(target)
    source = _Source(chunks)
    with _told(target), tarfile.open(fileobj=cast("IO[bytes]", source), mode="r|", bufsize=_CHUNK_BYTES) as archive:
        for entry in _entries(archive):
            place.put(archive, entry)
    if not source.is_whole:
        raise CliFailure("The copy is not whole: the connection broke off.", exit_code=REFUSED)
    place.finish()
    return place.content_bytes


def _entries(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """What the archive holds. Raises CliFailure where it breaks off with a reason, TarError where without."""
    try:
        yield from archive
    except tarfile.TarError as broken:
        if reason := archive.pax_headers.get(_ERROR_RECORD):
            raise CliFailure(f"The copy is not whole: {reason}.", exit_code=REFUSED) from broken
        raise


class _told:  # noqa: N801 - used as one uses a function
    """Turns what goes wrong with files here, or with the archive itself, into a sentence."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, tarfile.TarError | EOFError):
            raise CliFailure(f"The copy is not whole: {error}.", exit_code=REFUSED) from error
        if isinstance(error, OSError):
            reason = (error.strerror or str(error)).lower()
            raise CliFailure(f"Cannot write {error.filename or self._target}: {reason}.", exit_code=REFUSED) from error


class _Source:
    """What tarfile reads from; remembers whether the last it got was a whole archive's end, 1,024 zeros."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""
        self._tail = b""

    @property
    def is_whole(self) -> bool:
        for chunk in self._chunks:  # what lies behind the end
            self._tail = (self._tail + chunk)[-1024:]
        return self._tail == bytes(1024)

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (chunk := next(self._chunks, b"")):
            self._rest += chunk
            self._tail = (self._tail + chunk)[-1024:]
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


class _Place:
    """Where entries go, and what is still to be done for them."""

    def __init__(self, target: Path) -> None:
        self._into = target if target.is_dir() else target.parent
        self._name = None if target.is_dir() else target.name
        self._directories: list[tuple[Path, tarfile.TarInfo]] = []
        self.content_bytes = 0
        if not self._into.is_dir():
            raise CliFailure(f"There is no directory {self._into} here.", exit_code=REFUSED)

    def put(self, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        path = self._path(entry.name)
        if entry.isdir():
            self._make_directory(path, entry)
            return
        self._check_way(path)
        if path.is_dir() and not path.is_symlink():
            raise CliFailure(f"Cannot write {path}: there is a directory of that name.", exit_code=REFUSED)
        if entry.isreg():
            self._write(archive, entry, path)
        elif entry.issym():
            _replace(path, lambda staged: staged.symlink_to(entry.linkname))
        elif entry.islnk():
            first = self._path(entry.linkname)
            self._check_way(first)
            _replace(path, lambda staged: os.link(first, staged, follow_symlinks=False))

    def finish(self) -> None:
        """Modes and times of directories, last of all: one may be read-only."""
        for path, entry in reversed(self._directories):
            path.chmod(entry.mode & _MODE)
            os.utime(path, (entry.mtime, entry.mtime))

    def _path(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise CliFailure(f"The guest sent {name!r}, which leads out of the target.", exit_code=REFUSED)
        return self._into.joinpath(self._name or parts[0], *parts[1:])

    def _check_way(self, path: Path) -> None:
        for parent in path.relative_to(self._into).parents:
            if parent != Path() and (self._into / parent).is_symlink():
                raise CliFailure(f"The guest sent {path}, which leads through a link.", exit_code=REFUSED)

    def _make_directory(self, path: Path, entry: tarfile.TarInfo) -> None:
        self._check_way(path)
        if path.is_dir() and not path.is_symlink():
            return
        path.mkdir(mode=0o700)
        self._directories.append((path, entry))

    def _write(self, archive: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> None:
        content = archive.extractfile(entry)

        def write(staged: Path) -> None:
            with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                while content is not None and (data := content.read(_CHUNK_BYTES)):
                    file.write(data)
                    self.content_bytes += len(data)
                os.fchmod(file.fileno(), entry.mode & _MODE)
            os.utime(staged, (entry.mtime, entry.mtime))

        _replace(path, write)


def _replace(path: Path, make: Callable[[Path], None]) -> None:
    """Make it under a name of its own, then put it in the place of what was there: whole, or as it was."""
    staged = path.with_name(f".{path.name[:200]}.nexus-{os.getpid()}")
    try:
        make(staged)
        staged.replace(path)
    finally:
        with suppress(FileNotFoundError):
            staged.unlink()
