"""Reading a machine's counters: one collection, whoever asks.

Readers may be the viewers of any number of managers and our own recorder. Within half a second they share a reading, so
that many cost what one does, and none shortens the time over which another's figures are.
"""

import asyncio
import time
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from nexus.agent.guest.asking import ask
from nexus.agent.machines.machine import Machine
from nexus.agent.metrics.live import sample
from nexus.agent.metrics.usage import Reading, between
from nexus.agent.net.port import NetCounters, NetTrouble, Network
from nexus.agent.vmm.port import Vmm
from nexus.kit import log
from nexus.kit.clock import Clock
from nexus.protocol.guest import GuestMetrics
from nexus.protocol.machines import Power
from nexus.protocol.metrics import MachineMetrics
from nexus.protocol.trouble import Refused, Trouble

_log = log.get("nexus.agent.metrics")

SHARED_S = 0.5
GUEST_PATIENCE_S = 2.0


@dataclass
class _Known:
    """The last two readings of a machine."""

    before: Reading | None = None
    last: Reading | None = None
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class MetricsReader:
    def __init__(self, vmm: Vmm, network: Network, *, clock: Clock) -> None:
        self._vmm = vmm
        self._network = network
        self._clock = clock
        self._known: WeakKeyDictionary[Machine, _Known] = WeakKeyDictionary()

    async def live(self, machine: Machine) -> MachineMetrics:
        """A sample, taken now. Raises Refused for a machine that is off."""
        last = await self.take(machine)
        known = self._known.get(machine)
        return sample(last, between(known.before if known else None, last))

    async def take(self, machine: Machine) -> Reading:
        """The counters now, or those of a moment ago. Raises Refused for a machine that is off."""
        known = self._known.setdefault(machine, _Known())
        async with known.reading:
            if known.last is None or time.monotonic() - known.last.clock_s >= SHARED_S:
                known.before, known.last = known.last, await self._read(machine)
            return known.last

    async def _read(self, machine: Machine) -> Reading:
        seen = machine.seen()
        counters = await self._vmm.counters(machine.id)
        if counters is None:
            self._known.pop(machine, None)
            raise Refused("the machine is off")
        guest = None if seen.power is Power.PAUSED else await self._ask_guest(machine)
        net = await self._traffic(machine)
        now, running = self._clock.now(), machine.state.running
        return Reading(
            at=now,
            clock_s=time.monotonic(),
            boot=machine.state.launch,
            age_s=(now - seen.started_at).total_seconds() if seen.started_at else 0.0,
            vcpus=running.vcpus,
            memory_kib=running.memory_mib * 1024,
            cpu_s=counters.cpu_seconds,
            rss_kib=counters.memory_rss_kib,
            disk_read_bytes=counters.disk_read_bytes,
            disk_write_bytes=counters.disk_written_bytes,
            net_in_bytes=sum(each.received_bytes for each in net) if net else None,
            net_out_bytes=sum(each.sent_bytes for each in net) if net else None,
            guest=guest,
        )

    async def _traffic(self, machine: Machine) -> list[NetCounters]:
        """Of its interfaces, as far as the host can see them."""
        try:
            seen = [await self._network.counters(nic.id) for nic in machine.state.running.nics]
        except NetTrouble as refused:
            _log.debug("traffic_not_read", machine_id=str(machine.id), why=str(refused))
            return []
        return [each for each in seen if each is not None]

    async def _ask_guest(self, machine: Machine) -> GuestMetrics | None:
        if not machine.link.is_ready:
            return None
        try:
            async with machine.link.stream() as stream:
                return await ask(GuestMetrics, stream, "/v1/metrics", timeout_s=GUEST_PATIENCE_S)
        except (Trouble, ConnectionError):
            return None
