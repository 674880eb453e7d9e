"""What changed and has not been told to the manager yet: the newest observation of each machine, in order of change."""

import asyncio
import contextlib
from uuid import UUID

from nexus.protocol.machines import MachineSeen, Power

GATHERING_S = 0.05
"""How long news may wait for more that only say how far a machine has come: a boot has many stages, and soon is over
them."""


class Outbox:
    """Filled by the machines, emptied by the manager link. What could not be delivered is put back, unless something
    newer came meanwhile."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, MachineSeen] = {}
        self._last: dict[UUID, MachineSeen] = {}
        self._filled = asyncio.Event()
        self._urgent = asyncio.Event()

    def put(self, seen: MachineSeen) -> None:
        self._waiting.pop(seen.id, None)
        self._waiting[seen.id] = seen
        self._filled.set()
        last = self._last.get(seen.id)
        if seen.power is not Power.OFF if last is None else _says_more_than_stage(last, seen):
            self._urgent.set()
        if seen.power is Power.ABSENT:
            self._last.pop(seen.id, None)
        else:
            self._last[seen.id] = seen

    def take(self) -> tuple[MachineSeen, ...]:
        taken = tuple(self._waiting.values())
        self._waiting.clear()
        self._filled.clear()
        self._urgent.clear()
        return taken

    def put_back(self, undelivered: tuple[MachineSeen, ...]) -> None:
        newer = self._waiting
        self._waiting = {seen.id: seen for seen in undelivered if seen.id not in newer} | newer
        if self._waiting:
            self._filled.set()
            self._urgent.set()

    async def wait(self) -> None:
        """Until there is something to tell, and it is urgent or has waited for more."""
        await self._filled.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GATHERING_S):
                await self._urgent.wait()


def _says_more_than_stage(last: MachineSeen, seen: MachineSeen) -> bool:
    """Whether there is news besides what has been accepted and begun, which whoever asked for it was told."""
    same = {"seq": seen.seq, "stage": seen.stage, "generation": seen.generation, "boot": seen.boot}
    return last.model_copy(update=same) != seen
