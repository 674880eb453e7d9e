"""Makes zygotes in the background, one after the other, when nothing has been started for a moment.

Must stay true: there is one at a time, and it costs the host no more than one more machine; it runs under names, files
and sockets of its own, and nothing of it stays: neither when the agent is asked to end, nor (at its next start) when it
was killed; and a shape of which none can be made keeps no other waiting.
"""

import asyncio
import contextlib
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Final
from uuid import UUID, uuid5

from nexus.agent.machines.guest_config import write_initramfs
from nexus.agent.vmm.port import Definition, Disk, Nic, VmmTrouble
from nexus.agent.vmm.qemu import zygote_channel
from nexus.agent.vmm.qemu.driver import QemuVmm
from nexus.agent.vmm.qemu.launcher import Places
from nexus.agent.vmm.qemu.zygotes import NoRoom, ZygoteStore
from nexus.kit import log
from nexus.protocol.guest import GuestConfig, GuestNic, MountSpec
from nexus.protocol.trouble import Trouble

_log = log.get("nexus.agent.vmm.qemu")

QUIET_S: Final = 10.0
"""Making one takes as much as a boot: it waits until nobody else boots. Twice as long after each that failed, of its
shape."""
MOST_FAILURES: Final = 4
"""Of one shape: zygotes not made, or of no use. Then there is none of it until the agent starts again."""
BOOT_DEADLINE_S: Final = 60.0
"""On a host too busy for that one would only tell of it: its kernel complains when it stands still."""
DISK_BYTES: Final = 1 << 20
OF_MAKERS: Final = UUID("5c8bb7b5-3d0a-4c1b-9c3e-6a5d1a8d0f7e")
"""From it and its place comes the id of the machine that becomes one: the same after a restart, and another agent's is
another's."""


class ZygoteMaker:
    def __init__(self, store: ZygoteStore, vmm: QemuVmm, *, places: Places, uid: int | None) -> None:
        """`vmm`: for machines that become zygotes, and no others; at `places`."""
        self._store = store
        self._vmm = vmm
        self.machine: Final = uuid5(OF_MAKERS, str(places.machines))
        self._channel = places.channel(self.machine)
        self._home = places.home(self.machine)
        self._uid = uid
        self._wanted: dict[str, Definition] = {}
        self._failures: Counter[str] = Counter()
        self._begun = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def tidy(self) -> None:
        """Leave nothing of what an agent that was killed was making."""
        await self._clear()

    def wait_for_quiet(self) -> None:
        """A machine is being started: not now."""
        self._begun.set()

    def want(self, name: str, definition: Definition) -> None:
        """Have a zygote of the shape called `name` some time."""
        if self._failures[name] >= MOST_FAILURES:
            return
        self._wanted[name] = definition
        self._begun.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    def give_up(self, name: str) -> None:
        """Have none of this shape, until one is wanted again: what began from it did not come up. However many did so
        at once, it is one zygote that was of no use."""
        if self._store.find(name) is not None:
            self._failures[name] += 1
            self._store.discard(name)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            await self._clear()  # it may have been at that itself
        await self._vmm.close()

    async def _work(self) -> None:
        while self._wanted:
            name = await self._quiet()
            definition = self._wanted.pop(name)
            if self._store.find(name) is not None:
                continue
            try:
                self._store.require_room()
                await self._make(name, definition)
                _log.info("zygote_made", shape=name)
            except (VmmTrouble, Trouble, OSError, NoRoom) as refused:
                self._failures[name] += 1
                _log.warning("no_zygote", shape=name, why=str(refused))
                if self._failures[name] < MOST_FAILURES:
                    self._wanted[name] = definition
            finally:
                await self._clear()

    async def _quiet(self) -> str:
        """Until nothing was started for as long as the shape that failed least has to wait: answers that."""
        while True:
            name = min(self._wanted, key=lambda name: self._failures[name])
            self._begun.clear()
            try:
                async with asyncio.timeout(QUIET_S * 2 ** min(self._failures[name], MOST_FAILURES)):
                    await self._begun.wait()
            except TimeoutError:
                return name

    async def _make(self, name: str, definition: Definition) -> None:
        self._store.draft.mkdir(parents=True)
        self._home.mkdir(parents=True)
        waiting = await asyncio.to_thread(self._definition, definition)
        await self._vmm.start(waiting, launch=1)
        stand_back((await self._vmm.observe(self.machine)).pid)
        await zygote_channel.wait(self._channel, within_s=BOOT_DEADLINE_S)
        await self._vmm.pause(self.machine)
        await self._vmm.save(self.machine, self._store.draft)
        self._store.add(name, self._store.draft)

    def _definition(self, like: Definition) -> Definition:
        """A machine of the same shape, with nothing in it."""
        assert like.guest is not None
        initramfs = self._home / "initramfs"
        write_initramfs(like.guest.initramfs, _configuration(len(like.nics)), initramfs, uid=self._uid)
        return Definition(
            id=self.machine,
            vcpus=like.vcpus,
            memory_mib=like.memory_mib,
            kernel=like.kernel,
            initramfs=initramfs,
            boot_args=like.boot_args,
            disks=tuple(self._disk(number) for number in range(len(like.disks))),
            nics=tuple(_nic(number) for number in range(len(like.nics))),
            uid=self._uid,
            balloon_deflates_on_oom=like.balloon_deflates_on_oom,
        )

    def _disk(self, number: int) -> Disk:
        path = self._home / f"disk{number}"
        with path.open("wb") as file:
            file.truncate(DISK_BYTES)
        if self._uid is not None:
            os.chown(path, self._uid, self._uid)
        return Disk(id=UUID(int=number + 1), drive_id=f"disk{number}", path=path, read_only=False)

    async def _clear(self) -> None:
        await self._vmm.discard(self.machine)
        shutil.rmtree(self._home, ignore_errors=True)
        self._store.tidy()


def stand_back(pid: int | None) -> None:
    """What shares a control group (and session, where the kernel groups by that) with it goes first; where each VMM has
    its own, it competes like one more machine. Raises OSError for a process that has ended."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setscheduler(int(task.name), os.SCHED_IDLE, os.sched_param(0))


def _configuration(nics: int) -> GuestConfig:
    """It waits for another; what has to be said here is never used."""
    return GuestConfig(
        root=MountSpec(device="/dev/vda", fs="ext4"),
        hostname="zygote",
        machine_id="0" * 32,
        nics=tuple(GuestNic(mac=_mac(number)) for number in range(nics)),
        waits=True,
    )


def _mac(number: int) -> str:
    return f"02:00:00:00:00:{number:02x}"


def _nic(number: int) -> Nic:
    """On nothing: the state of a stack of its own is part of what is saved, and a machine on a bridge, which has none,
    could not begin from it. The other way round a machine's stack begins as at its start."""
    return Nic(_mac(number), None, is_connected=False)
