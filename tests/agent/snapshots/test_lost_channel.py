"""A guest whose channel does not outlive the pause of a snapshot, as a vsock's does not."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.agent.lab import AgentClient, ImageSet
from tests.agent.snapshots.lab import booted, taken

from nexus.agent.guest.transport import ByteStream, Transport
from nexus.agent.vmm.fake import FakeVmm


class Lossy:
    """A simulated guest's transport, lost when it is saved, and back only when somebody waits for it."""

    def __init__(self, whole: Transport, lab: "Losing") -> None:
        self._whole = whole
        self._lab = lab

    @property
    def is_ready(self) -> bool:
        return self._whole.is_ready and not self._lab.is_lost

    async def open(self) -> ByteStream:
        if not self.is_ready:
            raise ConnectionResetError("the guest is not there")
        return await self._whole.open()

    async def run(self, *, on_ready: Callable[[], None], on_lost: Callable[[str], None]) -> None:
        self._lab.on_ready, self._lab.on_lost = on_ready, on_lost
        await self._whole.run(on_ready=on_ready, on_lost=on_lost)


class Losing:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_lost = False
        self.on_ready: Callable[[], None] = lambda: None
        self.on_lost: Callable[[str], None] = lambda _why: None
        transport, resume, save = FakeVmm.transport, FakeVmm.resume, FakeVmm.save

        def lossy(vmm: FakeVmm, machine: UUID) -> Transport:
            return Lossy(transport(vmm, machine), self)

        async def saving(vmm: FakeVmm, machine: UUID, into: Path) -> Any:
            self.is_lost = True
            self.on_lost("it was saved")
            return await save(vmm, machine, into)

        async def resuming(vmm: FakeVmm, machine: UUID) -> None:
            await resume(vmm, machine)
            asyncio.get_running_loop().call_later(0.05, self.come_back)

        monkeypatch.setattr(FakeVmm, "transport", lossy)
        monkeypatch.setattr(FakeVmm, "save", saving)
        monkeypatch.setattr(FakeVmm, "resume", resuming)

    def come_back(self) -> None:
        self.is_lost = False
        self.on_ready()


async def test_it_is_thawed_when_the_channel_is_there_again_and_the_snapshot_is_consistent(
    agent: AgentClient, fake_images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    losing = Losing(monkeypatch)
    spec = await booted(agent, fake_images)
    seen = await taken(agent, spec.id)
    assert not losing.is_lost
    assert (seen.is_consistent, seen.warning) == (True, None)
