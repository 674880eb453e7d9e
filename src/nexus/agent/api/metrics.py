"""One sample of a machine: what its host sees always, what its guest says where it answers."""

from datetime import datetime
from weakref import WeakKeyDictionary

from nexus.agent.machines.machine import Machine
from nexus.agent.net.port import Network
from nexus.agent.vmm.port import Vmm, VmmCounters
from nexus.protocol.guest import GuestMetrics
from nexus.protocol.machines import HostSideMetrics
from nexus.protocol.metrics import MachineMetrics
from nexus.protocol.trouble import Refused, Trouble

GUEST_PATIENCE_S = 2.0


class MetricsReader:
    """Remembers each machine's last sample, to tell CPU use in between."""

    def __init__(self, vmm: Vmm, network: Network) -> None:
        self._vmm = vmm
        self._network = network
        self._last: WeakKeyDictionary[Machine, tuple[datetime, float]] = WeakKeyDictionary()

    async def read(self, machine: Machine, *, at: datetime) -> MachineMetrics:
        """Raises Refused for a machine that is off."""
        counters = await self._vmm.counters(machine.id)
        if counters is None:
            self._last.pop(machine, None)
            raise Refused("the machine is off")
        return MachineMetrics(
            at=at, host=await self._host_side(machine, counters, at), guest=await self._guest_side(machine)
        )

    async def _host_side(self, machine: Machine, counters: VmmCounters, at: datetime) -> HostSideMetrics:
        seen = [await self._network.counters(nic.id) for nic in machine.state.spec.nics]
        net = [each for each in seen if each is not None]
        return HostSideMetrics(
            cpu_seconds=counters.cpu_seconds,
            cpu_percent=self._cpu_percent(machine, counters.cpu_seconds, at),
            memory_rss_kib=counters.memory_rss_kib,
            disk_read_bytes=counters.disk_read_bytes,
            disk_written_bytes=counters.disk_written_bytes,
            net_received_bytes=sum(each.received_bytes for each in net) if net else None,
            net_sent_bytes=sum(each.sent_bytes for each in net) if net else None,
        )

    async def _guest_side(self, machine: Machine) -> GuestMetrics | None:
        if not machine.link.is_ready:
            return None
        try:
            async with machine.link.client(timeout_s=GUEST_PATIENCE_S) as guest:
                return await guest.metrics()
        except Trouble:
            return None

    def _cpu_percent(self, machine: Machine, cpu_seconds: float, at: datetime) -> float:
        last = self._last.get(machine)
        self._last[machine] = (at, cpu_seconds)
        if last is None or (span_s := (at - last[0]).total_seconds()) <= 0:
            return 0.0
        return max(0.0, round(100 * (cpu_seconds - last[1]) / span_s, 1))
