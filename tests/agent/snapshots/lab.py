"""What tests of snapshots share: asking for them, machines that begin from them, and what is on a disk."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import httpx
from tests.agent.lab import PATIENCE_S, AgentClient, ImageSet, machine_spec

from nexus.agent.settings import AgentSettings
from nexus.kit.ids import new_id
from nexus.protocol.machines import MachineSpec, RestoreSpec
from nexus.protocol.snapshots import SnapshotSeen, SnapshotState, SnapshotType, SnapshotWish


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


def over(parent: UUID) -> SnapshotWish:
    return SnapshotWish(type=SnapshotType.DIFF, parent=parent)


async def taken(agent: AgentClient, machine: UUID, wish: SnapshotWish = SnapshotWish()) -> SnapshotSeen:
    snapshot = new_id()
    answer = await ask(agent, machine, snapshot, wish)
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


async def booted(agent: AgentClient, fake_images: ImageSet) -> MachineSpec:
    spec = machine_spec(fake_images, number=2)
    await agent.boot(spec)
    return spec
