"""What drivers keep that offer to change drives while a machine runs: one suite, run over all of them."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.agent.vmm.conftest import Lab

from nexus.agent.vmm.port import Definition, Disk, DriveLimits, HotDrives, Vmm, VmmTrouble
from nexus.kit.ids import new_id
from nexus.protocol.hosts import Offer
from nexus.protocol.limits import RateLimiter, TokenBucket

LIMITER = RateLimiter(
    bandwidth=TokenBucket(size=1_000_000, refill_time=100), ops=TokenBucket(size=50, refill_time=1000)
)


def disk(root: Path, *, size_bytes: int = 8 << 20) -> Disk:
    path = root / f"{new_id()}.img"
    with path.open("wb") as file:
        file.truncate(size_bytes)
    return Disk(new_id(), "data", path, read_only=False)


def limiting(vmm: Vmm) -> DriveLimits:
    if Offer.DRIVE_LIMITS not in vmm.offers:
        pytest.skip("this driver does not offer it")
    assert isinstance(vmm, DriveLimits)
    return vmm


def hot(vmm: Vmm) -> HotDrives:
    if Offer.HOT_DRIVES not in vmm.offers:
        pytest.skip("this driver does not offer it")
    assert isinstance(vmm, HotDrives)
    return vmm


async def test_drives_come_are_limited_and_grow_also_under_the_next_agent(
    lab: Lab, vmm: Vmm, definition: Definition
) -> None:
    drives, limits, machine = hot(vmm), limiting(vmm), definition.id
    await vmm.start(definition, launch=1)
    added = disk(lab.root)
    try:
        await drives.ensure_drive(machine, added)
    except VmmTrouble as refused:
        pytest.skip(str(refused))
    await drives.ensure_drive(machine, added)
    for limiter in (LIMITER, LIMITER, None):
        await limits.limit_drive(machine, added.id, limiter)
    await vmm.close()
    second = lab.make()
    try:
        await second.adopt(machine)
        os.truncate(added.path, 16 << 20)
        await hot(second).grow_drive(machine, added)
        await limiting(second).limit_drive(machine, added.id, LIMITER)
        await hot(second).ensure_drive(machine, replace(added, path=disk(lab.root).path))
        for unknown in (new_id(), machine):
            with pytest.raises(VmmTrouble, match="no such drive"):
                await limiting(second).limit_drive(machine, unknown, None)
        with pytest.raises(VmmTrouble):
            await hot(second).ensure_drive(machine, replace(disk(lab.root), path=lab.root / "missing.img"))
        await hot(second).ensure_drive(machine, disk(lab.root))
    finally:
        await second.close()


async def test_a_machine_that_is_off_has_no_drives_to_change(lab: Lab, vmm: Vmm, definition: Definition) -> None:
    await vmm.define(definition)
    with pytest.raises(VmmTrouble):
        await limiting(vmm).limit_drive(definition.id, new_id(), LIMITER)
    with pytest.raises(VmmTrouble):
        await hot(vmm).ensure_drive(definition.id, disk(lab.root))
    with pytest.raises(VmmTrouble):
        await hot(vmm).grow_drive(definition.id, disk(lab.root))
