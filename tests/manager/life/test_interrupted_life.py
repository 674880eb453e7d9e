"""Whatever interrupts whichever step of whichever flow: the VM ends as promised or in an honest failure, and once
deleted nothing is left of it anywhere.

Steps are found in the flows' classes and by living each story undisturbed, so a new step or flow is interrupted without
a line here; one that no story takes fails `test_every_step_of_every_flow_is_taken_by_some_story`.

All of it takes some minutes, so an ordinary run lives every fifth pair of story and interruption, always the same ones;
NEXUS_TEST_ALL_LIVES=1 lives them all.
"""

import os
from collections.abc import Sequence
from enum import StrEnum
from itertools import product
from zlib import crc32

import pytest
from tests.manager.life.lives import interrupted, killed, points_passed, reported, steps_taken
from tests.manager.life.steps import IN_TX, ON_AGENT, Interruption, Visit, steps_of
from tests.manager.life.stories import STORIES, Story
from tests.manager.life.wires import Reports
from tests.manager.life.world import World

EVERY = 1 if os.environ.get("NEXUS_TEST_ALL_LIVES") else 5
_taken: dict[str, list[Visit]] = {}


def lives(argument: str, kinds: Sequence[StrEnum]) -> pytest.MarkDecorator:
    """Stories with what befalls them, as far as this run lives them."""
    pairs = [
        pytest.param(story, kind, id=f"{story.name}-{kind}")
        for story, kind in product(STORIES, kinds)
        if crc32(f"{story.name} {kind}".encode()) % EVERY == 0
    ]
    return pytest.mark.parametrize(("story", argument), pairs)


class Half(StrEnum):
    """Of the points at which an agent may die."""

    BEFORE = "before"
    AFTER = "after"


async def taken(world: World, story: Story) -> list[Visit]:
    if story.name not in _taken:
        _taken[story.name] = await steps_taken(world, story)
    return _taken[story.name]


@lives("what", ON_AGENT)
async def test_a_life_interrupted_at_any_step_ends_well(world: World, story: Story, what: Interruption) -> None:
    sides = {flow.name: steps_of(flow) for flow in world.flows}
    for visit in await taken(world, story):
        flow, step, _ = visit
        if what not in (IN_TX if sides[flow][step] == "tx" else ON_AGENT):
            continue
        try:
            await interrupted(world, story, visit, what)
        except (AssertionError, TimeoutError) as wrong:
            raise AssertionError(f"{what} at {visit}: {wrong or type(wrong).__name__}") from wrong


async def test_every_step_of_every_flow_is_taken_by_some_story(world: World) -> None:
    everything = {(flow.name, step) for flow in world.flows for step in steps_of(flow)}
    assert everything
    assert everything == {visit[:2] for story in STORIES for visit in await taken(world, story)}


@lives("half", tuple(Half))
async def test_an_agent_killed_at_any_point_of_its_work_leaves_it_to_the_next(
    world: World, story: Story, half: Half
) -> None:
    for point in await points_passed(world, story):
        if not point[0].startswith(half):
            continue
        try:
            await killed(world, story, point)
        except (AssertionError, TimeoutError) as wrong:
            raise AssertionError(f"killed {point}: {wrong or type(wrong).__name__}") from wrong


@lives("how", tuple(Reports))
async def test_reports_may_come_twice_late_or_never(world: World, story: Story, how: Reports) -> None:
    await reported(world, story, how)
