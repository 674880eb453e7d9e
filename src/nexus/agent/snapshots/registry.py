"""All snapshots of this host: takes wishes for them in, gives out how far they are.

What is being taken is known here alone: after a restart of the agent nothing of it is left, and whoever wants it asks
again. A machine's own worker does the taking, between its other moves. What a diff is over stays as long as the diff
does, also while that is being taken.
"""

import asyncio
import contextlib
from uuid import UUID

from nexus.agent.machines.machine import Machine
from nexus.agent.machines.registry import Machines
from nexus.agent.snapshots import layout
from nexus.agent.snapshots.lineage import Kept, SnapshotUnusable
from nexus.agent.snapshots.store import SnapshotStore
from nexus.agent.snapshots.taking import Taking
from nexus.agent.snapshots.transfers import Transfers
from nexus.agent.vmm.port import Snapshots, Vmm
from nexus.protocol.snapshots import MOST_DIFFS, SnapshotSeen, SnapshotType, SnapshotWish
from nexus.protocol.trouble import Gone, Refused


class SnapshotRegistry:
    def __init__(self, store: SnapshotStore, machines: Machines, vmm: Vmm, transfers: Transfers) -> None:
        self._store = store
        self._transfers = transfers
        self._machines = machines
        self._vmm = vmm
        self._takings: dict[UUID, Taking] = {}

    def list(self) -> tuple[SnapshotSeen, ...]:
        kept = {each.manifest.id: each.seen() for each in self._store.list()}
        return tuple(
            (
                {each.id: each for each in self._transfers.list()}
                | {each.id: each.seen() for each in self._takings.values()}
                | kept
            ).values()
        )

    def seen(self, snapshot: UUID) -> SnapshotSeen:
        """Raises Gone."""
        if (kept := self._store.find(snapshot)) is not None:
            self._takings.pop(snapshot, None)
            return kept.seen()
        if (taking := self._takings.get(snapshot)) is not None:
            return taking.seen()
        if (incoming := self._transfers.find(snapshot)) is not None:
            return incoming
        raise Gone(f"this host has no snapshot {snapshot}")

    async def take(self, machine: UUID, snapshot: UUID, wish: SnapshotWish) -> SnapshotSeen:
        """Have it taken; the answer may wait for that as long as the wish says. Raises Gone, Refused."""
        seen, taking = self.ensure(machine, snapshot, wish), self._takings.get(snapshot)
        if taking is None or not wish.patience_ms:
            return seen
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wish.patience_ms / 1000):
                await taking.ended.wait()
        return self.seen(snapshot)

    def ensure(self, machine: UUID, snapshot: UUID, wish: SnapshotWish) -> SnapshotSeen:
        """Begin to take it, unless it is there, being taken or has failed. Raises Gone, Refused."""
        if self._store.find(snapshot) is None and snapshot not in self._takings:
            if self._store.was_deleted(snapshot):
                raise Gone(f"the snapshot {snapshot} was deleted on this host")
            found = self._machines.get(machine)
            self._check(found)
            parent = self._parent(machine, wish) if wish.type is SnapshotType.DIFF else None
            self._takings[snapshot] = taking = Taking(snapshot, machine, parent=parent)
            found.takings.add(taking)
        seen = self.seen(snapshot)
        if seen.machine != machine:
            raise Refused(f"the snapshot {snapshot} is another machine's")
        return seen

    async def discard(self, snapshot: UUID) -> None:
        """Leave nothing of it; absent is success. Raises Refused while it is needed, OSError."""
        for machine in self._machines.all():
            restore = machine.state.restore_due
            if restore is not None and restore.snapshot == snapshot:
                raise Refused(f"the machine {machine.state.spec.guest.hostname} is about to begin from it")
        if needing := self._needing(snapshot):
            raise Refused(f"the snapshot {needing} is a diff over it")
        await self._transfers.discard(snapshot)
        if (taking := self._takings.get(snapshot)) is not None:
            self._withdraw(taking)
            await taking.ended.wait()
            self._takings.pop(snapshot, None)
        await self._store.discard(snapshot)

    def _needing(self, snapshot: UUID) -> UUID | None:
        """A diff over it, also one that is yet to be taken."""
        kept = (each.manifest.id for each in self._store.needing(snapshot))
        takings = (each for each in self._takings.values() if each.parent and not each.ended.is_set())
        return next(kept, next((each.id for each in takings if each.parent == snapshot), None))

    def _withdraw(self, taking: Taking) -> None:
        for machine in self._machines.all():
            if machine.id == taking.machine:
                machine.takings.withdraw(taking)

    def _parent(self, machine: UUID, wish: SnapshotWish) -> UUID:
        """What a diff is to be over. Raises Refused."""
        if wish.parent is None:
            raise Refused("a diff needs a parent")
        kept = self._store.find(wish.parent)
        if kept is None or kept.manifest.machine != machine or self._store.was_deleted(wish.parent):
            raise Refused(f"this host has no snapshot {wish.parent} of this machine, which the diff was to be over")
        if self._diffs_of(kept) >= MOST_DIFFS:
            raise Refused(f"it would be over {MOST_DIFFS} diffs already; take a full one")
        return wish.parent

    def _diffs_of(self, kept: Kept) -> int:
        """How many diffs it is made of. Raises Refused."""
        try:
            return len(self._store.lineage(kept).links) - 1
        except SnapshotUnusable as refused:
            raise Refused(str(refused)) from refused

    def _check(self, machine: Machine) -> None:
        """Raises Refused."""
        state = machine.state
        if not isinstance(self._vmm, Snapshots):
            raise Refused("this host's hypervisor takes no snapshots")
        if state.discarding:
            raise Refused("the machine is being deleted")
        if state.boot == 0:
            raise Refused("the machine has never been started, so there is nothing to keep")
        if state.restore_due is not None:
            raise Refused("the machine is about to begin from a snapshot itself")
        if (disk := layout.unkept_drive(state.spec)) is not None:
            raise Refused(f"drive {disk.drive_id} is a file of the host's own, which no snapshot can hold")
        if (why_not := machine.why_no_snapshot()) is not None:
            raise Refused(why_not)
