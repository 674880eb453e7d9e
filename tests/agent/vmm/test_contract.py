"""What every hypervisor driver keeps: one suite, run over all of them."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.agent.lab import PATIENCE_S, eventually
from tests.agent.vmm.conftest import Lab

from nexus.agent.vmm.port import Balloon, BalloonTarget, Definition, Vmm, VmmTrouble
from nexus.protocol.balloons import BalloonSeen
from nexus.protocol.guest import PowerAction
from nexus.protocol.hosts import Offer
from nexus.protocol.machines import ExitReason, Power


class Watcher:
    """Remembers which machines were said to have changed."""

    def __init__(self, vmm: Vmm) -> None:
        self.told: list[UUID] = []
        vmm.listen(self.told.append)


async def ended(vmm: Vmm, machine: UUID, watcher: Watcher) -> tuple[ExitReason, str]:
    """How the VMM ended, once the driver has told that something changed."""
    await eventually(lambda: machine in watcher.told)
    while (state := await vmm.observe(machine)).power is not Power.OFF:
        watcher.told.clear()
        await eventually(lambda: machine in watcher.told)
    assert state.exit is not None
    assert state.exit.why.endswith(".")
    return state.exit.reason, state.exit.why


async def test_a_machine_never_started_is_off_without_an_exit(vmm: Vmm) -> None:
    state = await vmm.observe(uuid4())
    assert (state.power, state.launch, state.exit) == (Power.OFF, 0, None)


async def test_stopping_pausing_and_discarding_what_is_off(vmm: Vmm, definition: Definition) -> None:
    await vmm.define(definition)
    await vmm.stop(definition.id)
    with pytest.raises(VmmTrouble):
        await vmm.pause(definition.id)
    with pytest.raises(VmmTrouble):
        await vmm.resume(definition.id)
    await vmm.discard(definition.id)
    await vmm.discard(definition.id)
    assert await vmm.counters(definition.id) is None


async def test_a_launch_happens_once_and_its_end_is_kept(vmm: Vmm, definition: Definition) -> None:
    await vmm.start(definition, launch=1)
    first = await vmm.observe(definition.id)
    await vmm.start(definition, launch=1)
    assert await vmm.observe(definition.id) == first
    assert (first.power, first.launch) == (Power.ON, 1)
    assert await vmm.counters(definition.id) is not None
    with pytest.raises(VmmTrouble):
        await vmm.start(definition, launch=2)
    await vmm.pause(definition.id)
    await vmm.pause(definition.id)
    assert (await vmm.observe(definition.id)).power is Power.PAUSED
    await vmm.resume(definition.id)
    assert (await vmm.observe(definition.id)).power is Power.ON
    await vmm.stop(definition.id)
    await vmm.stop(definition.id)
    off = await vmm.observe(definition.id)
    assert off.exit is not None
    assert (off.power, off.launch, off.exit.reason) == (Power.OFF, 1, ExitReason.ASKED)
    await vmm.start(definition, launch=1)
    assert await vmm.observe(definition.id) == off


@pytest.mark.parametrize(
    ("action", "reason"),
    [(PowerAction.POWEROFF, ExitReason.GUEST_SHUTDOWN), (PowerAction.REBOOT, ExitReason.GUEST_REBOOT)],
)
async def test_a_guest_that_ends_by_itself_is_told_apart(
    lab: Lab, vmm: Vmm, definition: Definition, action: PowerAction, reason: ExitReason
) -> None:
    watcher = Watcher(vmm)
    await vmm.start(definition, launch=1)
    async with lab.guest(vmm, definition.id) as guest:
        await guest.power(action)
        assert (await ended(vmm, definition.id, watcher))[0] is reason


async def test_a_vmm_that_is_killed_is_noticed(lab: Lab, vmm: Vmm, definition: Definition) -> None:
    watcher = Watcher(vmm)
    await vmm.start(definition, launch=1)
    await lab.kill(vmm, definition.id)
    assert (await ended(vmm, definition.id, watcher))[0] is ExitReason.VMM_KILLED


async def test_a_running_machine_is_adopted_and_its_guest_reached(lab: Lab, vmm: Vmm, definition: Definition) -> None:
    await vmm.start(definition, launch=1)
    before = await vmm.observe(definition.id)
    await vmm.close()
    second = lab.make()
    try:
        assert await second.adopt(definition.id) == before
        async with lab.guest(second, definition.id) as guest:
            assert (await guest.health()).protocol == 1
        await second.pause(definition.id)
        await second.close()
        second = lab.make()
        assert (await second.adopt(definition.id)).power is Power.PAUSED
    finally:
        await second.close()


@pytest.mark.parametrize(
    ("action", "reason"),
    [(PowerAction.POWEROFF, ExitReason.GUEST_SHUTDOWN), (PowerAction.REBOOT, ExitReason.GUEST_REBOOT)],
)
async def test_what_a_guest_did_while_nobody_watched_is_known_afterwards(
    lab: Lab, vmm: Vmm, definition: Definition, action: PowerAction, reason: ExitReason
) -> None:
    await vmm.start(definition, launch=1)
    async with lab.guest(vmm, definition.id) as guest:
        await vmm.close()
        await guest.power(action)
        await guest_is_gone(lab, definition)
    second = lab.make()
    watcher = Watcher(second)
    try:
        state = await second.adopt(definition.id)
        if state.power is Power.OFF:
            watcher.told.append(definition.id)
        assert (await ended(second, definition.id, watcher))[0] is reason
    finally:
        await second.close()


async def guest_is_gone(lab: Lab, definition: Definition) -> None:
    """A real guest says so on its console; the simulated one has ended when its answer came."""
    console = lab.root / "machines" / str(definition.id) / "console.log"
    await eventually(lambda: lab.name == "fake" or b"reboot:" in console.read_bytes())


async def test_a_balloon_takes_memory_from_the_guest_and_gives_it_back(
    lab: Lab, vmm: Vmm, definition: Definition
) -> None:
    if not isinstance(vmm, Balloon):
        pytest.skip(f"{lab.name} offers no balloon")
    assert Offer.BALLOON in vmm.offers
    with pytest.raises(VmmTrouble):
        await vmm.set_balloon(definition.id, BalloonTarget(64))
    await vmm.start(definition, launch=1)
    async with lab.guest(vmm, definition.id) as guest:
        before_kib = (await guest.metrics()).memory_available_kib if lab.name == "qemu" else 0
        for amount_mib in (96, 0):
            await vmm.set_balloon(definition.id, BalloonTarget(amount_mib, stats_s=1))
            await vmm.set_balloon(definition.id, BalloonTarget(amount_mib, stats_s=1))
            seen = await balloon_of(vmm, definition.id, lambda seen: seen.actual_mib == seen.target_mib and seen.stats)
            assert (seen.target_mib, seen.actual_mib) == (amount_mib, amount_mib)
            if lab.name == "qemu":  # the others' guests are simulated
                taken_kib = before_kib - (await guest.metrics()).memory_available_kib
                assert abs(taken_kib - amount_mib * 1024) < 40 * 1024
        await vmm.set_balloon(definition.id, BalloonTarget(0))
        assert (await vmm.balloon(definition.id)).stats is None, "it is not asked to tell"


async def test_a_balloon_is_there_from_the_start_and_known_to_the_next_agent(
    lab: Lab, vmm: Vmm, definition: Definition
) -> None:
    if not isinstance(vmm, Balloon):
        pytest.skip(f"{lab.name} offers no balloon")
    await vmm.start(replace(definition, balloon=BalloonTarget(48)), launch=1)
    await vmm.close()
    second = lab.make()
    try:
        await second.adopt(definition.id)
        assert isinstance(second, Balloon)
        async with lab.guest(second, definition.id):
            seen = await balloon_of(second, definition.id, lambda seen: seen.actual_mib == 48)
        assert seen.target_mib == 48
    finally:
        await second.close()


async def balloon_of(vmm: Balloon, machine: UUID, wanted: Callable[[BalloonSeen], object]) -> BalloonSeen:
    async with asyncio.timeout(PATIENCE_S):
        while not wanted(seen := await vmm.balloon(machine)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # the guest gives memory back in its own time and tells nobody
        return seen


async def test_discarding_a_running_machine_leaves_nothing(lab: Lab, vmm: Vmm, definition: Definition) -> None:
    await vmm.start(definition, launch=1)
    pid = (await vmm.observe(definition.id)).pid
    await vmm.discard(definition.id)
    assert pid is None or not Path(f"/proc/{pid}").exists()
    home = lab.root / "machines" / str(definition.id)
    assert {path.name for path in home.iterdir()} <= {"disks", "initramfs"}
    assert not (lab.root / "m" / str(definition.id)).exists()
    assert (await vmm.observe(definition.id)).launch == 0
