"""A machine's end of its guest channel."""

from pathlib import Path
from uuid import uuid4

import pytest

from nexus.agent.machines.guest_link import GuestLink
from nexus.agent.vmm.fake import FakeVmm
from nexus.kit.clock import SystemClock


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
