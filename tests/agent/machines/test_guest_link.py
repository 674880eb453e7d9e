"""A machine's end of its guest channel."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from nexus.agent.machines.guest_link import GuestLink
from nexus.agent.vmm import fake_guest
from nexus.agent.vmm.fake import FakeVmm
from nexus.kit.clock import SystemClock
from nexus.protocol.guest import GuestHealth
from nexus.protocol.machines import MOST_WARNINGS, MachineSeen, Power


async def test_a_channel_that_could_not_be_made_is_made_the_next_time(short_tmp: Path) -> None:
    vmm, machine = FakeVmm(machines=short_tmp, clock=SystemClock()), uuid4()
    in_the_way = short_tmp / "m"
    in_the_way.touch()
    link = GuestLink(in_the_way / "guest.sock", changed=lambda: None)
    with pytest.raises(OSError, match="exists"):
        await link.open(vmm.transport(machine))
    in_the_way.unlink()
    await link.open(vmm.transport(machine))
    assert await link.wait_ready(5)
    await link.close()


async def test_what_a_guest_says_of_itself_is_kept_short_and_printable_until_it_is_gone(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ("no route to the gateway", "\x1b[31mred\nlines\0" + "x" * 1000, *("more",) * 100)
    health = GuestHealth(version="1", protocol=1, boot_ms=1, warnings=said)

    def say(**_: object) -> GuestHealth:
        return health

    monkeypatch.setattr(fake_guest, "GuestHealth", say)
    vmm, machine, changed = FakeVmm(machines=short_tmp, clock=SystemClock()), uuid4(), asyncio.Event()
    link = GuestLink(short_tmp / "m/guest.sock", changed=changed.set)
    await link.open(vmm.transport(machine))
    async with asyncio.timeout(60):
        while not link.warnings:
            await changed.wait()
            changed.clear()
    assert link.warnings[0] == "no route to the gateway"
    assert len(link.warnings) == MOST_WARNINGS
    assert link.warnings[1].startswith(" [31mred lines xxx")
    seen = MachineSeen(id=machine, seq=1, generation=1, power=Power.ON, warnings=link.warnings)
    assert MachineSeen.model_validate_json(seen.model_dump_json()) == seen
    await link.close()
    assert link.warnings == ()


async def test_a_guest_that_is_to_be_told_who_it_is_is_asked_nothing_before(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def say(**told: Any) -> GuestHealth:
        asked.append(True)
        return GuestHealth(version="1", protocol=1, boot_ms=1, warnings=("it was asked",))

    monkeypatch.setattr(fake_guest, "GuestHealth", say)
    vmm, is_awaking = FakeVmm(machines=short_tmp, clock=SystemClock()), True
    changed = asyncio.Event()
    link = GuestLink(short_tmp / "m/guest.sock", changed=changed.set, is_awaking=lambda: is_awaking)
    await link.open(vmm.transport(uuid4()))
    assert await link.wait_ready(60)
    await changed.wait()
    is_awaking = False
    await link.close()
    assert asked == []
    await link.open(vmm.transport(uuid4()))
    async with asyncio.timeout(60):
        while not link.warnings:
            await changed.wait()
            changed.clear()
    assert asked == [True]
    await link.close()
