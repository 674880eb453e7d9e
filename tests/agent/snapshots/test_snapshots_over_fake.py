"""Snapshots over the hypervisor that runs nothing: what is kept, what begins from it, what is refused."""

from pathlib import Path

import pytest
from tests.agent.lab import AgentClient, ImageSet, agent_here, is_off, is_ready, machine_spec
from tests.agent.snapshots.lab import another, ask, booted, overlay_of, read, settled, taken, write

from nexus.agent.settings import AgentSettings
from nexus.agent.vmm.fake import FakeVmm
from nexus.kit.ids import new_id
from nexus.protocol.machines import DiskFormat, DiskRole, DiskSpec, ExitReason, Power, RestoreSpec
from nexus.protocol.snapshots import SnapshotSeen, SnapshotState, SnapshotType, SnapshotWish


async def test_a_running_machine_goes_on_and_another_begins_from_its_snapshot(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings, vmm: FakeVmm
) -> None:
    spec = machine_spec(fake_images)
    before = await agent.boot(spec)
    write(overlay_of(settings, spec), "then")
    seen = await taken(agent, spec.id)
    assert (seen.has_memory, seen.machine, seen.type) == (True, spec.id, SnapshotType.FULL)
    assert [disk.drive_id for disk in seen.disks] == ["rootfs", "overlay"]
    assert seen.disks[0].image_sha256 == fake_images.rootfs
    assert [disk.size_bytes for disk in seen.disks] == [1024, 1 << 30]
    assert seen.pins is not None
    assert (seen.pins.vcpus, seen.pins.memory_mib, seen.pins.kernel_sha256) == (1, 256, fake_images.kernel)
    assert 0 < seen.size_bytes < 64 << 20, "holes stay holes"
    after = await agent.until(spec.id, is_ready)
    assert (after.power, after.boot, after.started_at) == (Power.ON, 1, before.started_at)
    write(overlay_of(settings, spec), "later")
    clone = another(spec, seen.id)
    await agent.boot(clone)
    assert read(overlay_of(settings, clone), 4) == "then"
    assert vmm.memory(clone.id) == (vmm.memory(spec.id)[0], True)
    assert read(overlay_of(settings, spec), 5) == "later"


async def test_who_has_patience_is_answered_with_a_snapshot_that_is_there(
    agent: AgentClient, fake_images: ImageSet
) -> None:
    spec = await booted(agent, fake_images)
    at_once = SnapshotSeen.model_validate_json((await ask(agent, spec.id, new_id())).content)
    waited = await ask(agent, spec.id, new_id(), SnapshotWish(patience_ms=5000))
    assert at_once.state is SnapshotState.TAKING
    assert SnapshotSeen.model_validate_json(waited.content).state is SnapshotState.READY


async def test_a_guest_that_was_paused_before_it_had_come_up_is_not_waited_for(
    settings: AgentSettings, fake_images: ImageSet
) -> None:
    spec, snapshot = machine_spec(fake_images), new_id()
    async with agent_here(settings.model_copy(update={"fake_boot_s": 3600})) as (agent, _):
        await agent.order(spec, Power.ON, boot=1, patience_ms=0)
        await agent.until(spec.id, lambda seen: seen.power is Power.ON)
        await agent.power(spec.id, Power.PAUSED, boot=1)
        await agent.until(spec.id, lambda seen: seen.power is Power.PAUSED)
        assert (await ask(agent, spec.id, snapshot)).status_code == 200
        seen = await settled(agent, snapshot)
        assert (seen.state, seen.fault) == (
            SnapshotState.FAILED,
            "its guest was paused before it had come up; have it run first",
        )


async def test_a_machine_goes_back_to_its_own_snapshot_and_boots_from_its_disks_afterwards(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings, vmm: FakeVmm
) -> None:
    spec = machine_spec(fake_images)
    await agent.boot(spec)
    memory = vmm.memory(spec.id)[0]
    write(overlay_of(settings, spec), "one")
    seen = await taken(agent, spec.id)
    write(overlay_of(settings, spec), "two")
    back = spec.model_copy(update={"generation": 2, "restore": RestoreSpec(snapshot=seen.id, boot=2)})
    await agent.define(back)
    assert (await agent.seen(spec.id)).pending == ()
    refused = await agent.http.delete(f"/v1/snapshots/{seen.id}")
    assert refused.status_code == 409, "a boot is to begin from it"
    await agent.power(spec.id, Power.ON, boot=2, generation=2, grace_s=0)
    await agent.until(spec.id, lambda seen: seen.boot == 2 and is_ready(seen))
    assert (read(overlay_of(settings, spec), 3), vmm.memory(spec.id)[0]) == ("one", memory)
    assert (await agent.http.delete(f"/v1/snapshots/{seen.id}")).status_code == 200
    write(overlay_of(settings, spec), "six")
    await agent.power(spec.id, Power.ON, boot=3, generation=2, grace_s=0)
    await agent.until(spec.id, lambda seen: seen.boot == 3 and is_ready(seen))
    assert read(overlay_of(settings, spec), 3) == "six"
    assert vmm.memory(spec.id)[0] != memory


async def test_a_machine_that_is_off_is_kept_without_memory_and_a_boot_from_it_is_a_cold_one(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings, vmm: FakeVmm
) -> None:
    spec = machine_spec(fake_images)
    await agent.boot(spec)
    memory = vmm.memory(spec.id)[0]
    await agent.power(spec.id, Power.OFF, boot=1, grace_s=0)
    await agent.until(spec.id, is_off)
    write(overlay_of(settings, spec), "kept")
    seen = await taken(agent, spec.id)
    assert (seen.has_memory, seen.is_consistent, seen.pins, seen.paused_ms) == (False, True, None, None)
    await agent.until(spec.id, is_off)
    clone = another(spec, seen.id, vcpus=2)
    await agent.boot(clone)
    assert read(overlay_of(settings, clone), 4) == "kept"
    assert vmm.memory(clone.id)[0] != memory


async def test_drives_added_and_removed_while_it_was_off_are_kept_as_the_next_boot_would_have_them(
    agent: AgentClient, fake_images: ImageSet
) -> None:
    first = DiskSpec(id=new_id(), drive_id="first", role=DiskRole.DATA, format=DiskFormat.RAW, size_bytes=1 << 20)
    plain = machine_spec(fake_images)
    spec = plain.model_copy(update={"disks": (*plain.disks, first)})
    await agent.boot(spec)
    await agent.power(spec.id, Power.OFF, boot=1, grace_s=0)
    await agent.until(spec.id, is_off)
    second = first.model_copy(update={"id": new_id(), "drive_id": "second", "size_bytes": 2 << 20})
    changed = spec.model_copy(update={"generation": 2, "disks": (*plain.disks, second)})
    await agent.define(changed)
    seen = await taken(agent, spec.id)
    assert [(disk.drive_id, disk.size_bytes) for disk in seen.disks[2:]] == [("second", 2 << 20)]
    await agent.boot(another(changed, seen.id, generation=1))
    await agent.power(spec.id, Power.ON, boot=2, generation=2)
    await agent.until(spec.id, lambda seen: seen.boot == 2 and is_ready(seen))


async def test_a_paused_machine_stays_paused_and_what_begins_from_it_runs(
    agent: AgentClient, fake_images: ImageSet, vmm: FakeVmm
) -> None:
    spec = machine_spec(fake_images)
    await agent.boot(spec)
    await agent.power(spec.id, Power.PAUSED, boot=1)
    await agent.until(spec.id, lambda seen: seen.power is Power.PAUSED and seen.stage is None)
    seen = await taken(agent, spec.id)
    assert (seen.has_memory, (await vmm.observe(spec.id)).power) == (True, Power.PAUSED)
    clone = another(spec, seen.id)
    await agent.boot(clone)
    assert vmm.memory(clone.id)[0] == vmm.memory(spec.id)[0]


async def test_asking_again_answers_the_same_and_it_outlives_its_machine_and_the_agent(
    settings: AgentSettings, fake_images: ImageSet
) -> None:
    spec = machine_spec(fake_images)
    async with agent_here(settings) as (agent, _):
        await agent.boot(spec)
        seen = await taken(agent, spec.id)
        assert SnapshotSeen.model_validate_json((await ask(agent, spec.id, seen.id)).content) == seen
        await agent.discard(spec.id)
        assert SnapshotSeen.model_validate_json((await ask(agent, spec.id, seen.id)).content) == seen
    async with agent_here(settings) as (agent, _):
        items = (await agent.http.get("/v1/snapshots")).json()["items"]
        assert [SnapshotSeen.model_validate(item) for item in items] == [seen]
        clone = another(spec, seen.id)
        await agent.boot(clone)
        for _ in range(2):
            assert (await agent.http.delete(f"/v1/snapshots/{seen.id}")).status_code == 200
        assert (await agent.http.get(f"/v1/snapshots/{seen.id}")).status_code == 404
    assert [path.name for path in (settings.run_dir / "snapshots").iterdir()] == [".gone"]


async def test_a_snapshot_that_was_changed_begins_nothing_and_leaves_the_disks_alone(
    settings: AgentSettings, fake_images: ImageSet
) -> None:
    spec = machine_spec(fake_images)
    async with agent_here(settings) as (agent, _):
        await agent.boot(spec)
        write(overlay_of(settings, spec), "good")
        seen = await taken(agent, spec.id)
        assert seen.path is not None
        write(overlay_of(settings, spec), "kept")
        file = Path(seen.path) / "disks/overlay.raw"
        file.chmod(0o600)
        write(file, "evil")
        back = spec.model_copy(update={"generation": 2, "restore": RestoreSpec(snapshot=seen.id, boot=2)})
        await agent.define(back)
        await agent.power(spec.id, Power.ON, boot=2, generation=2, grace_s=0)
        ended = await agent.until(spec.id, lambda seen: seen.boot == 2 and is_off(seen) and seen.exit is not None)
        assert ended.exit is not None
        assert (ended.exit.reason, ended.exit.boot) == (ExitReason.VMM_FAILED, 2)
        assert "overlay.raw" in ended.exit.why
        assert read(overlay_of(settings, spec), 4) == "kept"
        without = spec.model_copy(update={"generation": 3})
        await agent.define(without)
        await agent.power(spec.id, Power.ON, boot=3, generation=3)
        await agent.until(spec.id, lambda seen: seen.boot == 3 and is_ready(seen))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"memory_mib": 512}, "memory"),
        ({"vcpus": 2}, "vCPUs"),
        ({"disks": ()}, "drives"),
        ({"kernel_sha256": ""}, ""),
        ({"has_guest_agent": False}, "no agent to become this one"),
    ],
)
async def test_a_machine_of_another_shape_does_not_begin_from_memory_and_is_told_what_differs(
    agent: AgentClient, fake_images: ImageSet, change: dict[str, object], word: str
) -> None:
    spec = machine_spec(fake_images)
    await agent.boot(spec)
    seen = await taken(agent, spec.id)
    if "kernel_sha256" in change:
        change, word = {"kernel_sha256": fake_images.rootfs}, "kernel"
    clone = another(spec, seen.id).model_copy(update=change)
    await agent.define(clone)
    await agent.power(clone.id, Power.ON, boot=1)
    ended = await agent.until(clone.id, lambda seen: seen.exit is not None and is_off(seen))
    assert ended.exit is not None
    assert ended.exit.reason is ExitReason.VMM_FAILED
    assert word in ended.exit.why


async def test_a_later_boot_begins_from_it_when_the_named_one_never_did(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings
) -> None:
    spec = machine_spec(fake_images)
    await agent.boot(spec)
    write(overlay_of(settings, spec), "then")
    seen = await taken(agent, spec.id)
    clone = another(spec, seen.id)
    await agent.define(clone)
    await agent.power(clone.id, Power.ON, boot=4)
    await agent.until(clone.id, lambda seen: seen.boot == 4 and is_ready(seen))
    assert read(overlay_of(settings, clone), 4) == "then"


async def test_what_cannot_be_kept_is_refused_with_a_sentence(agent: AgentClient, fake_images: ImageSet) -> None:
    spec = machine_spec(fake_images)
    assert (await ask(agent, spec.id, new_id())).status_code == 404
    await agent.define(spec)
    refused = await ask(agent, spec.id, new_id())
    assert (refused.status_code, "never been started" in refused.text) == (409, True)
    await agent.boot(spec)
    await agent.define(spec.model_copy(update={"generation": 2, "vcpus": 2}))
    refused = await ask(agent, spec.id, new_id())
    assert (refused.status_code, "restart it first" in refused.text) == (409, True)
    seen = await taken(agent, (await booted(agent, fake_images)).id)
    refused = await ask(agent, spec.id, seen.id)
    assert (refused.status_code, "another machine's" in refused.text) == (409, True)
