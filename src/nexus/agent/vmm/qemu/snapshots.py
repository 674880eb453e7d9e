"""A QEMU machine's memory and devices, written to files and gone on from.

Memory is copied by us, sparsely: out of the VMM's shared memory, and into what is to be that of the next one, while
that starts. QEMU writes and reads the devices alone, in some milliseconds. So a machine that was saved is what it was
before: no migration has taken place, and its disks stay in its hands. What is copied in must be there before the
devices are loaded, which look into it.

What the guest sees of its devices is remembered in words (`layout`): a machine that goes on from files must have the
same, in the same order, its places for disks to come included.
"""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from nexus.agent.storage.breaking_off import in_thread
from nexus.agent.storage.files import clone, copy_sparsely
from nexus.agent.vmm.port import Definition, Disk, VmmTrouble
from nexus.agent.vmm.qemu import drives
from nexus.agent.vmm.qemu.config import OTHER_DEVICES, Accelerator, cpu_model
from nexus.agent.vmm.qemu.launcher import Places
from nexus.agent.vmm.qemu.memory import Outlived, empty_memory, memory_of, overwrite
from nexus.agent.vmm.qemu.monitored import Monitored
from nexus.agent.vmm.qemu.qmp import Qmp, QmpTrouble
from nexus.protocol.machines import CacheType

MEMORY, STATE = "memory", "state"
LOAD_PAUSE_S = 0.0005
LOAD_DEADLINE_S = 60.0
CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Source:
    """Files to go on from, open. `spare`: places for disks to come."""

    state_fd: int
    guest_memory_fd: int
    """What is to be the guest's memory."""
    filled: asyncio.Task[None]
    """Done when that holds what was saved."""
    spare: int

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, directory: Path, *, spare: int = 0, kept: Callable[[int], int | None] = lambda _size: None
    ) -> AsyncGenerator["Source"]:
        """Memory is copied from now on, and until the end of the block at most. `kept`: memory of this size to copy it
        into, if there is any to spare. Raises VmmTrouble."""
        with contextlib.ExitStack() as opened:
            fds: list[int] = []
            for name in (MEMORY, STATE):
                try:
                    fds.append(os.open(directory / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW))
                except OSError as refused:
                    raise VmmTrouble(f"its {name} cannot be read: {refused.strerror}") from refused
                opened.callback(os.close, fds[-1])
            memory_fd, state_fd = fds
            size = os.fstat(memory_fd).st_size
            spent = kept(size)
            guest_fd, copy = (empty_memory(size), copy_sparsely) if spent is None else (spent, overwrite)
            opened.callback(os.close, guest_fd)
            filling = asyncio.create_task(in_thread(lambda step: copy(memory_fd, guest_fd, step=step)))
            try:
                await asyncio.sleep(0)  # what follows may hold the event loop up; the thread has begun then
                yield cls(state_fd, guest_fd, filling, spare)
            finally:
                filling.cancel()
                await asyncio.gather(filling, return_exceptions=True)


class QemuSnapshots(Monitored):
    """The port's `Snapshots`, but for launching."""

    def __init__(self, places: Places, *, cpu: str) -> None:
        super().__init__(places)
        self.cpu = cpu
        self._expected: dict[UUID, Source] = {}
        self._outlived = Outlived()

    @contextlib.asynccontextmanager
    async def expecting(self, machine: UUID, source: Path) -> AsyncGenerator[None]:
        async with contextlib.AsyncExitStack() as opened:
            with contextlib.suppress(VmmTrouble):  # whoever goes on from it is told
                self._expected[machine] = await opened.enter_async_context(
                    Source.open(source, kept=lambda size: self._outlived.take(machine, size_bytes=size))
                )
            try:
                yield
            finally:
                self._expected.pop(machine, None)

    @contextlib.asynccontextmanager
    async def _ready(self, machine: UUID, source: Path, *, spare: int) -> AsyncGenerator[Source]:
        """What was expected, or else is opened now. Raises VmmTrouble."""
        if (expected := self._expected.pop(machine, None)) is not None:
            yield replace(expected, spare=spare)
            return
        async with Source.open(source, spare=spare) as opened:
            yield opened

    async def save(self, machine: UUID, into: Path) -> tuple[str, ...]:
        devices, pid = self._devices(machine).layout, self._running[machine].record.pid
        if devices is None or pid is None:
            raise VmmTrouble("it was started before there were snapshots; restart it first")
        await self._ask(machine, lambda qmp: _save_devices(qmp, into / STATE))
        await in_thread(lambda step: clone(memory_of(pid), into / MEMORY, step=step))
        return devices

    def check(self, definition: Definition, devices: tuple[str, ...]) -> None:
        has = layout(definition, spare=spare_of(definition, devices))
        if has == devices:
            return
        differing = [f"{was} and not {now}" for was, now in zip(devices, has, strict=False) if was != now]
        raise VmmTrouble(f"it had {differing[0] if differing else f'{len(devices)} devices and not {len(has)}'}")

    async def connect(self, machine: UUID) -> None:
        nics = sum(device.startswith(_NIC) for device in self._devices(machine).layout or ())
        await self._ask(machine, lambda qmp: _set_links(qmp, nics, up=True))


_NIC = "interface"


def layout(definition: Definition, *, spare: int) -> tuple[str, ...]:
    """The devices that a guest sees, in words, in order. Pure."""
    balloon = "a balloon that deflates" if definition.balloon_deflates_on_oom else "a balloon that does not deflate"
    return (
        balloon,
        *(_kind(disk) for disk in definition.disks),
        *("a disk" for _ in range(spare)),
        *(f"{_NIC} on {'a bridge' if nic.tap is not None else 'a stack of its own'}" for nic in definition.nics),
    )


def spare_of(definition: Definition, devices: tuple[str, ...]) -> int:
    """How many places for disks to come a machine has beside its disks, to have these devices. Pure."""
    return max(0, sum(device.startswith("a disk") for device in devices) - len(definition.disks))


def default_spare(definition: Definition) -> int:
    """The same for a machine that boots. Pure."""
    return drives.spare_slots(OTHER_DEVICES + len(definition.nics), len(definition.disks))


def guest_cpu(accelerator: Accelerator) -> str:
    """What a guest's CPU depends on besides QEMU: with KVM the host's own."""
    model = cpu_model(accelerator)
    if model != "host":
        return model
    lines = {line for line in CPUINFO.read_text().splitlines() if line.startswith(("model name", "flags"))}
    return f"host {hashlib.sha256(''.join(sorted(lines)).encode()).hexdigest()[:16]}"


async def load(qmp: Qmp, source: Source, *, nics: int) -> None:
    """Have memory and devices in a VMM that waits for them, its interfaces cut off. Raises QmpTrouble, OSError."""
    await _set_links(qmp, nics, up=False)
    os.lseek(source.state_fd, 0, os.SEEK_SET)
    await qmp.give_fd(source.state_fd, STATE)
    await source.filled
    await qmp.execute("migrate-incoming", uri=f"fd:{STATE}")
    try:
        async with asyncio.timeout(LOAD_DEADLINE_S):
            while (await qmp.execute("query-status"))["status"] == "inmigrate":  # noqa: ASYNC110
                await asyncio.sleep(LOAD_PAUSE_S)
    except TimeoutError as late:
        raise QmpTrouble(f"its devices were not loaded within {LOAD_DEADLINE_S:g} s") from late


async def go_on(qmp: Qmp, *, nics: int, is_linked: bool) -> None:
    """Run it. Its interfaces have come with the link they had then. Raises QmpTrouble."""
    await _set_links(qmp, nics, up=is_linked)
    await qmp.execute("cont")


async def _save_devices(qmp: Qmp, path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        fdset = await qmp.pass_fd(fd)
        try:
            await qmp.execute("xen-save-devices-state", filename=f"/dev/fdset/{fdset}", live=False)
        finally:
            await qmp.execute("remove-fd", **{"fdset-id": fdset})
    finally:
        os.close(fd)


async def _set_links(qmp: Qmp, nics: int, *, up: bool) -> None:
    for index in range(nics):
        await qmp.execute("set_link", name=f"net{index}", up=up)


def _kind(disk: Disk) -> str:
    if disk.read_only:
        return "a disk that is read only"
    return "a disk that is written through" if disk.cache_type is CacheType.WRITETHROUGH else "a disk"
