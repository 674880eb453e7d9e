"""What was deleted is not taken again by a wish that arrives late."""

import errno
import os
import time
from uuid import UUID

import pytest
from tests.agent.lab import AgentClient, ImageSet, agent_here
from tests.agent.snapshots.lab import another, ask, booted, settled, taken

from nexus.agent.settings import AgentSettings
from nexus.agent.snapshots.tombstones import KEPT_S, Tombstones
from nexus.kit.ids import new_id
from nexus.protocol.snapshots import SnapshotState


async def delete(agent: AgentClient, snapshot: UUID) -> int:
    return (await agent.http.delete(f"/v1/snapshots/{snapshot}")).status_code


async def is_refused(agent: AgentClient, machine: UUID, snapshot: UUID) -> bool:
    """Whether a late wish for it is answered with the reason, and nothing is taken."""
    answer = await ask(agent, machine, snapshot)
    assert (await agent.http.get(f"/v1/snapshots/{snapshot}")).status_code == answer.status_code
    return answer.status_code == 404 and "was deleted on this host" in answer.text


async def test_a_late_wish_takes_nothing_again_that_was_deleted_whether_or_not_it_had_been_there(
    settings: AgentSettings, fake_images: ImageSet
) -> None:
    never_there = new_id()
    async with agent_here(settings) as (agent, _):
        spec = await booted(agent, fake_images)
        seen = await taken(agent, spec.id)
        for snapshot in (seen.id, never_there):
            assert await delete(agent, snapshot) == 200
            assert await is_refused(agent, spec.id, snapshot)
        assert (await taken(agent, spec.id)).has_memory, "another is another"
    async with agent_here(settings) as (agent, _):
        assert await is_refused(agent, spec.id, seen.id), "an agent that was started again knows it too"
        assert await is_refused(agent, spec.id, never_there)
        assert await delete(agent, seen.id) == 200
    names = {path.name for path in (settings.run_dir / "snapshots/.gone").iterdir()}
    assert names == {str(seen.id), str(never_there)}


async def test_it_is_forgotten_after_a_day(settings: AgentSettings, fake_images: ImageSet) -> None:
    old, new, gone = new_id(), new_id(), settings.run_dir / "snapshots/.gone"
    async with agent_here(settings) as (agent, _):
        spec = await booted(agent, fake_images)
        assert await delete(agent, old) == 200
        (gone / "lost+found").mkdir()
        os.utime(gone / str(old), times=(0, time.time() - KEPT_S - 60))
    async with agent_here(settings) as (agent, _):
        assert await delete(agent, new) == 200
        assert {path.name for path in gone.iterdir()} == {str(new), "lost+found"}
        await ask(agent, spec.id, old)
        assert (await settled(agent, old)).state is SnapshotState.READY
        assert await is_refused(agent, spec.id, new)


async def test_one_that_is_needed_and_stays_is_not_taken_for_deleted(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings
) -> None:
    spec = await booted(agent, fake_images)
    seen = await taken(agent, spec.id)
    await agent.define(another(spec, seen.id))
    assert await delete(agent, seen.id) == 409
    assert not (settings.run_dir / "snapshots/.gone").exists()
    assert (await ask(agent, spec.id, seen.id)).status_code == 200


async def test_a_full_disk_does_not_keep_one_from_being_deleted(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = await booted(agent, fake_images)
    seen = await taken(agent, spec.id)
    directory, add = settings.run_dir / "snapshots", Tombstones.add

    async def fail_while_full(stones: Tombstones, snapshot: UUID) -> None:
        if (directory / str(snapshot)).exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        await add(stones, snapshot)

    monkeypatch.setattr(Tombstones, "add", fail_while_full)
    assert await delete(agent, seen.id) == 200
    assert await is_refused(agent, spec.id, seen.id)
    assert [str(path.relative_to(directory)) for path in directory.rglob("*")] == [".gone", f".gone/{seen.id}"]
