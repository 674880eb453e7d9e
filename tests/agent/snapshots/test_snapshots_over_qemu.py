"""Snapshots of a real guest: what was in its memory and on its disks is there again, in it and in others."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from tests.agent.lab import (
    PATIENCE_S,
    AgentClient,
    AgentProcess,
    ImageSet,
    built,
    eventually,
    is_off,
    is_ready,
    machine_spec,
)
from websockets.asyncio.client import unix_connect

from nexus.kit.ids import new_id
from nexus.local import images
from nexus.protocol.guest import FRAME_TYPES, Frame
from nexus.protocol.machines import DiskFormat, DiskRole, DiskSpec, MachineSpec, Power, RestoreSpec
from nexus.protocol.snapshots import SnapshotSeen, SnapshotState, SnapshotType, SnapshotWish

pytestmark = pytest.mark.vm

MAC = "02:00:00:00:00:01"


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


async def taken(agent: AgentClient, machine: UUID, wish: SnapshotWish = SnapshotWish()) -> SnapshotSeen:
    """A snapshot of the machine, once it is there."""
    snapshot = new_id()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            path = f"/v1/machines/{machine}/snapshots/{snapshot}"
            answer = await agent.http.put(path, content=wish.model_dump_json())
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
CHANGE = """
head -c 3000000 /dev/urandom > /root/tree/a/one
head -c 100000 /dev/urandom | dd of=/dev/shm/pattern bs=4096 seek=100 conv=notrunc 2>/dev/null
dd if=/dev/zero of=/dev/shm/pattern bs=4096 seek=300 count=200 conv=notrunc 2>/dev/null
: > /root/tree/gone
"""
WHO = "hostname; cat /sys/class/net/eth0/address /sys/class/net/eth0/carrier"
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
    await run(process, spec.id, CHANGE)
    sums_of_diff = await run(process, spec.id, SUMS)
    diff = await taken(agent, spec.id, SnapshotWish(type=SnapshotType.DIFF, parent=first.id))
    assert (diff.is_consistent, diff.parent) == (True, first.id)
    assert 0 < diff.memory_bytes < first.memory_bytes
    await run(process, spec.id, "echo later > /root/tree/a/one; rm /dev/shm/pattern; sync")
    clone = another(using, spec, first.id, 2)
    await agent.boot(clone)
    assert await run(process, clone.id, SUMS) == sums
    assert await run(process, clone.id, WHO) == "guest-2\n02:00:00:00:00:02\n1\n"
    assert await run(process, spec.id, WHO) == "guest-1\n02:00:00:00:00:01\n1\n"
    assert await run(process, spec.id, "cat /root/tree/a/one") == "later\n"
    await run(
        process, clone.id, "for file in /root/tree/a/one /dev/shm/pattern; do head -c 9000 /dev/urandom > $file; done"
    )
    assert (await agent.discard(spec.id)).power is Power.ABSENT
    of_diff = another(using, spec, diff.id, 4)
    await agent.boot(of_diff)
    assert await run(process, of_diff.id, SUMS) == sums_of_diff != sums
    assert await run(process, of_diff.id, "ls /root/tree/a/b; wc -c < /root/tree/gone") == "two\n0\n"
    assert (await agent.discard(of_diff.id)).power is Power.ABSENT
    changed = await run(process, clone.id, SUMS)
    second = await taken(agent, clone.id)
    again = another(using, spec, second.id, 3)
    await agent.boot(again)
    assert await run(process, again.id, SUMS) == changed != sums


async def test_a_machine_goes_back_to_what_it_was_and_boots_from_its_disks_afterwards(
    process: AgentProcess, built_images: images.Store
) -> None:
    agent, spec = process.client, machine_spec(built(built_images))
    await agent.boot(spec)
    await run(process, spec.id, "echo one > /root/file; mount -t tmpfs none /mnt; echo one > /mnt/file")
    kept = await taken(agent, spec.id)
    await run(process, spec.id, "echo two > /root/file; echo two > /mnt/file; sync")
    restore = RestoreSpec(snapshot=kept.id, boot=2)
    await agent.define(spec.model_copy(update={"generation": 2, "restore": restore}))
    await agent.power(spec.id, Power.ON, boot=2, generation=2, grace_s=0)
    await agent.until(spec.id, lambda seen: seen.boot == 2 and is_ready(seen))
    assert await run(process, spec.id, "cat /root/file /mnt/file; " + WHO) == f"one\none\nguest-1\n{MAC}\n1\n"
    await run(process, spec.id, "echo three > /root/file; sync")
    await agent.power(spec.id, Power.ON, boot=3, generation=2, grace_s=0)
    await agent.until(spec.id, lambda seen: seen.boot == 3 and is_ready(seen))
    assert await run(process, spec.id, "cat /root/file; ls /mnt") == "three\n"


async def test_a_guest_goes_on_when_the_agent_is_killed_while_it_is_taken(
    process: AgentProcess, built_images: images.Store
) -> None:
    agent, spec, snapshot = process.client, machine_spec(built(built_images)), new_id()
    await agent.boot(spec)
    path = f"/v1/machines/{spec.id}/snapshots/{snapshot}"
    await agent.http.put(path, content=SnapshotWish().model_dump_json())
    await eventually(lambda: (process.root / "agent/snapshots" / str(snapshot)).exists())
    process.kill()
    agent = await process.start()
    await agent.until(spec.id, lambda seen: seen.power is Power.ON and is_ready(seen))
    assert await run(process, spec.id, "echo written > /root/file; sync; cat /root/file") == "written\n"
    left = list((process.root / "agent/snapshots").iterdir())
    assert all((directory / "manifest.json").exists() for directory in left)
    assert (await taken(agent, spec.id)).has_memory


async def test_a_vmm_that_is_killed_while_it_is_taken_leaves_no_snapshot(
    process: AgentProcess, built_images: images.Store
) -> None:
    agent, spec, snapshot = process.client, machine_spec(built(built_images)), new_id()
    await agent.boot(spec)
    record = process.root / "agent/machines" / str(spec.id) / "vmm.json"
    vmm = json.loads(record.read_bytes())["pid"]
    os.kill(vmm, signal.SIGSTOP)  # it answers nothing, so this takes long
    path = f"/v1/machines/{spec.id}/snapshots/{snapshot}"
    await agent.http.put(path, content=SnapshotWish().model_dump_json())
    await agent.until(spec.id, lambda seen: seen.stage == "taking a snapshot")
    os.kill(vmm, signal.SIGKILL)
    await agent.until(spec.id, is_off)
    seen = SnapshotSeen.model_validate_json((await agent.http.get(f"/v1/snapshots/{snapshot}")).content)
    assert (seen.state, seen.fault is not None) == (SnapshotState.FAILED, True)
    assert list((process.root / "agent/snapshots").iterdir()) == []
    await agent.power(spec.id, Power.ON, boot=2)
    await agent.until(spec.id, lambda seen: seen.boot == 2 and is_ready(seen))
