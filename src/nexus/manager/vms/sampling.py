"""Metrics once a second, however many people watch: one collection a machine, handed to every viewer.

A viewer that falls behind misses samples, never delays others. With the last viewer the collection ends.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

from nexus.manager.agents.client import Agent
from nexus.manager.metrics.errors import MetricsDisabled
from nexus.protocol.metrics import MachineMetrics
from nexus.protocol.trouble import Gone, Refused, Retryable, Trouble

EVERY_S = 1.0

Seat = asyncio.Queue[MachineMetrics | Gone]
"""Where a viewer finds the newest sample, or the machine's end."""


class Sampler:
    def __init__(self, *, is_disabled: bool) -> None:
        self._is_disabled = is_disabled
        self._seats: dict[UUID, list[Seat]] = {}
        self._collecting: dict[UUID, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def watching(self, agent: Agent, machine_id: UUID) -> AsyncGenerator[Seat]:
        """A seat in front of this machine. Raises MetricsDisabled."""
        if self._is_disabled:
            raise MetricsDisabled
        seat: Seat = asyncio.Queue(maxsize=1)
        seats = self._seats.setdefault(machine_id, [])
        seats.append(seat)
        if machine_id not in self._collecting:
            self._collecting[machine_id] = asyncio.create_task(self._collect(agent, machine_id, seats))
        try:
            yield seat
        finally:
            seats.remove(seat)
            if not seats:
                del self._seats[machine_id]
                await _end(self._collecting.pop(machine_id))

    async def close(self) -> None:
        """Stop collecting; viewers get no more."""
        for task in self._collecting.values():
            await _end(task)

    async def _collect(self, agent: Agent, machine_id: UUID, seats: list[Seat]) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            try:
                self._hand_out(seats, await agent.observe_metrics(machine_id))
            except Gone as gone:
                self._hand_out(seats, gone)
            except (Refused, Retryable, Trouble):
                pass
            due = max(due + EVERY_S, clock())
            await asyncio.sleep(due - clock())

    @staticmethod
    def _hand_out(seats: list[Seat], news: MachineMetrics | Gone) -> None:
        for seat in seats:
            if seat.full():
                seat.get_nowait()
            seat.put_nowait(news)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
