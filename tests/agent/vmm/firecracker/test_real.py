"""Against real `firecracker` and `jailer`, where they are on PATH: as far as this machine can go, which is printed.

Without KVM that is everything up to the start of the guest. With it a guest boots, is reached, saved, goes on from
that, is reached again, paused, resumed and powered off, as under any other driver."""

import asyncio
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.agent.lab import built, machine_spec
from tests.agent.vmm.firecracker.lab import Place

from nexus.agent.guest.channel import GuestChannel
from nexus.agent.guest.client import GuestClient
from nexus.agent.machines.guest_config import guest_config, write_initramfs
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.firecracker import detect, version
from nexus.agent.vmm.firecracker.driver import FirecrackerVmm
from nexus.agent.vmm.firecracker.jailer import Programs
from nexus.agent.vmm.port import Definition, Disk, VmmTrouble
from nexus.agent.vmm.qemu import accel
from nexus.kit.ids import new_id
from nexus.local import images
from nexus.protocol.guest import PowerAction
from nexus.protocol.machines import ExitReason, Power

FIRECRACKER, JAILER = shutil.which("firecracker"), shutil.which("jailer")

pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(
        FIRECRACKER is None or JAILER is None, reason="firecracker and jailer are not on PATH: nothing real was run"
    ),
]


def programs() -> Programs:
    assert FIRECRACKER is not None
    assert JAILER is not None
    return Programs(Path(FIRECRACKER), Path(JAILER))


def test_the_programs_here_are_ones_that_would_be_started() -> None:
    real = programs()
    assert real.jailer is not None
    release = version.said_by(real.firecracker)
    version.require_sound(release)
    version.require_pair(release, version.said_by(real.jailer))


@pytest.mark.parametrize("is_jailed", [False, True])
async def test_a_guest_as_far_as_this_machine_can_go(
    is_jailed: bool, short_tmp: Path, built_images: images.Store, capsys: pytest.CaptureFixture[str]
) -> None:
    if is_jailed and (os.geteuid() != 0 or Cgroups().missing() is not None):
        pytest.skip("the jailer needs root and cgroup v2: not run")
    place = Place(short_tmp, is_jailed=is_jailed)
    real = programs()
    place.programs = real if is_jailed else replace(real, jailer=None)
    place.real_cgroups = is_jailed
    vmm, definition = place.driver(), await real_definition(place, built_images)
    try:
        if (refusal := accel.missing(None) or detect.kvm_refusal()) is not None:
            far = await as_far_as_without_kvm(vmm, definition, short_tmp)
            with capsys.disabled():
                print(f"\nreal Firecracker, without usable KVM ({refusal}): {far}")
            return
        await live(vmm, definition, short_tmp)
        with capsys.disabled():
            print("\nreal Firecracker: booted, reached, paused, saved, gone on from that, reached, powered off")
    finally:
        await vmm.discard(definition.id)
        await vmm.close()
    assert place.leftovers() == set()


async def as_far_as_without_kvm(vmm: FirecrackerVmm, definition: Definition, root: Path) -> str:
    """Everything is configured; whether the guest is then started is up to a KVM that cannot run it."""
    try:
        await vmm.start(definition, launch=1)
    except VmmTrouble as refused:
        if "PUT /actions was refused" not in str(refused):
            raise
        return f"configured, and refused at the start of its guest: {refused}"
    await vmm.pause(definition.id)
    await vmm.resume(definition.id)
    await gone_on(vmm, definition, root)
    await vmm.stop(definition.id)
    return "configured, started, paused, resumed, saved, gone on from that and stopped, its guest not waited for"


async def gone_on(vmm: FirecrackerVmm, definition: Definition, root: Path) -> None:
    """The machine saved as it is, its power cut, and the same again: its disks are as they were."""
    source = root / "snapshot"
    source.mkdir()
    await vmm.pause(definition.id)
    devices = await vmm.save(definition.id, source)
    await vmm.stop(definition.id)
    await vmm.restore(definition, launch=2, source=source, devices=devices, is_linked=False)
    await vmm.connect(definition.id)


async def live(vmm: FirecrackerVmm, definition: Definition, root: Path) -> None:
    await vmm.start(definition, launch=1)
    async with GuestChannel(vmm.transport(definition.id), socket=root / "guest.sock") as booting:
        assert await booting.wait_ready(90)
    await gone_on(vmm, definition, root)
    channel = GuestChannel(vmm.transport(definition.id), socket=root / "guest.sock")
    async with channel:
        assert await channel.wait_ready(90)
        async with GuestClient(root / "guest.sock") as guest:
            assert (await guest.health()).protocol == 1
            await vmm.pause(definition.id)
            await vmm.resume(definition.id)
            told = asyncio.Event()
            vmm.listen(lambda _machine: told.set())
            await guest.power(PowerAction.POWEROFF)
            await asyncio.wait_for(told.wait(), 90)
    state = await vmm.observe(definition.id)
    assert state.exit is not None
    assert (state.power, state.exit.reason) == (Power.OFF, ExitReason.GUEST_SHUTDOWN)


async def real_definition(place: Place, store: images.Store) -> Definition:
    using = built(store)
    spec = machine_spec(using).model_copy(update={"nics": ()})
    home = place.root / "machines" / str(spec.id)
    (home / "disks").mkdir(parents=True)
    overlay = home / "disks" / "overlay.img"
    with overlay.open("wb") as empty:
        empty.truncate(1 << 30)
    formatted = await asyncio.create_subprocess_exec("mke2fs", "-q", "-F", "-t", "ext4", str(overlay))
    assert await formatted.wait() == 0
    config = guest_config(spec, {}, time_unix_ms=int(time.time() * 1000))
    await asyncio.to_thread(write_initramfs, store.root / using.initramfs, config, home / "initramfs", uid=None)
    disks = (
        Disk(new_id(), "rootfs", store.root / using.rootfs, read_only=True),
        Disk(new_id(), "overlay", overlay, read_only=False),
    )
    return Definition(spec.id, 1, 256, store.root / using.kernel, home / "initramfs", None, disks, (), None)
