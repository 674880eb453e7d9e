"""Samples every machine that runs, every some seconds, and tells the manager: what is used now, and minutes to be kept.

Samples are taken one after another through the first half of the interval, so that a host full of machines is not busy
in bursts. What the manager was not there to hear of the present is not repeated; minutes are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from nexus.agent.machines.machine import Machine
from nexus.agent.metrics.host import HostMeter
from nexus.agent.metrics.minutes import Minutes
from nexus.agent.metrics.reader import MetricsReader
from nexus.agent.metrics.usage import Reading, Usage, between
from nexus.agent.vmm.port import VmmTrouble
from nexus.kit import log
from nexus.kit.clock import Clock
from nexus.protocol.machines import Power
from nexus.protocol.metrics import MOST_SAMPLES, SampleAnswer, SampleReport, UsageSample
from nexus.protocol.trouble import Retryable, Trouble

_log = log.get("nexus.agent.metrics")

HOST = UUID(int=0)
"""This host among what has minutes."""
PACED = 0.5
"""The part of the interval through which samples are taken."""

LONGEST_S = 110.0
"""A span that is longer, because this host stood still, says nothing of any minute."""

Tell = Callable[[SampleReport], Awaitable[SampleAnswer]]
"""Delivers to the manager once the host has joined. Raises Retryable."""


class Recorder:
    def __init__(
        self,
        machines: Callable[[], Sequence[Machine]],
        reader: MetricsReader,
        host: HostMeter,
        tell: Tell,
        *,
        clock: Clock,
    ) -> None:
        self._machines = machines
        self._reader = reader
        self._host = host
        self._tell = tell
        self._clock = clock
        self._last: dict[UUID, Reading] = {}
        self._minutes, self._host_minutes = Minutes(), Minutes()

    async def run(self) -> None:
        """Until cancelled."""
        clock = asyncio.get_running_loop().time
        wanted = SampleAnswer(is_wanted=False)
        while True:
            began = clock()
            samples = await self.collect(within_s=PACED * wanted.interval_s) if wanted.is_wanted else ()
            try:
                wanted = await self._deliver(samples)
            except Retryable as away:
                _log.debug("samples_not_delivered", why=str(away))
            await asyncio.sleep(max(0.0, began + wanted.interval_s - clock()))

    async def collect(self, *, within_s: float) -> tuple[UsageSample, ...]:
        """Sample every machine that runs, one by one through `within_s` seconds, and this host."""
        running = [one for one in self._machines() if one.seen().power in (Power.ON, Power.PAUSED)]
        pause_s = within_s / max(1, len(running))
        taking: list[asyncio.Task[UsageSample | None]] = []
        async with asyncio.TaskGroup() as group:
            for machine in running:
                taking.append(group.create_task(self._sample(machine)))
                await asyncio.sleep(pause_s)
        sampled = {one.id for one in running}
        self._last = {machine: last for machine, last in self._last.items() if machine in sampled}
        used = self._host.read()
        if used is not None and used.span_s <= LONGEST_S:
            self._host_minutes.add(HOST, used)
        return tuple(sample for task in taking if (sample := task.result()) is not None)

    async def _sample(self, machine: Machine) -> UsageSample | None:
        try:
            return await self._used(machine)
        except (Trouble, VmmTrouble, OSError) as silent:
            _log.debug("machine_not_sampled", machine_id=str(machine.id), why=str(silent))
        except Exception:  # the supervisor of all samples: one machine must not take the others' away, nor the agent
            _log.exception("machine_not_sampled", machine_id=str(machine.id))
        self._last.pop(machine.id, None)
        return None

    async def _used(self, machine: Machine) -> UsageSample | None:
        reading = await self._reader.take(machine)
        usage = between(self._last.get(machine.id), reading)
        self._last[machine.id] = reading
        if usage is None or usage.span_s > LONGEST_S:
            return None
        self._minutes.add(machine.id, usage)
        return as_sample(machine.id, usage)

    async def _deliver(self, samples: Sequence[UsageSample]) -> SampleAnswer:
        """Tell all there is to tell, in as many reports as that takes. Raises Retryable."""
        now = self._clock.now()
        self._minutes.close(now=now)
        self._host_minutes.close(now=now)
        while True:
            now_told, samples = samples[:MOST_SAMPLES], samples[MOST_SAMPLES:]
            minutes, host_minutes = self._minutes.waiting(MOST_SAMPLES), self._host_minutes.waiting(MOST_SAMPLES)
            answer = await self._tell(
                SampleReport(machines=tuple(now_told), minutes=minutes, host_minutes=host_minutes)
            )
            self._minutes.delivered(len(minutes))
            self._host_minutes.delivered(len(host_minutes))
            if not samples and len(minutes) < MOST_SAMPLES and len(host_minutes) < MOST_SAMPLES:
                return answer


def as_sample(machine: UUID, usage: Usage) -> UsageSample:
    """As managers take it."""
    return UsageSample(
        id=machine,
        span_ms=max(1, round(1000 * usage.span_s)),
        cpu_percent=usage.cpu_percent,
        memory_used_kib=usage.memory_used_kib,
        memory_total_kib=usage.memory_total_kib,
        net_in_bytes=usage.net[0] if usage.net else None,
        net_out_bytes=usage.net[1] if usage.net else None,
        disk_read_bytes=usage.disk[0] if usage.disk else None,
        disk_write_bytes=usage.disk[1] if usage.disk else None,
        source=usage.cpu_source,
    )
