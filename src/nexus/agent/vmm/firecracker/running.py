"""A VMM process that this agent watches, and what is looked at from time to time while it runs."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from nexus.agent.guest.vsock import Dial, answers
from nexus.agent.vmm import logs
from nexus.agent.vmm.firecracker.connection import ApiRefused, ApiTrouble
from nexus.agent.vmm.firecracker.exits import is_powered_off
from nexus.agent.vmm.firecracker.jails import Jailed
from nexus.agent.vmm.firecracker.metrics import MetricsFile
from nexus.agent.vmm.firecracker.record import VmmRecord
from nexus.agent.vmm.port import VmmExit
from nexus.agent.vmm.process import Watch


@dataclass(frozen=True)
class Patience:
    """`look_s`: between two looks at the console; `ping_every`: looks between two questions to the VMM; `misses`:
    questions without an answer, each as long as the connection is patient, until it is ended (fact 13); `guest_s`: how
    long a guest that says it is off may still answer."""

    look_s: float = 1.0
    ping_every: int = 10
    misses: int = 3
    guest_s: float = 2.0


@dataclass
class Running:
    record: VmmRecord
    jailed: Jailed
    watch: Watch
    metrics: MetricsFile
    has_answered: bool
    paused: bool = False
    ending: VmmExit | None = None
    """Why it will be over, known before the process has gone."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Its end has been recorded."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    missed: int = 0
    console_size: int = -1
    console_judged: int = -1

    def hold(self, task: asyncio.Task[None]) -> None:
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def kill(self) -> None:
        if not self.watch.ended.is_set():
            await self.watch.kill()

    async def let_go(self) -> None:
        """Stop watching; the process runs on."""
        self.watch.close()
        for task in self.tasks:
            task.cancel()
        await self.jailed.let_go()

    async def is_silent(self, patience: Patience) -> bool:
        """Ask the VMM whether it is there; True when it has not answered too often in a row."""
        if self.jailed.api.connection.is_busy:
            return False
        try:
            await self.jailed.api.describe()
        except ApiRefused:
            self.missed = 0
        except ApiTrouble:
            self.missed += 1
        else:
            self.missed = 0
        return self.missed >= patience.misses

    async def has_powered_off(self, console: Path, channel: Dial, patience: Patience) -> bool:
        """Whether the guest has switched itself off, which its VMM outlives (fact 19).

        That the console says so is not enough, anybody in the guest can write there: it must also have been the last
        word since the look before, and the guest's agent must be gone."""
        size = logs.size(console)
        is_quiet = size == self.console_size
        self.console_size = size
        if self.paused or not is_quiet or size == self.console_judged:
            return False
        self.console_judged = size
        return is_powered_off(logs.tail(console, limit=256)) and not await answers(channel, within_s=patience.guest_s)
