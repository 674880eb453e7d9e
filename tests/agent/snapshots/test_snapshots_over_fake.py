"""Snapshots over the hypervisor that runs nothing: what is kept, what begins from it, what is refused and left."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from tests.agent.lab import (
    PATIENCE_S,
    AgentClient,
    ImageSet,
    agent_here,
    agent_settings,
    is_off,
    is_ready,
    machine_spec,
    random_images,
)

from nexus.agent import wiring
from nexus.agent.settings import AgentSettings
from nexus.agent.vmm.fake import FakeVmm
from nexus.agent.vmm.port import VmmTrouble
from nexus.kit.clock import SystemClock
from nexus.kit.ids import new_id
from nexus.protocol.machines import ExitReason, MachineSpec, Power, RestoreSpec
from nexus.protocol.snapshots import SnapshotSeen, SnapshotState, SnapshotType, SnapshotWish


@pytest.fixture
def fake_images(short_tmp: Path) -> ImageSet:
    return random_images(short_tmp / "seed")


@pytest.fixture
def settings(short_tmp: Path, fake_images: ImageSet) -> AgentSettings:
    return agent_settings(short_tmp, image_seed=fake_images.directory)


@pytest.fixture
async def running(settings: AgentSettings) -> AsyncIterator[tuple[AgentClient, wiring.Agent]]:
    async with agent_here(settings) as agent:
        yield agent


@pytest.fixture
def agent(running: tuple[AgentClient, wiring.Agent]) -> AgentClient:
    return running[0]


@pytest.fixture
def vmm(settings: AgentSettings) -> FakeVmm:
    """A second hand on the same simulated hypervisor."""
    return FakeVmm(machines=settings.run_dir / "machines", clock=SystemClock())


async def ask(agent: AgentClient, machine: UUID, snapshot: UUID, wish: SnapshotWish = SnapshotWish()) -> httpx.Response:
    return await agent.http.put(f"/v1/machines/{machine}/snapshots/{snapshot}", content=wish.model_dump_json())


async def settled(
    agent: AgentClient,
    snapshot: UUID,
    wanted: Callable[[SnapshotSeen], bool] = lambda seen: seen.state is not SnapshotState.TAKING,
) -> SnapshotSeen:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await agent.http.get(f"/v1/snapshots/{snapshot}")
            seen = SnapshotSeen.model_validate_json(answer.content)
            if wanted(seen):
                return seen
            await asyncio.sleep(0.01)


async def taken(agent: AgentClient, machine: UUID) -> SnapshotSeen:
    snapshot = new_id()
    answer = await ask(agent, machine, snapshot)
    assert answer.status_code == 200, answer.text
    seen = await settled(agent, snapshot)
    assert seen.state is SnapshotState.READY, seen.fault
    return seen


def overlay_of(settings: AgentSettings, spec: MachineSpec) -> Path:
    return settings.run_dir / "machines" / str(spec.id) / "disks" / f"{spec.disks[1].id}.img"


def write(path: Path, text: str) -> None:
    with path.open("r+b") as disk:
        disk.seek(300 << 20)
        disk.write(text.encode())


def read(path: Path, length: int) -> str:
    with path.open("rb") as disk:
        disk.seek(300 << 20)
        return disk.read(length).decode()


def another(spec: MachineSpec, snapshot: UUID, **other: object) -> MachineSpec:
    """A machine of the same shape, with an id and disks of its own, that begins from the snapshot."""
    disks = tuple(disk.model_copy(update={"id": new_id()}) for disk in spec.disks)
    update = {"id": new_id(), "disks": disks, "restore": RestoreSpec(snapshot=snapshot, boot=1)}
    return spec.model_copy(update=update | other)


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
    assert list((settings.run_dir / "snapshots").iterdir()) == []


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
    [({"memory_mib": 512}, "memory"), ({"vcpus": 2}, "vCPUs"), ({"disks": ()}, "drives"), ({"kernel_sha256": ""}, "")],
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
    refused = await ask(agent, spec.id, new_id(), SnapshotWish(type=SnapshotType.DIFF))
    assert (refused.status_code, "full snapshots only" in refused.text) == (409, True)
    await agent.define(spec.model_copy(update={"generation": 2, "vcpus": 2}))
    refused = await ask(agent, spec.id, new_id())
    assert (refused.status_code, "restart it first" in refused.text) == (409, True)
    seen = await taken(agent, (await booted(agent, fake_images)).id)
    refused = await ask(agent, spec.id, seen.id)
    assert (refused.status_code, "another machine's" in refused.text) == (409, True)


async def booted(agent: AgentClient, fake_images: ImageSet) -> MachineSpec:
    spec = machine_spec(fake_images, number=2)
    await agent.boot(spec)
    return spec


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
    assert list((settings.run_dir / "snapshots").iterdir()) == []


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
    monkeypatch.setattr("nexus.agent.snapshots.taking.ROOM_BYTES", 1 << 60)
    snapshot = new_id()
    await ask(agent, spec.id, snapshot)
    seen = await settled(agent, snapshot)
    assert seen.fault is not None
    assert "MiB left" in seen.fault
    assert list((settings.run_dir / "snapshots").iterdir()) == []
    monkeypatch.undo()
    assert (await taken(agent, spec.id)).has_memory
