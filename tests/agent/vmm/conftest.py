"""Drivers for the contract: each with a way to make something befall its guest that no port has."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from uuid import UUID

import pytest
from tests.agent.lab import built, machine_spec
from tests.agent.vmm.firecracker.lab import Place
from tests.agent.vmm.firecracker.lab import kill as kill_firecracker

from nexus.agent.facts import host_boot_id
from nexus.agent.guest.channel import GuestChannel
from nexus.agent.guest.client import GuestClient
from nexus.agent.machines.guest_config import guest_config, write_initramfs
from nexus.agent.net.user import UserNetwork
from nexus.agent.storage.disks import DiskStore
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.fake import FakeVmm
from nexus.agent.vmm.port import Definition, Nic, Vmm
from nexus.agent.vmm.qemu.config import Accelerator
from nexus.agent.vmm.qemu.driver import QemuVmm
from nexus.agent.vmm.qemu.tsc import measure_khz
from nexus.kit.clock import SystemClock
from nexus.kit.ids import new_id
from nexus.local import images
from nexus.protocol.machines import ExitReason


@dataclass
class Lab:
    """One driver under test. `make` gives a fresh instance over the same machines, as a restarted agent would have."""

    name: str
    make: Callable[[], Vmm]
    define: Callable[[], Awaitable[Definition]]
    kill: Callable[[Vmm, UUID], Awaitable[None]]
    root: Path
    hold_restores: Callable[[pytest.MonkeyPatch], Callable[[], bool]] | None = None
    """Have restores stop where memory is loaded; the answer tells whether one has got there. None: where that takes no
    time."""

    @asynccontextmanager
    async def guest(self, vmm: Vmm, machine: UUID) -> AsyncGenerator[GuestClient]:
        """The agent of the running guest, once it answers."""
        async with AsyncExitStack() as stack:
            socket = self.root / "guest.sock"
            channel = await stack.enter_async_context(GuestChannel(vmm.transport(machine), socket=socket))
            assert await channel.wait_ready(60)
            yield await stack.enter_async_context(GuestClient(socket))


JAILED = pytest.param(
    "firecracker",
    marks=[pytest.mark.net, pytest.mark.skipif(os.geteuid() != 0, reason="only root can make jails and namespaces")],
)


@pytest.fixture(params=["fake", "firecracker-unjailed", JAILED, pytest.param("qemu", marks=pytest.mark.vm)])
def lab(request: pytest.FixtureRequest, short_tmp: Path) -> Lab:
    if request.param == "fake":
        return _fake(short_tmp)
    if request.param.startswith("firecracker"):
        return _firecracker(short_tmp, is_jailed=request.param == "firecracker")
    return _qemu(short_tmp, cast(images.Store, request.getfixturevalue("built_images")))


@pytest.fixture
async def vmm(lab: Lab) -> AsyncIterator[Vmm]:
    made = lab.make()
    yield made
    await made.close()


@pytest.fixture
async def definition(lab: Lab, vmm: Vmm) -> AsyncIterator[Definition]:
    made = await lab.define()
    yield made
    last = lab.make()
    await vmm.close()
    await last.discard(made.id)
    await last.close()


def _fake(root: Path) -> Lab:
    def make() -> Vmm:
        return FakeVmm(machines=root / "machines", clock=SystemClock())

    async def define() -> Definition:
        return Definition(new_id(), 1, 128, root, root, None, (), (), None)

    async def kill(vmm: Vmm, machine: UUID) -> None:
        assert isinstance(vmm, FakeVmm)
        vmm.end(machine, ExitReason.VMM_KILLED, "Its VMM was killed.")

    return Lab("fake", make, define, kill, root)


def _firecracker(root: Path, *, is_jailed: bool) -> Lab:
    place = Place(root, is_jailed)

    async def define() -> Definition:
        return place.definition()

    def hold_restores(_patching: pytest.MonkeyPatch) -> Callable[[], bool]:
        place.play(hang_at="PUT /snapshot/load")
        return lambda: place.asked("/snapshot/load")

    return Lab("firecracker", place.driver, define, kill_firecracker, root, hold_restores)


def _qemu(root: Path, store: images.Store) -> Lab:
    uid = 64_900_001 if os.geteuid() == 0 else None

    def make() -> Vmm:
        return QemuVmm(
            binary="/usr/bin/qemu-system-x86_64",
            version="any",
            accelerator=Accelerator("tcg", measure_khz()),
            why="",
            machines=root / "machines",
            sockets=root / "m",
            host_boot_id=host_boot_id(),
            cgroups=Cgroups(),
            clock=SystemClock(),
        )

    async def define() -> Definition:
        using = built(store)
        spec = machine_spec(using)
        home = root / "machines" / str(spec.id)
        home.mkdir(parents=True)
        disks = DiskStore(home / "disks", uid=uid)
        files = [
            await disks.ensure(disk, store.root / disk.image_sha256 if disk.image_sha256 else None)
            for disk in spec.disks
        ]
        nic = spec.nics[0]
        network = UserNetwork(restrict=True, why="")
        config = guest_config(spec, {nic.id: network.attachment(nic, 0)}, time_unix_ms=int(time.time() * 1000))
        await asyncio.to_thread(write_initramfs, store.root / using.initramfs, config, home / "initramfs", uid=uid)
        return Definition(
            spec.id,
            1,
            256,
            store.root / using.kernel,
            home / "initramfs",
            None,
            tuple(files),
            (Nic(nic.mac, None, restrict=True),),
            uid,
        )

    async def kill(vmm: Vmm, machine: UUID) -> None:
        pid = (await vmm.observe(machine)).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def hold_restores(patching: pytest.MonkeyPatch) -> Callable[[], bool]:
        is_there = asyncio.Event()

        async def never(*_args: object, **_kwargs: object) -> None:
            is_there.set()
            await asyncio.Event().wait()

        patching.setattr("nexus.agent.vmm.qemu.driver.load", never)
        return is_there.is_set

    return Lab("qemu", make, define, kill, root, hold_restores)
