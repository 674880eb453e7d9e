"""What every driver keeps that offers snapshots: one suite, run over all of them."""

import asyncio
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from tests.agent.lab import eventually
from tests.agent.vmm.conftest import Lab

from nexus.agent.guest.client import GuestClient
from nexus.agent.storage.files import clone
from nexus.agent.vmm.fake import FakeVmm
from nexus.agent.vmm.port import Definition, Disk, Snapshots, Vmm, VmmTrouble
from nexus.kit.ids import new_id
from nexus.protocol.guest import SessionKind, SessionRequest
from nexus.protocol.hosts import Offer
from nexus.protocol.machines import ExitReason, Power


@pytest.fixture
def snapshots(vmm: Vmm) -> Snapshots:
    if not isinstance(vmm, Snapshots):
        assert Offer.SNAPSHOT not in vmm.offers
        pytest.skip(f"{vmm.name} takes no snapshots")
    assert Offer.SNAPSHOT in vmm.offers
    return vmm


@pytest.fixture
def into(lab: Lab) -> Path:
    made = lab.root / "snapshot"
    made.mkdir()
    return made


async def begin(vmm: Vmm, definition: Definition, guest: GuestClient) -> str:
    """Something that only this boot's memory has."""
    if isinstance(vmm, FakeVmm):
        return vmm.memory(definition.id)[0]
    return await guest.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("sleep", "600")))


async def has(vmm: Vmm, definition: Definition, guest: GuestClient, begun: str) -> bool:
    if isinstance(vmm, FakeVmm):
        return vmm.memory(definition.id)[0] == begun
    return any(session.id == begun for session in await guest.sessions())


def copied(lab: Lab, definition: Definition) -> Definition:
    """Another machine whose disks hold what this one's hold."""
    machine = new_id()
    home = lab.root / "machines" / str(machine)
    home.mkdir(parents=True)
    return replace(definition, id=machine, disks=tuple(_copied(disk, home) for disk in definition.disks))


def _copied(disk: Disk, home: Path) -> Disk:
    if disk.read_only:
        return replace(disk, id=new_id())
    path = home / f"{disk.drive_id}.img"
    clone(disk.path, path)
    return replace(disk, id=new_id(), path=path)


async def test_a_guest_goes_on_in_another_machine_and_in_its_own(
    lab: Lab, vmm: Vmm, snapshots: Snapshots, definition: Definition, into: Path
) -> None:
    with pytest.raises(VmmTrouble):
        await snapshots.save(definition.id, into)
    await vmm.start(definition, launch=1)
    async with lab.guest(vmm, definition.id) as guest:
        begun = await begin(vmm, definition, guest)
        await vmm.pause(definition.id)
        devices = await snapshots.save(definition.id, into)
        assert (await vmm.observe(definition.id)).power is Power.PAUSED
        other = copied(lab, definition)
        assert await snapshots.save(definition.id, into) == devices, "one that was paused can be saved again"
        await vmm.resume(definition.id)
    async with lab.guest(vmm, definition.id) as guest:  # connections may have ended, and come again
        assert await has(vmm, definition, guest, begun)
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in into.iterdir()}
    await vmm.stop(definition.id)
    try:
        async with snapshots.expecting(other.id, into):
            await snapshots.restore(other, launch=3, source=into, devices=devices, is_linked=False)
        state = await vmm.observe(other.id)
        assert (state.power, state.launch) == (Power.ON, 3)
        await snapshots.restore(other, launch=3, source=into, devices=devices, is_linked=False)
        assert await vmm.observe(other.id) == state, "a launch happens once"
        await snapshots.connect(other.id)
        async with lab.guest(vmm, other.id) as guest:
            assert await has(vmm, other, guest, begun)
        assert {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in into.iterdir()} == before
    finally:
        await vmm.discard(other.id)


async def test_what_has_other_devices_is_told_so_and_not_launched(
    vmm: Vmm, snapshots: Snapshots, definition: Definition, into: Path
) -> None:
    await vmm.start(definition, launch=1)
    await vmm.pause(definition.id)
    devices = await snapshots.save(definition.id, into)
    extra = Disk(uuid4(), "extra", into / "memory", read_only=True)
    other = replace(definition, id=new_id(), disks=(extra, *definition.disks))
    with pytest.raises(VmmTrouble, match="it had"):
        snapshots.check(other, devices)
    with pytest.raises(VmmTrouble, match="it had"):
        await snapshots.restore(other, launch=1, source=into, devices=devices, is_linked=True)
    assert (await vmm.observe(other.id)).launch == 0


async def test_files_that_are_no_snapshot_end_in_a_sentence_and_leave_no_process(
    lab: Lab, vmm: Vmm, snapshots: Snapshots, definition: Definition, into: Path
) -> None:
    if lab.name == "fake":
        pytest.skip("its files are a word, and any word will do")
    await vmm.start(definition, launch=1)
    await vmm.pause(definition.id)
    devices = await snapshots.save(definition.id, into)
    await vmm.stop(definition.id)
    (into / "state").write_bytes(b"QEVM" + bytes(1000))
    with pytest.raises(VmmTrouble, match="did not start"):
        await snapshots.restore(definition, launch=2, source=into, devices=devices, is_linked=True)
    state = await vmm.observe(definition.id)
    assert (state.power, state.launch, state.pid) == (Power.OFF, 2, None)
    (into / "state").unlink()
    async with snapshots.expecting(definition.id, into):
        with pytest.raises(VmmTrouble, match="cannot be read"):
            await snapshots.restore(definition, launch=3, source=into, devices=devices, is_linked=True)


async def test_a_guest_is_not_reached_before_it_runs_and_one_that_nobody_restores_any_more_is_ended(
    lab: Lab, vmm: Vmm, snapshots: Snapshots, definition: Definition, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lab.hold_restores is None:
        pytest.skip("it restores in one piece")
    await vmm.start(definition, launch=1)
    await vmm.pause(definition.id)
    devices = await snapshots.save(definition.id, into)
    await vmm.stop(definition.id)
    is_there = lab.hold_restores(monkeypatch)
    restoring = asyncio.create_task(
        snapshots.restore(definition, launch=2, source=into, devices=devices, is_linked=True)
    )
    await eventually(is_there)
    assert not any(lab.root.rglob("mux.sock")), "nothing is to reach it yet"
    assert not any(lab.root.rglob("v.sock"))
    await vmm.close()
    second = lab.make()
    try:
        found = await second.adopt(definition.id)
        assert (found.power, found.pid) == (Power.OFF, None)
        if found.launch:  # else it has never been
            assert found.exit is not None
            assert (found.launch, found.exit.reason) == (2, ExitReason.ASKED)
    finally:
        await second.close()
        restoring.cancel()
        await asyncio.gather(restoring, return_exceptions=True)
