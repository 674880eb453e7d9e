"""Drives and interfaces of a real guest: what it sees of them, and that limits slow it down. How exactly they are kept
is measured by `benchmarks/limits`: here is only whether."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from tests.agent.lab import NETWORK, AgentClient, AgentProcess, ImageSet, built, is_ready, machine_spec
from tests.agent.test_agent_over_qemu import run_in_guest

from nexus.kit.ids import new_id
from nexus.local import images
from nexus.protocol.limits import RateLimiter, TokenBucket
from nexus.protocol.machines import (
    CacheType,
    DiskSpec,
    IoEngine,
    MachineSeen,
    MachineSpec,
    NicSpec,
    Power,
)

pytestmark = pytest.mark.vm

MIB = 1 << 20
SLOW = RateLimiter(bandwidth=TokenBucket(size=1 * MIB, refill_time=1000))
SEEN = """
import os
for name in sorted(os.listdir("/sys/block")):
    size = int(open(f"/sys/block/{name}/size").read()) * 512
    if size:
        print(open(f"/sys/block/{name}/serial").read().strip() or "-", name, size)
"""
WRITE = """
import mmap, os, sys, time
fd = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)
buffer = mmap.mmap(-1, 1 << 18)
began = time.monotonic()
for at in range(0, int(sys.argv[2]), 1 << 18):
    os.pwritev(fd, [buffer], at)
print(time.monotonic() - began)
"""
ADDRESSES = "for i in /sys/class/net/eth*; do echo $(cat $i/address); done; busybox ip -4 -o addr show"


def disk(drive_id: str = "data", **fields: object) -> DiskSpec:
    given: dict[str, object] = {"id": new_id(), "drive_id": drive_id, "role": "data", "format": "raw"}
    return DiskSpec.model_validate({**given, "size_bytes": 8 * MIB, **fields})


@pytest.fixture
def using(built_images: images.Store) -> ImageSet:
    return built(built_images)


@pytest.fixture
def volumes(short_tmp: Path) -> Path:
    made = short_tmp.with_name(f"{short_tmp.name}v")
    made.mkdir()
    return made


@pytest.fixture
async def process(short_tmp: Path, volumes: Path, using: ImageSet) -> AsyncIterator[AgentProcess]:
    made = AgentProcess(short_tmp, AGENT_IMAGE_SEED=str(using.directory), AGENT_DRIVE_ROOTS=str(volumes))
    yield made
    for seen in (await made.client.http.get("/v1/machines")).json()["items"]:
        assert (await made.client.discard(UUID(seen["id"]))).power is Power.ABSENT
    made.kill()
    for path in volumes.iterdir():
        path.unlink()
    volumes.rmdir()


@pytest.fixture
async def agent(process: AgentProcess) -> AgentClient:
    return await process.start()


async def change(agent: AgentClient, spec: MachineSpec, *pending: str, **changes: object) -> MachineSpec:
    """A new definition, once the agent has done what it can about it; `pending` is what it must have left."""
    new = spec.model_copy(update={"generation": spec.generation + 1, **changes})
    assert (await agent.define(new)).status_code == 200

    def is_settled(seen: MachineSeen) -> bool:
        return seen.generation == new.generation and not seen.is_applying

    assert set((await agent.until(spec.id, is_settled)).pending) == set(pending)
    return new


async def drives(process: AgentProcess, agent: AgentClient, machine: UUID) -> dict[str, tuple[str, int]]:
    """What the guest sees: device and size by serial number."""
    code, said = await run_in_guest(process, agent, machine, "python3", "-c", SEEN)
    assert code == 0, said
    return {serial: (name, int(size)) for serial, name, size in (line.split() for line in said.splitlines())}


async def seconds_to_write(process: AgentProcess, agent: AgentClient, machine: UUID, device: str) -> float:
    code, said = await run_in_guest(process, agent, machine, "python3", "-c", WRITE, f"/dev/{device}", str(4 * MIB))
    assert code == 0, said
    return float(said)


async def test_drives_come_grow_and_are_limited_under_a_running_guest(
    process: AgentProcess, agent: AgentClient, using: ImageSet
) -> None:
    spec = machine_spec(using)
    await agent.boot(spec)
    assert set(await drives(process, agent, spec.id)) == {"rootfs", "overlay"}, "places for more are not to be seen"
    added = disk(rate_limiter=SLOW)
    spec = await change(agent, spec, disks=(*spec.disks, added))
    device, size = (await drives(process, agent, spec.id))["-"]
    assert (device, size) == ("vdc", 8 * MIB)
    assert await seconds_to_write(process, agent, spec.id, device) > 2, "3 MiB beyond the bucket, at 1 MiB/s"
    process.kill()
    agent = await process.start()
    await agent.until(spec.id, is_ready)
    free = added.model_copy(update={"rate_limiter": None, "size_bytes": 16 * MIB})
    spec = await change(agent, spec, disks=(*spec.disks[:2], free))
    assert (await drives(process, agent, spec.id))["-"] == ("vdc", 16 * MIB)
    shared = disk("shared", size_bytes=None, image_sha256=using.rootfs, read_only=True)
    through = free.model_copy(update={"cache_type": CacheType.WRITETHROUGH, "io_engine": IoEngine.ASYNC})
    spec = await change(agent, spec, "drives.shared", "drives.data", disks=(*spec.disks[:2], through, shared))
    await agent.power(spec.id, Power.ON, boot=2, generation=spec.generation)
    await agent.until(spec.id, lambda seen: seen.boot == 2 and is_ready(seen))
    found = await drives(process, agent, spec.id)
    assert list(found) == ["rootfs", "overlay", "data", "shared"]
    cache = await run_in_guest(process, agent, spec.id, "cat", f"/sys/block/{found['data'][0]}/queue/write_cache")
    assert cache == (0, "write through\n")
    await seconds_to_write(process, agent, spec.id, found["data"][0])
    spec = await change(agent, spec, "drives.data", "drives.shared", disks=spec.disks[:2])
    assert set(await drives(process, agent, spec.id)) == {"rootfs", "overlay", "data", "shared"}


async def test_a_file_of_the_hosts_is_a_drive_of_one_machine_and_stays_when_that_goes(
    process: AgentProcess, agent: AgentClient, using: ImageSet, volumes: Path
) -> None:
    path, other = volumes / "one.img", volumes / "two.img"
    path.write_bytes(b"first" + bytes(4 * MIB - 5))
    other.write_bytes(b"second" + bytes(2 * MIB - 6))
    volume = disk("volume", path_on_host=str(path), size_bytes=4 * MIB)
    spec = machine_spec(using)
    spec = spec.model_copy(update={"disks": (*spec.disks, volume)})
    await agent.boot(spec)
    read = ("sh", "-c", "busybox dd if=/dev/vdc bs=6 count=1 2>/dev/null")
    assert (await run_in_guest(process, agent, spec.id, *read))[1].startswith("first")
    assert (await run_in_guest(process, agent, spec.id, "sh", "-c", "echo guest | dd of=/dev/vdc conv=fsync"))[0] == 0
    assert path.read_bytes().startswith(b"guest\n")
    rival = machine_spec(using, number=2)
    rival = rival.model_copy(update={"disks": (*rival.disks, volume.model_copy(update={"id": new_id()}))})
    await agent.define(rival)
    await agent.power(rival.id, Power.ON, boot=1)
    kept_out = await agent.until(rival.id, lambda seen: seen.fault is not None)
    assert "in use by another machine" in str(kept_out.fault)
    swapped = volume.model_copy(update={"path_on_host": str(other), "size_bytes": 2 * MIB})
    spec = await change(agent, spec, disks=(*spec.disks[:2], swapped))
    assert (await drives(process, agent, spec.id))["volume"] == ("vdc", 2 * MIB)
    assert (await run_in_guest(process, agent, spec.id, *read))[1] == "second"
    assert (await agent.discard(spec.id)).power is Power.ABSENT
    assert path.exists()
    assert other.exists()
    if os.geteuid() == 0:
        assert path.stat().st_uid == 0, "the guest was served without becoming its owner"


async def test_a_second_interface_is_there_after_a_restart_with_its_address(
    process: AgentProcess, agent: AgentClient, using: ImageSet
) -> None:
    spec = machine_spec(using)
    await agent.boot(spec)
    second = NicSpec(id=new_id(), iface_id="eth1", mac="02:00:00:00:01:02", network=NETWORK)
    spec = await change(agent, spec, "nics.eth1", nics=(*spec.nics, second))
    await agent.power(spec.id, Power.ON, boot=2, generation=spec.generation)
    seen = await agent.until(spec.id, lambda seen: seen.boot == 2 and is_ready(seen))
    assert seen.pending == ()
    _, said = await run_in_guest(process, agent, spec.id, "sh", "-c", ADDRESSES)
    for expected in ("02:00:00:00:00:01", "02:00:00:00:01:02", "10.0.2.15/24", "10.0.3.15/24"):
        assert expected in said
    health = (await agent.http.get(f"/v1/machines/{spec.id}/guest/health")).json()
    assert health["warnings"] == []
