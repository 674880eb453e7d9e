"""A life from its beginning to its end, with one interruption, and what must be true afterwards."""

from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from tests.manager.compute.acting import machine_of, ok, until
from tests.manager.life.death import Point
from tests.manager.life.steps import STANDING_STILL, Interruption, Manager, Visit
from tests.manager.life.stories import PATIENCE_S, Story, ask, has_failed, is_at, item, reaches, reopen
from tests.manager.life.wires import Call, Reports
from tests.manager.life.world import World

T = TypeVar("T")

POWER_OF = {"running": "on", "paused": "paused", "stopped": "off", "suspended": "off"}
"""What the hypervisor makes of a VM in these states."""


async def steps_taken(world: World, story: Story) -> list[Visit]:
    """Which steps a story takes when nothing interrupts it."""
    return await _undisturbed(world, story, world.gate.expect, lambda: world.gate.visits)


async def points_passed(world: World, story: Story) -> list[Point]:
    """Which points of its work the agent passes when nothing interrupts the story."""
    return await _undisturbed(world, story, world.death.watch, lambda: world.death.points)


async def _undisturbed(
    world: World, story: Story, watch: Callable[[], None], watched: Callable[[], Sequence[T]]
) -> list[T]:
    vm_id = await story.given(world)
    machine_id = await machine_of(world.db, vm_id)
    watch()
    await story.act(world, vm_id)
    await story.comes_true(world, vm_id)
    await world.rest()  # a report may have told the end before the flow that it wakes has moved
    seen = list(watched())
    await holds(world, story, vm_id, machine_id)
    await end(world, vm_id)
    return seen


async def interrupted(world: World, story: Story, at: Visit, what: Interruption) -> bool:
    """Live the story with `what` at the step `at`, and delete the VM. Whether that step was taken at all."""
    vm_id = await story.given(world)
    machine_id = await machine_of(world.db, vm_id)
    world.gate.expect(at, what)
    await story.act(world, vm_id)
    if what is Call.REFUSED:
        await _is_refused(world, story, vm_id)
    else:
        await story.comes_true(world, vm_id)
        await holds(world, story, vm_id, machine_id, may_fail=what is Manager.OVERDUE)
    await world.wire.release(Call.LATE)
    if what is Manager.LEASE_LOST:
        await world.unpark()
    if what is not Call.REFUSED:
        await story.comes_true(world, vm_id)
    await end(world, vm_id)
    assert what not in STANDING_STILL or world.fenced or not world.gate.has_happened, "the fence was not needed"
    world.fenced = 0
    return world.gate.has_happened


async def killed(world: World, story: Story, at: Point) -> bool:
    """Live the story while the agent dies at `at`; whether it came there."""
    vm_id = await story.given(world)
    machine_id = await machine_of(world.db, vm_id)
    world.death.watch(at)
    await story.act(world, vm_id)
    await story.comes_true(world, vm_id)
    await holds(world, story, vm_id, machine_id)
    has_died = world.death.at is None
    await end(world, vm_id)
    return has_died


async def reported(world: World, story: Story, how: Reports) -> None:
    """Live the story while the agent's reports do not arrive as they should."""
    vm_id = await story.given(world)
    machine_id = await machine_of(world.db, vm_id)
    world.reports.mode = how
    try:
        await story.act(world, vm_id)
        await story.comes_true(world, vm_id)
        await holds(world, story, vm_id, machine_id)
        await world.reports.replay()
        assert await story.is_true(world, vm_id), f"old news were believed: {await world.account(vm_id)}"
        await end(world, vm_id)
    finally:
        world.reports.mode = None


async def _is_refused(world: World, story: Story, vm_id: UUID) -> None:
    """An honest failure, from which the VM can be started again, or after which it is what it was; a removal is tried
    again instead."""
    if story.state is None:
        await reaches(world, vm_id, None)
        return
    if not await _happens(world, story, vm_id):
        return
    vm = await item(world, vm_id)
    assert vm is not None
    state, as_it_was = str(vm["state"]), story.or_else if await has_failed(world, vm_id) else None
    assert state in ("error", story.state, as_it_was), state
    if state in POWER_OF:
        real = await world.runs(await machine_of(world.db, vm_id))
        assert real.power == POWER_OF[state], f"{state}, and the hypervisor has it {real.power}"
    assert vm["operation_id"] is None, "an operation still runs although its flow is over"
    if vm["state"] == "error":
        assert vm["fault"], "a failure without a reason"
        refusals = {action["verb"]: action["refusal"] for action in vm["actions"]}
        assert [refusals[verb] for verb in ("start", "stop", "reboot", "delete")] == [None] * 4
        await reopen(world)
        await ask(world, vm_id, "start")
        await reaches(world, vm_id, "running")


async def _happens(world: World, story: Story, vm_id: UUID) -> bool:
    """Go on until the interruption has come and is over; False: the story came true without it."""

    async def is_over() -> bool:
        await world.rest()
        return world.gate.has_happened or await story.is_true(world, vm_id)

    await until(is_over, within_s=PATIENCE_S)
    return world.gate.has_happened


async def holds(world: World, story: Story, vm_id: UUID, machine_id: UUID, *, may_fail: bool = False) -> None:
    """What the story promises is so, on paper and in the hypervisor."""
    statuses = await _statuses(world, vm_id)
    allowed = {"done", "failed", "superseded"} if may_fail else {"done", "superseded"}
    if story.name.endswith("-failed"):
        assert statuses.pop(0) == "failed", "the boot that was made to fail"
    assert set(statuses) <= allowed, statuses
    if not may_fail:
        assert statuses[-1:] in ([], ["done"]), statuses
    real = await world.runs(machine_id)
    assert not await world.db.fetchval("select count(*) from snapshots where state = 'creating'"), "still being taken"
    state = story.state
    if may_fail and story.or_else is not None and await is_at(world, vm_id, story.or_else):
        state = story.or_else
    if state in POWER_OF:
        assert real.power == POWER_OF[state], f"{state}, and the hypervisor has it {real.power}"
        [seen] = [seen for seen in world.agent.machines.list() if seen.id == machine_id]
        assert seen.boot == story.boots, f"{seen.boot} boots instead of {story.boots}"
        assert real.launch in (0, story.boots), f"{real.launch} launches for {story.boots} boots"
    else:
        assert real.launch == 0, "the hypervisor still has it"


async def _statuses(world: World, vm_id: UUID) -> list[str]:
    rows = await world.db.fetch("select status from operations where subject_id = $1 order by generation, id", vm_id)
    return [row["status"] for row in rows]


_TO_DELETE = """
select s.id from snapshots s where s.goal = 'kept' and s.state <> 'creating'
    and not exists (select from snapshots d where d.parent_id = s.id and d.state = 'creating')
order by s.created_at desc
"""
"""Diffs before what they are over."""


async def end(world: World, vm_id: UUID) -> None:
    """Delete what is there; nothing may be left, nor come back. An interruption whose step was not taken is off."""
    world.gate.at = world.death.at = None
    await reopen(world)
    if await item(world, vm_id) is not None:
        await ask(world, vm_id, "delete")
    await reaches(world, vm_id, None)
    for row in await world.db.fetch("select id from vms"):
        await ask(world, row["id"], "delete")
        await reaches(world, row["id"], None)
    await world.wire.release(Call.LATE)
    await world.wire.release(Call.SLOW)
    await world.wire.release(Call.POSTHUMOUS)
    await world.unpark()

    async def is_clean() -> bool:
        await world.rest()
        await world.sweeps["snapshots"].run()
        for row in await world.db.fetch(_TO_DELETE):
            ok(await world.client.delete(f"/v1/snapshots/{row['id']}"))
        await world.rest()
        return not await world.leftovers()

    try:
        await until(is_clean, within_s=PATIENCE_S)
    except TimeoutError:
        raise AssertionError(f"left behind: {await world.leftovers()}") from None
    assert not world.lies, world.lies
