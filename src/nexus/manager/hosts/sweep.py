"""Noticing silence: a host that stops reporting says nothing, so somebody has to look."""

import time
from datetime import timedelta
from uuid import UUID

from nexus.kit.db import Db
from nexus.manager.hosts import repository
from nexus.manager.hosts.models import HEARTBEAT_S, SILENT_AFTER_S
from nexus.manager.machines.service import Machines
from nexus.manager.sweeps import Sweep


class SilenceSweep:
    """Tells of the machines of hosts that have fallen silent since it last looked. A manager that has not swept for a
    while tells all anew: that changes nothing where it was told already."""

    def __init__(self, db: Db, machines: Machines) -> None:
        self._db = db
        self._machines = machines
        self._known: set[UUID] = set()
        self._looked_at = 0.0

    def as_sweep(self) -> Sweep:
        return Sweep("silent_hosts", timedelta(seconds=HEARTBEAT_S), self.run)

    async def run(self) -> int:
        """How many hosts have fallen silent."""
        if time.monotonic() - self._looked_at > SILENT_AFTER_S:
            self._known = set()
        self._looked_at = time.monotonic()
        silent = set(await repository.silent(self._db))
        fresh = sorted(silent - self._known)
        for host_id in fresh:
            async with self._db.transaction() as tx:
                await self._machines.look_again(tx, [host_id])
        self._known = silent
        return len(fresh)
