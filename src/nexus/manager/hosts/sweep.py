"""Noticing silence: a host that stops reporting says nothing, so somebody has to look."""

import time
from datetime import timedelta
from uuid import UUID

from nexus.kit.db import Db
from nexus.manager import audit, events
from nexus.manager.hosts import hearing
from nexus.manager.hosts.leaving import HostLeaving
from nexus.manager.hosts.models import KIND, SILENT_AFTER_S
from nexus.manager.machines.service import Machines
from nexus.manager.subjects import Subject
from nexus.manager.sweeps import Sweep

LOOK_EVERY_S = 2.0
LISTEN_FIRST_S = SILENT_AFTER_S
"""A manager that has just come up has not heard anybody yet, and finds nobody silent before this is over."""


class SilenceSweep:
    """Finds hosts silent and tells of their machines, and of those of hosts that were given up by a manager that then
    died."""

    def __init__(self, db: Db, machines: Machines, leaving: HostLeaving) -> None:
        self._db = db
        self._machines = machines
        self._leaving = leaving
        self._listens_since = self._looked_at = 0.0

    def as_sweep(self) -> Sweep:
        return Sweep("silent_hosts", timedelta(seconds=LOOK_EVERY_S), self.run)

    async def run(self) -> int:
        """How many hosts were found silent or written off."""
        written_off = await self._leaving.write_off_all()
        now = time.monotonic()
        if now - self._looked_at > SILENT_AFTER_S:
            self._listens_since = now
        self._looked_at = now
        if now - self._listens_since < LISTEN_FIRST_S:
            return written_off
        found = [await self._find_silent(host_id) for host_id in await hearing.overdue(self._db)]
        return written_off + sum(found)

    async def _find_silent(self, host_id: UUID) -> bool:
        async with self._db.transaction() as tx:
            machine_ids = await self._machines.lock_on(tx, host_id)
            name = await hearing.note_silence(tx, host_id)
            if name is None:
                return False
            subject = Subject(KIND, host_id, name)
            await audit.write(tx, None, verb="find-silent", subject=subject, details={"machines": len(machine_ids)})
            await events.emit(tx, type="host.silent", subject=subject, owner_user_id=None)
            await self._machines.look_again(tx, machine_ids)
        return True
