"""Snapshots that are broken off, fail or are interrupted: the machine goes on, and nothing half-made is left."""

import asyncio
import errno
from pathlib import Path
from uuid import UUID

import pytest
from tests.agent.lab import PATIENCE_S, AgentClient, ImageSet, agent_here, is_ready
from tests.agent.snapshots.lab import another, ask, booted, overlay_of, read, settled, taken, write

from nexus.agent.settings import AgentSettings
from nexus.agent.vmm.fake import FakeVmm
from nexus.agent.vmm.port import VmmTrouble
from nexus.kit.ids import new_id
from nexus.protocol.machines import Power, RestoreSpec
from nexus.protocol.snapshots import SnapshotSeen, SnapshotState


async def test_one_that_fails_leaves_the_machine_running_and_nothing_on_disk(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings, vmm: FakeVmm, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = await booted(agent, fake_images)

    async def fail(_vmm: FakeVmm, machine: UUID, into: Path) -> tuple[str, ...]:
        assert (await vmm.observe(machine)).power is Power.PAUSED
        (into / "memory").write_text("half")
        raise VmmTrouble("it would not")

    monkeypatch.setattr(FakeVmm, "save", fail)
    snapshot = new_id()
    await ask(agent, spec.id, snapshot)
    seen = await settled(agent, snapshot)
    assert (seen.state, seen.fault) == (SnapshotState.FAILED, "it would not")
    assert list((settings.run_dir / "snapshots").iterdir()) == []
    assert is_ready(await agent.until(spec.id, is_ready))
    assert (await vmm.observe(spec.id)).power is Power.ON
    again = SnapshotSeen.model_validate_json((await ask(agent, spec.id, snapshot)).content)
    assert again.state is SnapshotState.FAILED, "it is not tried again by itself"
    monkeypatch.undo()
    assert (await agent.http.delete(f"/v1/snapshots/{snapshot}")).status_code == 200
    assert (await taken(agent, spec.id)).has_memory


class Stuck:
    """Saving that does not come to its end by itself."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = asyncio.Event()
        monkeypatch.setattr(FakeVmm, "save", self._save)

    async def _save(self, _machine: UUID, _into: Path) -> tuple[str, ...]:
        self.begun.set()
        await asyncio.Event().wait()
        return ()


async def test_a_machine_that_is_being_taken_is_told_of_as_it_was_and_one_withdrawn_leaves_nothing(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings, vmm: FakeVmm, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = await booted(agent, fake_images)
    stuck, snapshot, waiting = Stuck(monkeypatch), new_id(), new_id()
    await ask(agent, spec.id, snapshot)
    await ask(agent, spec.id, waiting)
    async with asyncio.timeout(PATIENCE_S):
        await stuck.begun.wait()
    assert (await vmm.observe(spec.id)).power is Power.PAUSED
    during = await agent.seen(spec.id)
    assert (during.power, during.stage) == (Power.ON, "taking a snapshot")
    await agent.define(spec.model_copy(update={"generation": 2}))
    await agent.power(spec.id, Power.ON, boot=1, generation=2, grace_s=5)
    for each in (waiting, snapshot):
        assert (await agent.http.delete(f"/v1/snapshots/{each}")).status_code == 200
    await agent.until(spec.id, is_ready)
    assert (await vmm.observe(spec.id)).power is Power.ON
    assert (await agent.http.get("/v1/snapshots")).json() == {"items": []}
    assert [path.name for path in (settings.run_dir / "snapshots").iterdir()] == [".gone"]


async def test_a_change_of_the_machine_meanwhile_is_no_reason_to_break_it_off(
    agent: AgentClient, fake_images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = await booted(agent, fake_images)
    begun, changed, save = asyncio.Event(), asyncio.Event(), FakeVmm.save

    async def save_later(vmm: FakeVmm, machine: UUID, into: Path) -> tuple[str, ...]:
        begun.set()
        await changed.wait()
        await asyncio.sleep(0.2)  # whoever would break it off has the time to
        return await save(vmm, machine, into)

    monkeypatch.setattr(FakeVmm, "save", save_later)
    snapshot = new_id()
    await ask(agent, spec.id, snapshot)
    async with asyncio.timeout(PATIENCE_S):
        await begun.wait()
    await agent.define(spec.model_copy(update={"generation": 2}))
    await agent.power(spec.id, Power.ON, boot=1, generation=2, grace_s=5)
    changed.set()
    seen = await settled(agent, snapshot)
    assert (seen.state, seen.fault) == (SnapshotState.READY, None)


async def test_deleting_the_machine_breaks_its_snapshot_off(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = await booted(agent, fake_images)
    stuck, snapshot = Stuck(monkeypatch), new_id()
    await ask(agent, spec.id, snapshot)
    async with asyncio.timeout(PATIENCE_S):
        await stuck.begun.wait()
    assert (await agent.discard(spec.id)).power is Power.ABSENT
    assert (await settled(agent, snapshot)).state is SnapshotState.FAILED
    assert list((settings.run_dir / "snapshots").iterdir()) == []


async def test_an_agent_that_ends_in_the_middle_leaves_the_machine_running(
    settings: AgentSettings, fake_images: ImageSet, vmm: FakeVmm, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = new_id()
    async with agent_here(settings) as (agent, _):
        spec = await booted(agent, fake_images)
        stuck = Stuck(monkeypatch)
        await ask(agent, spec.id, snapshot)
        async with asyncio.timeout(PATIENCE_S):
            await stuck.begun.wait()
    assert (await vmm.observe(spec.id)).power is Power.ON
    monkeypatch.undo()
    (settings.run_dir / "snapshots" / str(snapshot) / "disks").mkdir(parents=True)
    await vmm.pause(spec.id)  # as one that was killed leaves both
    async with agent_here(settings) as (agent, _):
        await agent.until(spec.id, lambda seen: seen.power is Power.ON and is_ready(seen))
        assert (await agent.http.get(f"/v1/snapshots/{snapshot}")).status_code == 404
        assert not (settings.run_dir / "snapshots" / str(snapshot)).exists()
        await ask(agent, spec.id, snapshot)
        assert (await settled(agent, snapshot)).state is SnapshotState.READY


async def test_a_full_disk_stops_neither_the_machine_nor_later_snapshots(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = await booted(agent, fake_images)
    monkeypatch.setattr("nexus.agent.storage.room.ROOM_BYTES", 1 << 60)
    snapshot = new_id()
    await ask(agent, spec.id, snapshot)
    seen = await settled(agent, snapshot)
    assert seen.fault is not None
    assert "MiB left" in seen.fault
    assert list((settings.run_dir / "snapshots").iterdir()) == []
    monkeypatch.undo()
    assert (await taken(agent, spec.id)).has_memory


async def test_an_agent_that_ends_while_a_machine_begins_from_one_begins_it_again(
    settings: AgentSettings, fake_images: ImageSet, vmm: FakeVmm, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with agent_here(settings) as (agent, _):
        spec = await booted(agent, fake_images)
        write(overlay_of(settings, spec), "then")
        seen = await taken(agent, spec.id)
        is_begun = asyncio.Event()

        async def never(_vmm: FakeVmm, *_args: object, **_kwargs: object) -> None:
            is_begun.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(FakeVmm, "restore", never)
        clone = another(spec, seen.id)
        await agent.define(clone)
        await agent.power(clone.id, Power.ON, boot=1)
        async with asyncio.timeout(PATIENCE_S):
            await is_begun.wait()
        write(overlay_of(settings, clone), "dust")
    monkeypatch.undo()
    async with agent_here(settings) as (agent, _):
        await agent.until(clone.id, lambda seen: seen.boot == 1 and is_ready(seen))
        assert read(overlay_of(settings, clone), 4) == "then"
        assert vmm.memory(clone.id) == (vmm.memory(spec.id)[0], True)


async def test_disks_that_cannot_be_copied_leave_those_that_are_there_and_are_tried_again(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = await booted(agent, fake_images)
    write(overlay_of(settings, spec), "then")
    seen = await taken(agent, spec.id)
    write(overlay_of(settings, spec), "kept")

    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("nexus.agent.snapshots.lineage.clone", fail)
    restore = RestoreSpec(snapshot=seen.id, boot=2)
    await agent.define(spec.model_copy(update={"generation": 2, "restore": restore}))
    await agent.power(spec.id, Power.ON, boot=2, generation=2, grace_s=0)
    faulty = await agent.until(spec.id, lambda seen: seen.fault is not None)
    assert faulty.fault is not None
    assert "No space left" in faulty.fault
    assert read(overlay_of(settings, spec), 4) == "kept"
    monkeypatch.undo()
    await agent.until(spec.id, lambda seen: seen.boot == 2 and seen.fault is None and is_ready(seen))
    assert read(overlay_of(settings, spec), 4) == "then"
