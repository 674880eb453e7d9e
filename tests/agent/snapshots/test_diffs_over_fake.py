"""Diffs over the hypervisor that runs nothing: what they hold, what begins from them, and what they need."""

import asyncio
import errno
import threading
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import pytest
from tests.agent.lab import PATIENCE_S, AgentClient, ImageSet, agent_here, is_off, is_ready, machine_spec
from tests.agent.snapshots.lab import another, ask, booted, over, overlay_of, read, settled, taken, write

from nexus.agent.settings import AgentSettings
from nexus.agent.snapshots.store import SnapshotStore
from nexus.agent.vmm.fake import FakeVmm
from nexus.kit.ids import new_id
from nexus.protocol.machines import DiskFormat, DiskRole, DiskSpec, ExitReason, MachineSpec, Power, RestoreSpec
from nexus.protocol.snapshots import SnapshotSeen, SnapshotState, SnapshotType, SnapshotWish


def _files(seen: SnapshotSeen) -> list[str]:
    assert seen.path is not None
    root = Path(seen.path)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def _composed(settings: AgentSettings) -> list[Path]:
    return list((settings.run_dir / "snapshots").glob(".composed*"))


async def _discard(agent: AgentClient, snapshot: UUID) -> tuple[int, str]:
    answer = await agent.http.delete(f"/v1/snapshots/{snapshot}")
    return answer.status_code, answer.text


async def _boots_again(agent: AgentClient, spec: MachineSpec, boot: int) -> None:
    await agent.power(spec.id, Power.ON, boot=boot, grace_s=0)
    await agent.until(spec.id, lambda seen: seen.boot == boot and is_ready(seen))


async def test_machines_begin_from_every_link_of_a_chain_as_they_were_then(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings, vmm: FakeVmm
) -> None:
    spec = await booted(agent, fake_images)
    write(overlay_of(settings, spec), "whole" + 1_000_000 * "x")
    full = await taken(agent, spec.id)
    links = [(full, vmm.memory(spec.id)[0], "whole")]
    for number, text in enumerate(("first", "later")):
        await _boots_again(agent, spec, 2 + number)  # with other memory
        write(overlay_of(settings, spec), text)
        seen = await taken(agent, spec.id, over(links[-1][0].id))
        assert (seen.type, seen.parent, seen.has_memory) == (SnapshotType.DIFF, links[-1][0].id, True)
        assert seen.size_bytes < full.size_bytes / 10, "it holds what differs"
        assert 0 < seen.memory_bytes < seen.size_bytes
        assert seen.disks == full.disks
        links.append((seen, vmm.memory(spec.id)[0], text))
    assert _files(links[1][0]) == ["disks/overlay.raw.layer", "manifest.json", "memory.layer"]
    for seen, memory, text in links:
        clone = another(spec, seen.id)
        await agent.boot(clone)
        assert (vmm.memory(clone.id), read(overlay_of(settings, clone), 5)) == ((memory, True), text)
        assert (await agent.discard(clone.id)).power is Power.ABSENT
    assert _composed(settings) == []
    restore = RestoreSpec(snapshot=links[1][0].id, boot=4)
    await agent.define(spec.model_copy(update={"generation": 2, "restore": restore}))
    await agent.power(spec.id, Power.ON, boot=4, generation=2, grace_s=0)
    await agent.until(spec.id, lambda seen: seen.boot == 4 and is_ready(seen))
    assert (vmm.memory(spec.id)[0], read(overlay_of(settings, spec), 5)) == (links[1][1], "first")


async def test_what_a_diff_is_over_stays_until_the_diff_is_gone(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = await booted(agent, fake_images)
    full = await taken(agent, spec.id)
    middle = await taken(agent, spec.id, over(full.id))
    top = await taken(agent, spec.id, over(middle.id))
    for needed, by in ((full, middle), (middle, top)):
        status, said = await _discard(agent, needed.id)
        assert (status, f"the snapshot {by.id} is a diff over it" in said) == (409, True)
    for each in (top, middle):
        assert (await _discard(agent, each.id))[0] == 200
    save, begun, may_end = FakeVmm.save, asyncio.Event(), asyncio.Event()

    async def save_later(vmm: FakeVmm, machine: UUID, into: Path) -> tuple[str, ...]:
        begun.set()
        await may_end.wait()
        return await save(vmm, machine, into)

    monkeypatch.setattr(FakeVmm, "save", save_later)
    snapshot = new_id()
    await ask(agent, spec.id, snapshot, over(full.id))
    async with asyncio.timeout(PATIENCE_S):
        await begun.wait()
    assert (await _discard(agent, full.id))[0] == 409, "one is being taken over it"
    may_end.set()
    assert (await settled(agent, snapshot)).state is SnapshotState.READY
    assert (await _discard(agent, snapshot))[0] == 200
    assert (await _discard(agent, full.id))[0] == 200
    assert [path.name for path in (settings.run_dir / "snapshots").iterdir()] == [".gone"]


async def test_what_the_parent_has_not_is_held_whole(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings, vmm: FakeVmm
) -> None:
    first = DiskSpec(id=new_id(), drive_id="first", role=DiskRole.DATA, format=DiskFormat.RAW, size_bytes=1 << 20)
    spec = machine_spec(fake_images)
    await agent.boot(spec)
    await agent.power(spec.id, Power.OFF, boot=1, grace_s=0)
    await agent.until(spec.id, is_off)
    write(overlay_of(settings, spec), "off")
    full = await taken(agent, spec.id)
    assert not full.has_memory
    more = spec.model_copy(update={"generation": 2, "disks": (*spec.disks, first)})
    await agent.define(more)
    await agent.power(spec.id, Power.ON, boot=2, generation=2)
    await agent.until(spec.id, lambda seen: seen.boot == 2 and is_ready(seen))
    on = await taken(agent, spec.id, over(full.id))
    assert _files(on) == ["disks/first.raw", "disks/overlay.raw.layer", "manifest.json", "memory"]
    clone = another(more, on.id, generation=1)
    await agent.boot(clone)
    assert (vmm.memory(clone.id)[0], read(overlay_of(settings, clone), 3)) == (vmm.memory(spec.id)[0], "off")
    await agent.power(spec.id, Power.OFF, boot=2, generation=2, grace_s=0)
    await agent.until(spec.id, is_off)
    grown = (*spec.disks, first.model_copy(update={"size_bytes": 3 << 20}))
    await agent.define(more.model_copy(update={"generation": 3, "disks": grown}))
    await agent.power(spec.id, Power.ON, boot=3, generation=3)
    await agent.until(spec.id, lambda seen: seen.boot == 3 and is_ready(seen))
    larger = await taken(agent, spec.id, over(on.id))
    assert [disk.size_bytes for disk in larger.disks] == [1024, 1 << 30, 3 << 20]
    again = another(more, larger.id, generation=1)
    await agent.boot(again)
    disk = settings.run_dir / "machines" / str(again.id) / "disks" / f"{again.disks[2].id}.img"
    assert disk.stat().st_size == 3 << 20


@pytest.mark.parametrize("harm", ["changed", "missing", "another"])
async def test_a_diff_whose_parent_is_not_what_it_was_is_of_no_use(
    settings: AgentSettings, fake_images: ImageSet, harm: str
) -> None:
    async with agent_here(settings) as (agent, _):
        spec = await booted(agent, fake_images)
        full = await taken(agent, spec.id)
        diff = await taken(agent, spec.id, over(full.id))
        assert full.path is not None
        root = Path(full.path)
    if harm == "changed":
        (root / "disks/overlay.raw").chmod(0o600)
        write(root / "disks/overlay.raw", "evil")
    elif harm == "missing":
        root.rename(settings.run_dir / "elsewhere")
    else:
        manifest = (root / "manifest.json").read_text()
        (root / "manifest.json").chmod(0o600)
        (root / "manifest.json").write_text(manifest.replace('"warning":null', '"warning":""'))
        assert (root / "manifest.json").read_text() != manifest
    async with agent_here(settings) as (agent, _):
        clone = another(spec, diff.id)
        await agent.define(clone)
        await agent.power(clone.id, Power.ON, boot=1)
        ended = await agent.until(clone.id, lambda seen: seen.exit is not None and is_off(seen))
        assert ended.exit is not None
        assert ended.exit.reason is ExitReason.VMM_FAILED
        assert "The snapshot cannot be used" in ended.exit.why
        refused = await ask(agent, spec.id, (later := new_id()), over(diff.id))
        said = refused.text if refused.status_code == 409 else (await settled(agent, later)).fault
        assert said is not None
        assert "The snapshot cannot be used" in said
        assert (await taken(agent, spec.id)).has_memory, "a full one can be taken"


async def test_a_diff_is_refused_over_nothing_over_anothers_and_over_too_many(
    agent: AgentClient, fake_images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = await booted(agent, fake_images)
    full = await taken(agent, spec.id)
    other = machine_spec(fake_images, number=3)
    await agent.boot(other)
    monkeypatch.setattr("nexus.agent.snapshots.registry.MOST_DIFFS", 1)
    top = await taken(agent, spec.id, over(full.id))
    for machine, wish, word in (
        (spec, SnapshotWish(type=SnapshotType.DIFF), "a diff needs a parent"),
        (spec, over(new_id()), "has no snapshot"),
        (other, over(full.id), "has no snapshot"),
        (spec, over(top.id), "take a full one"),
    ):
        refused = await ask(agent, machine.id, new_id(), wish)
        assert (refused.status_code, word in refused.text) == (409, True), refused.text


async def test_a_disk_that_fills_up_while_layers_are_made_fails_the_diff_alone(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings, vmm: FakeVmm, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = await booted(agent, fake_images)
    write(overlay_of(settings, spec), "then")
    full = await taken(agent, spec.id)

    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("nexus.agent.snapshots.lineage.write_layer", fail)
    snapshot = new_id()
    await ask(agent, spec.id, snapshot, over(full.id))
    seen = await settled(agent, snapshot)
    assert (seen.state, seen.type, seen.parent) == (SnapshotState.FAILED, SnapshotType.DIFF, full.id)
    assert seen.fault is not None
    assert "No space left" in seen.fault
    assert [path.name for path in (settings.run_dir / "snapshots").iterdir()] == [str(full.id)]
    assert (await vmm.observe(spec.id)).power is Power.ON
    monkeypatch.undo()
    diff = await taken(agent, spec.id, over(full.id))
    monkeypatch.setattr("nexus.agent.storage.room.ROOM_BYTES", 1 << 60)
    write(overlay_of(settings, spec), "kept")
    await agent.define(spec.model_copy(update={"generation": 2, "restore": RestoreSpec(snapshot=diff.id, boot=2)}))
    await agent.power(spec.id, Power.ON, boot=2, generation=2, grace_s=0)
    waiting = await agent.until(spec.id, lambda seen: seen.fault is not None)
    assert waiting.fault is not None
    assert "MiB left" in waiting.fault
    assert (_composed(settings), read(overlay_of(settings, spec), 4)) == ([], "kept")
    monkeypatch.undo()
    await agent.until(spec.id, lambda seen: seen.fault is None and is_ready(seen))
    assert read(overlay_of(settings, spec), 4) == "then"


async def test_an_agent_that_ends_while_layers_are_made_or_memory_is_composed_leaves_nothing(
    settings: AgentSettings, fake_images: ImageSet, vmm: FakeVmm, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, pause, snapshot = asyncio.Event(), threading.Event(), new_id()
    async with agent_here(settings) as (agent, _):
        spec = await booted(agent, fake_images)
        full = await taken(agent, spec.id)
        loop = asyncio.get_running_loop()

        def never(*_args: object, step: object, **_kwargs: object) -> None:
            loop.call_soon_threadsafe(begun.set)
            while callable(step):
                step(0)
                pause.wait(0.01)

        monkeypatch.setattr("nexus.agent.snapshots.lineage.differences", never)
        await ask(agent, spec.id, snapshot, over(full.id))
        async with asyncio.timeout(PATIENCE_S):
            await begun.wait()
        assert (await vmm.observe(spec.id)).power is Power.ON, "the guest does not wait for layers"
    monkeypatch.undo()
    assert [path.name for path in (settings.run_dir / "snapshots").iterdir()] == [str(full.id)]
    left = settings.run_dir / "snapshots" / ".composed-of-an-agent-that-was-killed"
    left.mkdir(parents=True)
    (settings.run_dir / "snapshots" / str(snapshot) / "disks").mkdir(parents=True)
    (settings.run_dir / "snapshots" / str(snapshot) / "memory.layer").write_text("half")
    async with agent_here(settings) as (agent, _):
        assert [path.name for path in (settings.run_dir / "snapshots").iterdir()] == [str(full.id)]
        await ask(agent, spec.id, snapshot, over(full.id))
        assert (await settled(agent, snapshot)).state is SnapshotState.READY


async def test_many_that_begin_from_a_diff_at_once_share_what_is_composed_and_the_last_removes_it(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings
) -> None:
    spec = await booted(agent, fake_images)
    diff = await taken(agent, spec.id, over((await taken(agent, spec.id)).id))
    store = SnapshotStore(settings.run_dir / "snapshots")
    store.open()
    snapshot = await store.verified(diff.id, say=lambda _stage: None)
    async with AsyncExitStack() as users:
        made = await asyncio.gather(*(users.enter_async_context(store.whole(snapshot)) for _ in range(3)))
        assert len(set(made)) == 1
        assert [path.name for path in made[0].iterdir()] == ["memory"]
        async with store.whole(snapshot) as one_more:
            assert one_more == made[0]
        assert made[0].exists()
    assert _composed(settings) == []
