"""What befalls a VM without anybody asking is told as it was: in a sentence, by an event, and on record. Afterwards it
can be started, whatever it was."""

import pytest
from tests.manager.life.lives import end
from tests.manager.life.stories import STORIES, Story, ask, item, reaches
from tests.manager.life.world import World

TOLD = {
    "guest-reboots": ("The guest restarted itself.", None),
    "guest-powers-off": ("The guest powered itself off.", None),
    "guest-panics": ("The guest's kernel panicked.", "The guest's kernel panicked."),
    "vmm-killed": ("The VMM was killed by signal 9.", "The VMM was killed by signal 9."),
    "host-restarts": ("The host restarted.", None),
    "host-restarts-while-paused": ("The host restarted.", None),
    "host-restarts-always": ("The host restarted.", None),
}
TOLD_UNSEEN = {f"{name}-unseen": told for name, told in TOLD.items() if not name.startswith("host")}
CASES = [(story, *told) for story in STORIES if (told := (TOLD | TOLD_UNSEEN).get(story.name))]
UNTOLD = [story for story in STORIES if story.name in ("agent-restarts", "host-restarts-while-stopped")]


@pytest.mark.parametrize(("story", "why", "fault"), CASES, ids=[case[0].name for case in CASES])
async def test_what_befalls_a_vm_is_told(world: World, story: Story, why: str, fault: str | None) -> None:
    vm_id = await story.given(world)
    await story.act(world, vm_id)
    await story.comes_true(world, vm_id)
    vm = await item(world, vm_id)
    assert vm is not None
    assert (vm["why"], vm["fault"]) == (why, fault)
    [event] = await world.db.fetch("select data from events where subject_id = $1 and type = 'vm.ended'", vm_id)
    [row] = await world.db.fetch("select actor_name, details from audit where subject_id = $1 and verb = 'end'", vm_id)
    assert row["actor_name"] == "host host-1"
    assert event["data"] == row["details"]
    assert (row["details"]["why"], row["details"]["boots_again"]) == (why, story.state == "running")
    if story.state == "stopped":
        await ask(world, vm_id, "start")
        await reaches(world, vm_id, "running", boots=2)
        vm = await item(world, vm_id)
        assert vm is not None
        assert (vm["why"], vm["fault"]) == (None, None)
    await end(world, vm_id)


@pytest.mark.parametrize("story", UNTOLD, ids=[story.name for story in UNTOLD])
async def test_where_nothing_befell_it_nothing_is_told(world: World, story: Story) -> None:
    vm_id = await story.given(world)
    await story.act(world, vm_id)
    await story.comes_true(world, vm_id)
    assert not await world.db.fetchval("select count(*) from audit where subject_id = $1 and verb = 'end'", vm_id)
    await end(world, vm_id)


async def test_the_restart_policy_is_shown_and_can_be_changed(world: World) -> None:
    [story] = [story for story in STORIES if story.name == "host-restarts"]
    vm_id = await story.given(world)
    vm = await item(world, vm_id)
    assert vm is not None
    assert vm["restart_policy"] == "never"
    assert (await world.client.patch(f"/v1/vms/{vm_id}", json={"restart_policy": "always"})).is_success
    await world.restart_host()
    await reaches(world, vm_id, "running", boots=2)
    vm = await item(world, vm_id)
    assert vm is not None
    assert vm["restart_policy"] == "always"
    await end(world, vm_id)
