"""What changed and has not been told to the manager yet: the newest observation of each machine, in order of change."""

import asyncio
from uuid import UUID

from nexus.protocol.machines import MachineSeen


class Outbox:
    """Filled by the machines, emptied by the manager link. What could not be delivered is put back, unless something
    newer came meanwhile."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, MachineSeen] = {}
        self._filled = asyncio.Event()

    def put(self, seen: MachineSeen) -> None:
        self._waiting.pop(seen.id, None)
        self._waiting[seen.id] = seen
        self._filled.set()

    def take(self) -> tuple[MachineSeen, ...]:
        taken = tuple(self._waiting.values())
        self._waiting.clear()
        self._filled.clear()
        return taken

    def put_back(self, undelivered: tuple[MachineSeen, ...]) -> None:
        newer = self._waiting
        self._waiting = {seen.id: seen for seen in undelivered if seen.id not in newer} | newer
        if self._waiting:
            self._filled.set()

    async def wait(self) -> None:
        """Until there is something to tell."""
        await self._filled.wait()
