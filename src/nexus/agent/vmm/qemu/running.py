"""A VMM process that this agent watches."""

import asyncio
from dataclasses import dataclass, field

from nexus.agent.vmm.port import VmmExit
from nexus.agent.vmm.process import Watch
from nexus.agent.vmm.qemu.qmp import Qmp
from nexus.agent.vmm.qemu.record import VmmRecord


@dataclass
class Running:
    """`record` is what is on disk of it, or is to be."""

    record: VmmRecord
    watch: Watch
    qmp: Qmp | None = None
    paused: bool = False
    ending: VmmExit | None = None
    """Why it will be over, known before the process has gone."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Its end has been recorded."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def close(self) -> None:
        """Let go of it; it runs on."""
        self.watch.close()
        for task in self.tasks:
            task.cancel()
        if self.qmp is not None:
            await self.qmp.close()
