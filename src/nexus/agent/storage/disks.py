"""A machine's disks: raw files in its own directory, made once, or images used in place.

A read-only disk with an image is that image's file, shared. A writable one is a clone of its image, or an empty file,
with a file system on it unless it is to be raw. A disk appears under its name only when it is complete. Some are files
of the host's own (`host_files`), which stay when the machine goes.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from nexus.agent.privilege import identity
from nexus.agent.storage.breaking_off import in_thread
from nexus.agent.storage.files import Step, clone
from nexus.agent.storage.formatting import make_ext4, make_sparse
from nexus.agent.storage.host_files import NO_HOST_FILES, HostFiles
from nexus.agent.storage.trouble import StorageTrouble
from nexus.agent.vmm.port import Disk
from nexus.kit.durable import put_in_place, sync_directory, sync_file
from nexus.protocol.machines import DiskFormat, DiskSpec

DEFAULT_SIZE_BYTES = 8 << 30
TOOL_DEADLINE_S = 120.0
Source = Callable[[Path, Step], None]
"""Writes what a disk is to hold into a file, and calls the step as `clone` does. Raises OSError."""


class DiskStore:
    """Disks of one machine, in `directory`; `uid` owns them (None: ourselves)."""

    def __init__(self, directory: Path, *, uid: int | None, host_files: HostFiles = NO_HOST_FILES) -> None:
        self._directory = directory
        self._uid = uid
        self._host_files = host_files

    async def ensure(self, spec: DiskSpec, image: Path | None) -> Disk:
        """The disk's file, made or grown as needed, while no VMM uses it. Raises StorageTrouble, Refused."""
        if spec.path_on_host is not None:
            path = self._host_files.ensure(Path(spec.path_on_host), size_bytes=spec.size_bytes)
            return _disk(spec, path, is_host_file=True)
        if image is not None and (spec.read_only or spec.format is DiskFormat.SQUASHFS):
            return replace(_disk(spec, image), read_only=True)
        path = self.path(spec)
        try:
            self._make_directory()
            if not path.exists():
                await self._make(spec, image, path)
            elif spec.size_bytes is not None and spec.size_bytes > path.stat().st_size:
                await self._grow(spec, path)
        except OSError as refused:
            raise StorageTrouble(f"disk {spec.drive_id} cannot be made: {refused.strerror or refused}") from refused
        return _disk(spec, path)

    async def ensure_live(self, spec: DiskSpec, image: Path | None) -> Disk:
        """The same for a disk that a VMM may be using: what is on it is the guest's, so only its end moves. Raises
        StorageTrouble, Refused."""
        path = self.path(spec)
        if spec.path_on_host is None and spec.size_bytes is not None and path.exists():
            if spec.size_bytes > path.stat().st_size:
                os.truncate(path, spec.size_bytes)
            return _disk(spec, path)
        return await self.ensure(spec, image)

    def as_is(self, spec: DiskSpec, image: Path | None) -> Disk:
        """The disk, which is there or will be before it is used: neither made nor grown."""
        if spec.path_on_host is not None:
            return _disk(spec, Path(spec.path_on_host), is_host_file=True)
        if image is not None and (spec.read_only or spec.format is DiskFormat.SQUASHFS):
            return replace(_disk(spec, image), read_only=True)
        return _disk(spec, self.path(spec))

    async def replace(self, sources: Mapping[UUID, Source]) -> None:
        """Have what these write as the disks of these ids, in place of what they held, while no VMM uses them. Raises
        StorageTrouble, and what they raise; then all are as they were."""
        staged = {self._file(disk).with_name(f".{disk}.img.new"): source for disk, source in sources.items()}
        with contextlib.ExitStack() as undo:
            for path in staged:
                undo.callback(path.unlink, missing_ok=True)
            try:
                self._make_directory()
                for path, source in staged.items():
                    await in_thread(lambda step, path=path, source=source: self._stage(source, path, step))
            except OSError as refused:
                raise StorageTrouble(f"the disks cannot be copied: {refused.strerror or refused}") from refused
            undo.pop_all()
        for disk, path in zip(sources, staged, strict=True):
            await asyncio.to_thread(put_in_place, path, self._file(disk))

    def _stage(self, source: Source, staged: Path, step: Step) -> None:
        source(staged, step)
        staged.chmod(0o600)
        if self._uid is not None:
            os.chown(staged, self._uid, self._uid)
        sync_file(staged)

    def _make_directory(self) -> None:
        """Its name on disk before anything is in it: what a guest writes must not be lost with it."""
        if not self._directory.is_dir():
            self._directory.mkdir(mode=0o700)
            sync_directory(self._directory.parent)

    def _file(self, disk: UUID) -> Path:
        return self._directory / f"{disk}.img"

    def path(self, spec: DiskSpec) -> Path:
        """Where a disk of the machine's own is."""
        return self._file(spec.id)

    def discard_others(self, wanted: set[UUID]) -> None:
        """Remove the files of disks the machine has no more."""
        keep = {f"{disk}.img" for disk in wanted}
        for path in self._directory.iterdir() if self._directory.is_dir() else ():
            if path.name not in keep:
                path.unlink()

    async def _make(self, spec: DiskSpec, image: Path | None, path: Path) -> None:
        """What was staged by an attempt that broke off is overwritten by the next, and removed with the machine."""
        staged = path.with_name(f".{path.name}.new")
        size_bytes = spec.size_bytes or DEFAULT_SIZE_BYTES
        if image is None and spec.format is DiskFormat.EXT4:
            await make_ext4(staged, size_bytes=size_bytes, run=run_tool, finish=lambda: self._finish(staged, path))
            return
        if image is None:
            make_sparse(staged, size_bytes)
        else:
            await in_thread(lambda step: clone(image, staged, step=step))
            if spec.size_bytes is not None and spec.size_bytes > staged.stat().st_size:
                await self._grow(spec, staged)
        await in_thread(lambda _step: self._finish(staged, path))

    def _finish(self, staged: Path, path: Path) -> None:
        if self._uid is not None:
            os.chown(staged, self._uid, self._uid)
        put_in_place(staged, path)

    async def _grow(self, spec: DiskSpec, path: Path) -> None:
        assert spec.size_bytes is not None
        os.truncate(path, spec.size_bytes)
        if spec.format is DiskFormat.EXT4:
            await self._grow_ext4(path)

    async def _grow_ext4(self, path: Path) -> None:
        """What is on the disk is the guest's: the tools that read it run with no more rights than its VMM has."""
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if self._uid is not None:
                os.fchown(fd, self._uid, self._uid)
            file = f"/proc/self/fd/{fd}"
            await run_tool(*identity(self._uid), "e2fsck", "-f", "-p", file, fds=(fd,), accepted=(0, 1))
            await run_tool(*identity(self._uid), "resize2fs", file, fds=(fd,))
        finally:
            os.close(fd)


def _disk(spec: DiskSpec, path: Path, *, is_host_file: bool = False) -> Disk:
    return Disk(
        id=spec.id,
        drive_id=spec.drive_id,
        path=path,
        read_only=spec.read_only,
        is_host_file=is_host_file,
        cache_type=spec.cache_type,
        io_engine=spec.io_engine,
        rate_limiter=spec.rate_limiter,
    )


async def run_tool(*argv: str, fds: tuple[int, ...] = (), accepted: tuple[int, ...] = (0,)) -> None:
    """Run a file system tool to its end. Raises StorageTrouble with its last words.

    Of our environment, which may hold secrets, it gets nothing but where programs are: it reads what a guest wrote."""
    try:
        tool = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=fds,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        )
    except FileNotFoundError as missing:
        raise StorageTrouble(f"{argv[0]} is not installed") from missing
    try:
        async with asyncio.timeout(TOOL_DEADLINE_S):
            words, _ = await tool.communicate()
    except TimeoutError as late:
        raise StorageTrouble(f"{argv[0]} did not end within {TOOL_DEADLINE_S:g} s") from late
    finally:
        if tool.returncode is None:
            tool.kill()
            await tool.wait()
    if tool.returncode not in accepted:
        last = words.decode(errors="replace").strip().rpartition("\n")[2]
        raise StorageTrouble(f"{argv[0]} failed with status {tool.returncode}: {last}")
