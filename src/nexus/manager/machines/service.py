"""Taking in what hosts report, and telling those whose machines changed.

What a machine is for (a VM, later a container or a function) is not known here: whoever owns a kind of machine watches
it, in the transaction that records the news.
"""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from nexus.kit.db import Tx
from nexus.manager.hosts.models import HostRef
from nexus.manager.machines import repository
from nexus.manager.machines.repository import Change
from nexus.protocol.hosts import Heartbeat
from nexus.protocol.machines import MachineSeen


class Watcher(Protocol):
    """Called with news about machines, in their transaction; the machines' rows are locked."""

    async def noticed(self, tx: Tx, changes: Sequence[Change]) -> None: ...


class Machines:
    def __init__(self) -> None:
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        """Have `watcher` told of all news; it picks out its own machines."""
        self._watchers.append(watcher)

    async def take_in(self, tx: Tx, host_id: UUID, heartbeat: Heartbeat, *, floor_seq: int) -> list[UUID]:
        """Record a heartbeat's observations. The answer: machines the host has and may discard.

        `floor_seq` is the seq of the host's newest full report of the same boot, 0 after a restart of the host.
        """
        changes = await repository.apply(
            tx,
            host_id,
            heartbeat.machines,
            boot_id=heartbeat.boot_id,
            floor_seq=floor_seq,
            is_full=heartbeat.full,
        )
        present = [one.id for one in heartbeat.machines]
        if heartbeat.full:
            lost = await repository.missing(tx, host_id, present, boot_id=heartbeat.boot_id, seq=heartbeat.seq)
            changes += [Change(machine_id, shows=True) for machine_id in lost]
        await self._tell(tx, changes)
        return await repository.confirmed_gone(tx, host_id, present) if present else []

    async def absorb(self, tx: Tx, host: HostRef, seen: MachineSeen) -> None:
        """Record what an agent answered to a flow. Nobody is told: the flow looks for itself."""
        await repository.apply(tx, host.id, [seen], boot_id=host.boot_id, floor_seq=host.seen_seq, is_full=False)

    async def look_again(self, tx: Tx, host_ids: Sequence[UUID]) -> None:
        """Tell of all machines of these hosts: they have fallen silent, or report again."""
        machine_ids = await repository.lock_on(tx, host_ids)
        await self._tell(tx, [Change(machine_id, shows=False) for machine_id in machine_ids])

    async def _tell(self, tx: Tx, changes: Sequence[Change]) -> None:
        if changes:
            for watcher in self._watchers:
                await watcher.noticed(tx, changes)
