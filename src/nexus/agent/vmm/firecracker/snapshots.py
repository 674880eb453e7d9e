"""A Firecracker machine's memory and devices, written to files and gone on from.

Firecracker writes both itself, into its jail, and is not asked for less than all (ADR 45). What is in the state is
what the machine was launched with: paths in the jail, which are the same in every jail; names of TAP devices and of the
vsock's socket, which are given anew (fact 37); and what cannot be told to a guest that goes on: its devices, in words
(`layout`). A machine that goes on must have the same.

Must stay true: what a VMM wrote is copied before it is anybody's snapshot; the process could write to its own file.
"""

import asyncio
import contextlib
import hashlib
import os
import platform
from pathlib import Path
from uuid import UUID

from nexus.agent.storage.breaking_off import in_thread
from nexus.agent.storage.files import Step, can_reflink, clone, write_all
from nexus.agent.vmm.firecracker import bodies, places
from nexus.agent.vmm.firecracker.config import Inside
from nexus.agent.vmm.firecracker.live import LiveDevices
from nexus.agent.vmm.firecracker.memories import require_room
from nexus.agent.vmm.firecracker.netns import set_devices, set_wires
from nexus.agent.vmm.firecracker.places import MEMORY, SAVED, STATE
from nexus.agent.vmm.firecracker.running import Running
from nexus.agent.vmm.port import Definition, Disk, VmmTrouble
from nexus.agent.vmm.process import ProcessId
from nexus.protocol.machines import CacheType, IoEngine

MOST_STATE_BYTES = 64 << 20
SAVE_PATIENCE_S = 60.0
SLOWEST_MIB_PER_S = 20
"""All of the memory is written and synced, also what the guest never used (fact 30)."""
BLOCK_BYTES = 256 << 10
_ZEROS = bytes(BLOCK_BYTES)
CPUINFO = Path("/proc/cpuinfo")


class FirecrackerSnapshots(LiveDevices):
    """The port's `Snapshots`, but for launching."""

    cpu: str
    version: str

    async def save(self, machine: UUID, into: Path) -> tuple[str, ...]:
        running = self._at(machine)
        await self._require_own_release(running)
        devices, root = running.record.devices, self._jails.places.root(running.jailed.id)
        if devices is None:
            raise VmmTrouble("it was started before there were snapshots; restart it first")
        await asyncio.to_thread(_require_room, into, running.record.memory_mib << 20)
        try:
            await self._until_written(running)
            for name, saved in SAVED.items():
                await in_thread(lambda step, name=name, saved=saved: _take_out(running, root, saved, into / name, step))
        finally:
            await asyncio.to_thread(remove_saved, root)
        return devices

    def check(self, definition: Definition, devices: tuple[str, ...]) -> None:
        has = layout(definition)
        if has == devices:
            return
        differing = [f"{was} and not {now}" for was, now in zip(devices, has, strict=False) if was != now]
        raise VmmTrouble(f"it had {differing[0] if differing else f'{len(devices)} devices and not {len(has)}'}")

    async def connect(self, machine: UUID) -> None:
        running = self._at(machine)
        await asyncio.to_thread(self._set_links, running.jailed.process, running.record.taps, up=True)

    def _set_links(self, process: ProcessId, taps: tuple[str, ...], *, up: bool) -> None:
        """A guest cannot be told of a link. Without one, no frame leaves the namespace of its VMM or enters it; a VMM
        without a namespace has its devices taken down instead. Raises VmmTrouble."""
        if not taps:
            return
        if self._jails.is_jailed:
            set_wires(process, len(taps), up=up)
        else:
            set_devices(taps, up=up)

    async def _require_own_release(self, running: Running) -> None:
        """A guest outlives an upgrade of the program; what it is saved under is not the release that starts guests now
        (fact 4). Raises VmmTrouble."""
        has = (await self._tell(running.jailed.api.describe())).vmm_version.partition("-")[0][:40]
        if has != self.version:
            raise VmmTrouble(
                f"it runs under Firecracker {has}, and this host starts {self.version} now: restart it first"
            )

    async def _until_written(self, running: Running) -> None:
        """Broken off, once or more often, it returns when Firecracker is done too: it does nothing else meanwhile, not
        even go on."""
        inside = Inside.prefix_of(is_jailed=self._jails.is_jailed)
        body = bodies.SnapshotCreate(
            snapshot_path=inside + SAVED[STATE], mem_file_path=inside + SAVED[MEMORY], snapshot_type="Full"
        )
        patience_s = SAVE_PATIENCE_S + running.record.memory_mib / SLOWEST_MIB_PER_S
        writing = asyncio.ensure_future(self._tell(running.jailed.api.create_snapshot(body, patience_s=patience_s)))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            while not writing.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({writing})
            if not writing.cancelled():
                writing.exception()
            raise


def require_files(definition: Definition, source: Path) -> None:
    """Raises VmmTrouble when what a guest is to go on from is not there."""
    for name in (STATE, MEMORY):
        try:
            size = (source / name).lstat().st_size
        except OSError as refused:
            raise VmmTrouble(f"its {name} cannot be read: {refused.strerror}") from refused
        if name == MEMORY and size != definition.memory_mib << 20:
            raise VmmTrouble(f"its memory is {size} bytes and not {definition.memory_mib} MiB")


def layout(definition: Definition) -> tuple[str, ...]:
    """What a guest that goes on cannot be told to have otherwise, in words, in order. Pure."""
    balloon = "a balloon that deflates" if definition.balloon_deflates_on_oom else "a balloon that does not deflate"
    limit = definition.entropy_limit
    entropy = f"{limit.size} bytes of entropy per {limit.refill_time} ms" if limit else "the usual entropy"
    own = definition.cpu_config
    cpu = f"CPU features of its own ({_digest(own.model_dump_json())})" if own else "the host's CPU features"
    return (
        balloon,
        entropy,
        cpu,
        *(_kind(disk) for disk in definition.disks),
        *("an interface" for _ in definition.nics),
    )


def guest_cpu(template: bytes | None) -> str:
    """What a guest's CPU depends on besides Firecracker: the host's CPU and series of kernel, and its template (facts 4
    and 42)."""
    lines = CPUINFO.read_text().splitlines()
    found = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines) if value}
    series = ".".join(platform.release().split(".")[:2])
    seen = _digest("\n".join(found.get(key, "") for key in ("vendor_id", "cpu family", "model", "stepping", "flags")))
    own = f", template {_digest(template.decode(errors='replace'))}" if template is not None else ""
    return f"{found.get('model name', 'unknown')} ({seen}), Linux {series}{own}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _kind(disk: Disk) -> str:
    if disk.read_only:
        kind = "a disk that is read only"
    else:
        kind = "a disk that is not flushed" if disk.cache_type is CacheType.UNSAFE else "a disk"
    return f"{kind}, served asynchronously" if disk.io_engine is IoEngine.ASYNC else kind


def _require_room(into: Path, memory_bytes: int) -> None:
    """For the memory in the jail, and for a copy beside it where blocks are not shared. Raises VmmTrouble, OSError."""
    require_room(into, memory_bytes if can_reflink(into) else 2 * memory_bytes)


def _take_out(running: Running, root: Path, name: str, target: Path, step: Step) -> None:
    """Raises VmmTrouble, OSError."""
    fd = places.open_file(root, name)
    try:
        about = os.fstat(fd)
        is_fit = about.st_size <= MOST_STATE_BYTES
        if name == SAVED[MEMORY]:
            is_fit = about.st_size == running.record.memory_mib << 20
        if about.st_uid != running.jailed.uid or not is_fit:
            raise VmmTrouble(f"Firecracker wrote something else than its {target.name} ({about.st_size} bytes)")
        if can_reflink(target.parent):
            clone(Path(f"/proc/self/fd/{fd}"), target, step=step)
        else:
            copy_used(fd, target, step)
    finally:
        os.close(fd)


def copy_used(read: int, target: Path, step: Step) -> None:
    """All but zeros, which Firecracker writes out too. Raises OSError."""
    write = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(write, os.fstat(read).st_size)
        at = 0
        while block := os.pread(read, BLOCK_BYTES, at):
            if block != _ZEROS[: len(block)]:
                os.lseek(write, at, os.SEEK_SET)
                write_all(write, block)
            at += len(block)
            step(len(block))
    finally:
        os.close(write)


def remove_saved(root: Path) -> None:
    """What was written into the jail and is not taken out. Absent is success. Raises OSError."""
    for name in SAVED.values():
        places.remove(root, name)
