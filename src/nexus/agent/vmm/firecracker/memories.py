"""Memory that guests go on from, where their VMMs may map it.

A VMM maps the file privately and for as long as it lives (fact 31), so it must never change, whatever becomes of the
snapshot: it is a copy of the snapshot's, made once and shared by all that go on from that one, whose pages the kernel
then holds once for all of them. It is root's, and nobody's to write.

Must stay true: a copy is there as long as a jail links to it, and goes with the last one. How many do, its link count
says, so that it holds after a restart of the agent too.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from nexus.agent.facts import host_boot_id
from nexus.agent.storage import room
from nexus.agent.storage.breaking_off import in_thread
from nexus.agent.storage.files import Step, can_reflink, clone
from nexus.agent.storage.trouble import StorageTrouble
from nexus.agent.vmm.port import VmmTrouble
from nexus.kit import log
from nexus.kit.ids import new_id

_log = log.get("nexus.agent.vmm.firecracker")

READABLE = 0o444


class Memories:
    """`directory` is ours alone; it is there while a copy is."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._turns: dict[str, asyncio.Lock] = {}
        self._lent: Counter[str] = Counter()

    @asynccontextmanager
    async def lent(self, source: Path) -> AsyncGenerator[Path]:
        """A copy of `source`, to be linked into a jail meanwhile. Raises VmmTrouble."""
        key = _key(source)
        self._lent[key] += 1
        try:
            async with self._turns.setdefault(key, asyncio.Lock()):
                copy = await self._copy(source, key)
            yield copy
        finally:
            self._lent[key] -= 1
            if not self._lent[key]:
                del self._lent[key], self._turns[key]
            await self.sweep()

    async def sweep(self) -> None:
        """Remove what no jail has any more, and what an agent left behind that was killed."""
        try:
            if unneeded := self._put_aside():
                await asyncio.to_thread(_remove, unneeded)
            if not self._lent and self._directory.is_dir() and not any(self._directory.iterdir()):
                self._directory.rmdir()
        except OSError as refused:  # whoever comes by next tries again
            _log.warning("memory_not_removed", why=str(refused))

    def _put_aside(self) -> list[Path]:
        """At once, so that nobody is lent what is about to be removed, which takes its time."""
        aside: list[Path] = []
        for path in list(self._directory.iterdir()) if self._directory.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):  # another one is removing it
                if path.name.lstrip(".") not in self._lent and path.lstat().st_nlink == 1:
                    aside.append(path.rename(path.with_name(f".{new_id()}")))
        return aside

    async def _copy(self, source: Path, key: str) -> Path:
        copy, staged = self._directory / key, self._directory / f".{key}"
        try:
            if not copy.exists():
                self._directory.mkdir(mode=0o700, exist_ok=True)
                await in_thread(lambda step: _fill(source, staged, step))
                staged.chmod(READABLE)
                staged.rename(copy)
        except OSError as refused:
            raise VmmTrouble(f"its memory cannot be copied: {refused.strerror or refused}") from refused
        return copy


def require_room(directory: Path, needed: int) -> None:
    """Raises VmmTrouble where `needed` bytes of memory do not go onto the disk of `directory`; OSError."""
    try:
        room.require_room(directory, needed, f"its memory takes up to {needed >> 20} MiB")
    except StorageTrouble as full:
        raise VmmTrouble(str(full)) from full


def _fill(source: Path, target: Path, step: Step) -> None:
    """Raises VmmTrouble, OSError."""
    if not can_reflink(target.parent):
        require_room(target.parent, source.stat().st_blocks * 512)
    clone(source, target, step=step)


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _key(source: Path) -> str:
    """What no other file, nor this one after a change, has; nor a copy made before the host last crashed, which is
    not synced and may have holes. Raises VmmTrouble."""
    try:
        about = source.lstat()
    except OSError as refused:
        raise VmmTrouble(f"its memory cannot be read: {refused.strerror}") from refused
    stamps = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
    return "-".join((host_boot_id(), *(f"{stamp:x}" for stamp in stamps)))
