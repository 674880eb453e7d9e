"""Snapshots of a real guest: what was in its memory and on its disks is there again, in it and in others."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from tests.agent.lab import PATIENCE_S, AgentClient, AgentProcess, ImageSet, built, machine_spec
from websockets.asyncio.client import unix_connect

from nexus.kit.ids import new_id
from nexus.local import images
from nexus.protocol.guest import FRAME_TYPES, Frame
from nexus.protocol.machines import DiskFormat, DiskRole, DiskSpec, MachineSpec, Power, RestoreSpec
from nexus.protocol.snapshots import SnapshotSeen, SnapshotState, SnapshotWish

pytestmark = pytest.mark.vm


@pytest.fixture
async def process(short_tmp: Path, built_images: images.Store) -> AsyncIterator[AgentProcess]:
    made = AgentProcess(short_tmp, AGENT_IMAGE_SEED=str(built(built_images).directory))
    await made.start()
    yield made
    for seen in (await made.client.http.get("/v1/machines")).json()["items"]:
        assert (await made.client.discard(UUID(seen["id"]))).power is Power.ABSENT
    made.kill()


async def run(process: AgentProcess, machine: UUID, script: str) -> str:
    """What the guest's shell says, which has to succeed."""
    session = await process.client.run(machine, "sh", "-ec", script)
    path = f"ws://agent/v1/machines/{machine}/guest/sessions/{session}/stream?offset=0"
    output = b""
    async with unix_connect(str(process.socket), path) as stream:
        async for message in stream:
            assert isinstance(message, bytes)
            if message[0] == FRAME_TYPES[Frame.EXIT]:
                assert json.loads(message[1:])["code"] == 0, output
                return output.decode()
            output += message[1:]
    raise AssertionError(f"the stream ended without an exit frame, after {output!r}")


async def taken(agent: AgentClient, machine: UUID) -> SnapshotSeen:
    """A snapshot of the machine, once it is there."""
    snapshot = new_id()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            path = f"/v1/machines/{machine}/snapshots/{snapshot}"
            answer = await agent.http.put(path, content=SnapshotWish().model_dump_json())
            assert answer.status_code == 200, answer.text
            seen = SnapshotSeen.model_validate_json(answer.content)
            assert seen.state is not SnapshotState.FAILED, seen.fault
            if seen.state is SnapshotState.READY:
                return seen
            await asyncio.sleep(0.05)


def another(using: ImageSet, spec: MachineSpec, snapshot: UUID, number: int) -> MachineSpec:
    """A machine of the same shape that begins from the snapshot, with all that is its own."""
    disks = tuple(disk.model_copy(update={"id": new_id()}) for disk in spec.disks)
    return machine_spec(using, number=number, disks=disks, restore=RestoreSpec(snapshot=snapshot, boot=1))


FILL = """
mkdir -p /root/tree/a/b /dev/shm
mount /dev/vdc /mnt
mount -t tmpfs none /dev/shm
head -c 3000000 /dev/urandom > /root/tree/a/one
head -c 1000000 /dev/urandom > /root/tree/a/b/two
head -c 2000000 /dev/urandom > /mnt/three
head -c 24000000 /dev/urandom > /dev/shm/pattern
"""
SUMS = "sha256sum /root/tree/a/one /root/tree/a/b/two /mnt/three /dev/shm/pattern"


async def test_memory_and_disks_are_the_same_bit_for_bit_in_another_machine_and_in_the_next_one(
    process: AgentProcess, built_images: images.Store
) -> None:
    agent, using = process.client, built(built_images)
    data = DiskSpec(id=new_id(), drive_id="data", role=DiskRole.DATA, format=DiskFormat.EXT4, size_bytes=64 << 20)
    plain = machine_spec(using)
    spec = plain.model_copy(update={"disks": (*plain.disks, data)})
    await agent.boot(spec)
    await run(process, spec.id, FILL)
    sums = await run(process, spec.id, SUMS)
    first = await taken(agent, spec.id)
    assert (first.is_consistent, first.warning) == (True, None)
    assert first.disks[2].size_bytes == 64 << 20
    await run(process, spec.id, "echo later > /root/tree/a/one; rm /dev/shm/pattern; sync")
    clone = another(using, spec, first.id, 2)
    await agent.boot(clone)
    assert await run(process, clone.id, SUMS) == sums
    assert await run(process, spec.id, "cat /root/tree/a/one") == "later\n"
    await run(
        process, clone.id, "for file in /root/tree/a/one /dev/shm/pattern; do head -c 9000 /dev/urandom > $file; done"
    )
    assert (await agent.discard(spec.id)).power is Power.ABSENT
    changed = await run(process, clone.id, SUMS)
    second = await taken(agent, clone.id)
    again = another(using, spec, second.id, 3)
    await agent.boot(again)
    assert await run(process, again.id, SUMS) == changed != sums
