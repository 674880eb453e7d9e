"""Firecracker processes started before anybody asked, so that a machine waits neither for the jailer's mounts nor for
the kernel's network lock (facts, 9 and section 7).

A spare has its jail, uid, group and a namespace with one TAP device, and waits for its configuration. One that was
taken is replaced in the background, one at a time: launches of the same moment only stand in each other's way.
"""

import asyncio
from collections import deque

from nexus.agent.vmm.firecracker.jails import Jailed, Jails
from nexus.agent.vmm.firecracker.parenthood import reap
from nexus.agent.vmm.port import VmmTrouble
from nexus.kit import log

_log = log.get("nexus.agent.vmm.firecracker")

PORTS = 1
"""Interfaces a spare is ready for; most machines have one. More are added when it is taken."""
PAUSE_AFTER_FAILURE_S = 5.0


class Pool:
    """`size`: spares to keep; 0 makes every process when it is needed."""

    def __init__(self, jails: Jails, *, size: int) -> None:
        self._jails = jails
        self._size = size
        self._spares: deque[Jailed] = deque()
        self._filling: asyncio.Task[None] | None = None
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._spares)

    async def take(self, *, ports: int) -> Jailed:
        """A process to configure, with at least `ports` TAP devices. Raises VmmTrouble."""
        spare = self._next()
        self.fill()
        if spare is None:
            return await self._jails.make(ports=ports)
        try:
            if spare.namespace is not None:
                await asyncio.to_thread(spare.namespace.have_ports, ports)
        except BaseException:
            await self.drop(spare)
            raise
        return spare

    def fill(self) -> None:
        """Have the missing spares made."""
        if self._size > len(self._spares) and not self._is_closed and (self._filling is None or self._filling.done()):
            self._filling = asyncio.create_task(self._fill())

    async def drop(self, jailed: Jailed) -> None:
        """End it and remove its jail."""
        await jailed.let_go()
        await self._jails.remove(jailed.id, jailed.uid)
        reap(jailed.process.pid)

    async def close(self) -> None:
        """Drain: no spare is left behind. Harmless when repeated."""
        self._is_closed = True
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)
            self._filling = None
        while self._spares:
            await self.drop(self._spares.popleft())

    def _next(self) -> Jailed | None:
        """One that still runs."""
        while self._spares:
            spare = self._spares.popleft()
            if spare.process.is_alive():
                return spare
            asyncio.ensure_future(self.drop(spare))  # noqa: RUF006
        return None

    async def _fill(self) -> None:
        while len(self._spares) < self._size:
            try:
                self._spares.append(await self._jails.make(ports=PORTS))
            except VmmTrouble as refused:
                _log.warning("no_spare_vmm", why=str(refused))
                await asyncio.sleep(PAUSE_AFTER_FAILURE_S)
