"""What is left of an agent's files when it is killed, or its host loses its power, at any moment at which it waits for
the disk.

A killed agent leaves all that it wrote. A power cut leaves no more than was synced: a directory has the names that it
had when it was last synced, and a file that was changed since then is empty, which is the worst that file systems do.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from nexus.agent.storage.files import clone

Names = Mapping[str, int]
"""Inodes by what a directory calls them."""


@dataclass(frozen=True)
class Moment:
    """Copies of the directory as it would be found."""

    killed: Path
    cut: Path


class Watched:
    """A directory whose every sync is two moments: before it, and after it. Its copies are made in `into`."""

    def __init__(self, *, into: Path) -> None:
        self.moments: list[Moment] = []
        self.syncs = 0
        self._root = into
        self._into = into
        self._files: dict[int, int] = {}
        """Inode to what its time of change was when it was synced."""
        self._names: dict[int, Names] = {}

    def watch(self, root: Path, patching: pytest.MonkeyPatch) -> None:
        """`root` is empty as yet."""
        self._root = root
        real = os.fsync

        def fsync(fd: int) -> None:
            self.keep()
            real(fd)
            self._note(fd)
            self.syncs += 1
            self.keep()

        patching.setattr(os, "fsync", fsync)

    def keep(self) -> None:
        """Copy what would be left now."""
        number = len(self.moments)
        moment = Moment(self._into / f"{number}-killed", self._into / f"{number}-cut")
        _copy(self._root, moment.killed)
        self._copy_synced(self._root.stat().st_ino, moment.cut, _by_inode(self._root))
        self.moments.append(moment)

    def _note(self, fd: int) -> None:
        about = os.fstat(fd)
        path = Path(f"/proc/self/fd/{fd}")
        if path.is_dir():
            self._names[about.st_ino] = {each.name: each.stat(follow_symlinks=False).st_ino for each in path.iterdir()}
        else:
            self._files[about.st_ino] = about.st_mtime_ns

    def _copy_synced(self, directory: int, target: Path, paths: Mapping[int, Path]) -> None:
        target.mkdir(parents=True)
        for name, inode in self._names.get(directory, {}).items():
            path = paths.get(inode)
            if path is None:
                continue
            if path.is_dir():
                self._copy_synced(inode, target / name, paths)
            elif self._files.get(inode) == path.stat().st_mtime_ns:
                clone(path, target / name)
            else:
                (target / name).touch()


def _by_inode(root: Path) -> dict[int, Path]:
    return {path.stat(follow_symlinks=False).st_ino: path for path in root.rglob("*")}


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in source.iterdir():
        if path.is_dir():
            _copy(path, target / path.name)
        else:
            clone(path, target / path.name)
