"""Snapshots that are on their way: out of this host, and into it.

Must stay true: what is being read is not removed under its reader; what is coming in is known as long as somebody may
ask for it, and is removed with what has come of it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

from nexus.agent.snapshots.exporting import Export, exporting
from nexus.agent.snapshots.importing import Here, Importing
from nexus.agent.snapshots.lineage import Kept, SnapshotUnusable
from nexus.agent.snapshots.store import SnapshotStore
from nexus.agent.vmm.port import Snapshots, Vmm
from nexus.protocol.snapshots import SnapshotSeen
from nexus.protocol.trouble import Gone, Refused


class Transfers:
    def __init__(self, store: SnapshotStore, vmm: Vmm) -> None:
        self._store = store
        self._vmm = vmm
        self._read = Counter[UUID]()
        self._importings: dict[UUID, Importing] = {}
        self._receiving: dict[UUID, asyncio.Task[Kept]] = {}

    def list(self) -> tuple[SnapshotSeen, ...]:
        """Those that are coming in, or could not."""
        return tuple(each.seen() for each in self._importings.values())

    def find(self, snapshot: UUID) -> SnapshotSeen | None:
        """One that is coming in, or could not."""
        importing = self._importings.get(snapshot)
        return importing.seen() if importing else None

    @asynccontextmanager
    async def export(self, snapshot: UUID) -> AsyncGenerator[Export]:
        """A snapshot, ready to be sent, which stays as long. Raises Gone, Refused for one that is unusable, OSError."""
        if self._store.find(snapshot) is None:
            raise Gone(f"this host has no snapshot {snapshot}")
        self._read[snapshot] += 1
        try:
            async with exporting(self._store, snapshot) as export:
                yield export
        except SnapshotUnusable as unusable:
            raise Refused(str(unusable)) from unusable
        finally:
            self._read[snapshot] -= 1

    async def receive(self, snapshot: UUID, pieces: AsyncGenerator[bytes]) -> SnapshotSeen:
        """Take a snapshot in. Raises Refused for what cannot be taken in, or is not wanted any more; Gone for one that
        was deleted here; OSError."""
        if not isinstance(self._vmm, Snapshots):
            raise Refused("this host's hypervisor takes no snapshots")
        if self._store.was_deleted(snapshot):
            raise Gone(f"the snapshot {snapshot} was deleted on this host")
        if self._store.find(snapshot) is not None or snapshot in self._importings:
            raise Refused(f"this host has the snapshot {snapshot} already")
        importing = self._importings[snapshot] = Importing(snapshot)
        vmm = self._vmm
        here = Here(driver=vmm.name, version=vmm.version, acceleration=vmm.acceleration, cpu=vmm.cpu)
        task = asyncio.create_task(importing.receive(self._store, here, pieces))
        self._receiving[snapshot] = task
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            del self._receiving[snapshot]
        if task.cancelled():
            raise Refused(f"the snapshot {snapshot} is not wanted any more")
        kept = task.result()
        self._importings.pop(snapshot, None)
        return kept.seen()

    async def discard(self, snapshot: UUID) -> None:
        """Leave nothing of one that is coming in, or could not. Raises Refused for one that is being read."""
        if self._read[snapshot]:
            raise Refused("it is being exported")
        if (task := self._receiving.get(snapshot)) is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._importings.pop(snapshot, None)
