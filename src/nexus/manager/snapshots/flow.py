"""How a snapshot comes to be and goes: its host takes it, what it was taken for is done, and in the end it is removed.

`lifecycle.decide` names the next step; this module only carries it out. A snapshot that cannot be taken leaves its VM
as it was. Removing needs nothing but its host's word.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from nexus.kit.db import Tx
from nexus.kit.problems import Problem
from nexus.manager import events
from nexus.manager.agents.pool import Agents
from nexus.manager.flows import Flow, Flows, Next, finish, hop, in_tx, nap, on_agent
from nexus.manager.machines import service as machines
from nexus.manager.operations import Operation, Operations
from nexus.manager.operations.models import Status
from nexus.manager.snapshots import chain_rows, repository
from nexus.manager.snapshots.errors import ClonesFailed, SnapshotFailed, SnapshotOverdue
from nexus.manager.snapshots.lifecycle import Facts, Move, decide, obstacle
from nexus.manager.snapshots.models import FLOW, Purpose, Snapshot, SnapshotState
from nexus.manager.snapshots.repository import Clone
from nexus.manager.snapshots.service import Snapshots
from nexus.manager.vms import copying
from nexus.manager.vms import service as vms
from nexus.manager.vms.errors import VmNotFound
from nexus.manager.vms.lifecycle import Verb
from nexus.manager.vms.models import FLOW as VM_FLOW
from nexus.manager.vms.models import Vm
from nexus.manager.vms.service import Vms
from nexus.protocol.snapshots import SnapshotSeen, SnapshotType, SnapshotWish
from nexus.protocol.snapshots import SnapshotState as SeenState
from nexus.protocol.trouble import Gone, Refused

LOOK_AGAIN_S = 0.2
"""How often a host is asked how far it is, where that takes longer than PATIENCE_MS, and whether it knows the VM."""
PATIENCE_MS = 400
"""How long a host may take to answer with a snapshot that is there: enough for a small VM's."""
WAITING_S = 1.0
"""How often VMs are looked at that are to go off, or to begin: as a rule their own flows wake this one."""
ARRIVING_S = 1.0
"""How often a host is asked how far an archive has come in."""
CHANGED = "Drives or NICs of its VM were added or removed while it was taken."
KEPT_FOR_NOW_S = 15.0
"""When to ask again a host that still needs what it is to remove."""
TAKEN_AT_PERCENT = {Purpose.KEEP: 100, Purpose.SUSPEND: 80, Purpose.CLONE: 50}
"""How much of what was asked for is done when the snapshot is there."""


@dataclass(frozen=True)
class Moving:
    """A snapshot with what deciding on it takes. `promise`: the operation that brings it about, while that runs."""

    snapshot: Snapshot
    vm: Vm | None
    promise: Operation | None
    clones: tuple[Clone, ...] = ()
    goes_after_diffs: bool = False

    @property
    def facts(self) -> Facts:
        snapshot = self.snapshot
        return Facts(
            purpose=snapshot.purpose,
            state=snapshot.state,
            is_wanted=snapshot.is_wanted,
            host_is_lost=snapshot.host_is_lost,
            is_promised=self.promise is not None,
            is_imported=snapshot.is_imported,
            vm=self.vm.machine.facts if self.vm else None,
            vm_generation=snapshot.vm_generation,
            goes_after_diffs=self.goes_after_diffs,
            clones_move=any(clone.status == Status.RUNNING for clone in self.clones),
        )


class SnapshotFlow(Flow[Moving]):
    name = FLOW

    def __init__(
        self, agents: Agents, flows: Flows, operations: Operations, *, snapshots: Snapshots, service: Vms
    ) -> None:
        self._agents = agents
        self._flows = flows
        self._operations = operations
        self._snapshots = snapshots
        self._vms = service

    async def load(self, tx: Tx, subject_id: UUID) -> Moving | None:
        vm = await _vm_of(tx, subject_id)
        snapshot = await repository.lock_any(tx, subject_id)
        if snapshot is None:
            return None
        promise = await self._operations.running(tx, snapshot.subject, verb=snapshot.verb)
        clones = await repository.clones(tx, subject_id) if snapshot.purpose is Purpose.CLONE else ()
        goes_after_diffs = not snapshot.is_wanted and await chain_rows.goes_after_diffs(tx, subject_id)
        return Moving(snapshot, vm, promise, tuple(clones), goes_after_diffs)

    def decide(self, facts: Moving) -> str | Next:
        move = decide(facts.facts)
        if move is Move.REST:
            return finish()
        if move is Move.WAIT and facts.goes_after_diffs:
            return nap(KEPT_FOR_NOW_S, "diffs over it go first")
        if move is Move.WAIT and facts.facts.clones_move and facts.snapshot.state is SnapshotState.COMPLETED:
            return "count"
        if move is Move.WAIT:
            is_creating = facts.snapshot.state is SnapshotState.CREATING
            return nap(LOOK_AGAIN_S if is_creating else WAITING_S, "its VM comes to rest")
        return move.value

    async def absorb(self, tx: Tx, facts: Moving, found: object) -> None:
        if not isinstance(found, SnapshotSeen):
            raise TypeError(f"a snapshot's step found {found!r}")
        vm = await _vm_of(tx, facts.snapshot.id)
        snapshot = await repository.lock_any(tx, facts.snapshot.id)
        if snapshot is None or snapshot.state is not SnapshotState.CREATING:
            return
        if found.state is SeenState.READY and vm is not None and await _has_changed(tx, snapshot, vm):
            await repository.note_size(tx, snapshot.id, found.size_bytes)
            await self._fail(tx, replace(facts, snapshot=snapshot, vm=vm), CHANGED)
        elif found.state is SeenState.READY:
            await self._complete(tx, replace(facts, snapshot=snapshot, vm=vm), found)
        elif found.state is SeenState.FAILED:
            await self._fail(tx, replace(facts, snapshot=snapshot, vm=vm), found.fault or "Its host does not say why.")
        else:
            percent = int((found.progress or 0) * TAKEN_AT_PERCENT[snapshot.purpose] * 0.99)
            await self._operations.progress(tx, snapshot.subject, generation=1, percent=percent, stage=found.stage)

    @on_agent
    async def take(self, facts: Moving) -> Next:
        """Have its host take it, and see how far it is."""
        snapshot = facts.snapshot
        agent = self._agents.of(snapshot.host)
        try:
            wish = SnapshotWish(
                type=snapshot.type,
                parent=snapshot.parent_id if snapshot.type is SnapshotType.DIFF else None,
                patience_ms=PATIENCE_MS,
            )
            seen = await agent.ensure_snapshot(snapshot.machine_id, snapshot.id, wish)
        except Gone as gone:
            seen = SnapshotSeen(
                id=snapshot.id, machine=snapshot.machine_id, state=SeenState.FAILED, fault=f"Its host says: {gone}."
            )
        if seen.state is SeenState.TAKING:
            return nap(LOOK_AGAIN_S, seen.stage or "its host is taking it", seen)
        return hop(found=seen)

    @on_agent
    async def receive(self, facts: Moving) -> Next:
        """See how far its archive has come in; the request that brings it does the rest."""
        snapshot = facts.snapshot
        try:
            seen = await self._agents.of(snapshot.host).observe_snapshot(snapshot.id)
        except Gone:
            if not snapshot.is_overdue:
                return nap(ARRIVING_S, "its archive is about to come in")
            why = "The archive broke off: its host knows nothing of it any more."
            seen = SnapshotSeen(id=snapshot.id, machine=snapshot.machine_id, state=SeenState.FAILED, fault=why)
        if seen.state is SeenState.TAKING:
            return nap(ARRIVING_S, seen.stage or "its archive comes in", seen)
        return hop(found=seen)

    @in_tx
    async def power_off(self, tx: Tx, facts: Moving) -> Next:
        """Its VM stands still and is safe: have it off, to go on from here."""
        if facts.vm is None:
            return hop()
        await self._vms.suspend(tx, facts.snapshot.owner, facts.vm, facts.snapshot.id)
        return nap(WAITING_S, "its VM goes off")

    @in_tx
    async def count(self, tx: Tx, facts: Moving) -> Next:
        """Say how many of its clones have begun by now."""
        snapshot, total = facts.snapshot, len(facts.clones)
        begun = sum(clone.status != Status.RUNNING for clone in facts.clones)
        taken = TAKEN_AT_PERCENT[snapshot.purpose]
        await self._operations.progress(
            tx,
            snapshot.subject,
            generation=snapshot.generation,
            percent=taken + (99 - taken) * begun // total,
            stage=f"{begun} of {total} clones have begun" if total > 1 else "the clone begins",
        )
        return nap(WAITING_S, "its clones begin")

    @in_tx
    async def settle(self, tx: Tx, facts: Moving) -> Next:
        """Keep the promise; of clones, say how many did not come to be."""
        snapshot = facts.snapshot
        failed = [clone.name for clone in facts.clones if clone.status == Status.FAILED]
        problem = ClonesFailed(snapshot.vm_name, failed=failed, total=len(facts.clones)) if failed else None
        await self._operations.settle(tx, snapshot.subject, generation=snapshot.generation, problem=problem)
        if snapshot.keep_last is not None and snapshot.vm_id is not None:
            await self._retire(tx, snapshot.vm_id, keep=snapshot.keep_last)
        if snapshot.purpose is not Purpose.CLONE or await repository.needed_by(tx, snapshot.id):
            return finish()
        await self._snapshots.remove(tx, None, snapshot)
        return hop()

    @in_tx
    async def give_up(self, tx: Tx, facts: Moving) -> Next:
        """Something stands in the way: say so."""
        await self._fail(tx, facts, obstacle(facts.facts) or "It is not known why.")
        return finish()

    @on_agent
    async def discard(self, facts: Moving) -> Next:
        """Have nothing left of it on its host."""
        await self._agents.of(facts.snapshot.host).discard_snapshot(facts.snapshot.id)
        return hop("erase")

    @in_tx
    async def erase(self, tx: Tx, facts: Moving) -> Next:
        """No host has anything of it: remove the row, keep the promise."""
        snapshot = facts.snapshot
        if snapshot.is_wanted:
            return hop()
        await repository.erase(tx, snapshot.id)
        await self._wake_parent(tx, snapshot)
        await self._operations.settle(tx, snapshot.subject, generation=snapshot.generation)
        owner = snapshot.created_by_user_id
        await events.emit(
            tx, type="snapshot.deleted", subject=snapshot.subject, owner_user_id=owner, data=_about(snapshot)
        )
        return finish()

    async def refused(self, tx: Tx, facts: Moving, step: str, error: Refused) -> Next:
        snapshot = facts.snapshot
        if snapshot.is_wanted:
            await self._fail(tx, facts, str(error))
            return finish()
        if snapshot.purpose is not Purpose.KEEP:
            return nap(KEPT_FOR_NOW_S, f"its host will not remove it yet: {error}")
        await repository.want_back(tx, snapshot.id)
        await self._wake_parent(tx, snapshot)
        problem = SnapshotFailed(f"Cannot delete snapshot {snapshot.name}: {error}.")
        await self._operations.settle(tx, snapshot.subject, generation=snapshot.generation, problem=problem)
        await self._tell(tx, snapshot)
        return finish()

    async def overdue(self, tx: Tx, facts: Moving) -> Next:
        """The promise was not kept in time. What was to be taken is given up; what is to go goes on going."""
        snapshot = facts.snapshot
        why = (
            f"its host {snapshot.host.name} has not been heard from" if snapshot.host.is_silent else "it took too long"
        )
        if snapshot.is_wanted:
            problem = SnapshotOverdue(f"Cannot {_wish(snapshot)} in time: {why}.", suggestion="Try again.")
            await self._fail(tx, facts, f"It was not done in time: {why}.", problem)
            return finish()
        problem = SnapshotOverdue(f"Cannot delete snapshot {snapshot.name} in time: {why}. It goes when it can.")
        await self._operations.settle(tx, snapshot.subject, generation=snapshot.generation, problem=problem)
        return hop()

    async def _complete(self, tx: Tx, facts: Moving, seen: SnapshotSeen) -> None:
        """Record what its host has taken, and have those go on that wait for it."""
        snapshot = facts.snapshot
        await repository.complete(tx, snapshot.id, seen)
        if snapshot.purpose is Purpose.KEEP and facts.vm is not None:
            await vms.note_snapshot(tx, facts.vm.id, snapshot.id)
        percent = min(TAKEN_AT_PERCENT[snapshot.purpose], 99)
        await self._operations.progress(tx, snapshot.subject, generation=snapshot.generation, percent=percent)
        await self._wake_waiting(tx, snapshot)
        await self._tell(tx, snapshot)

    async def _fail(self, tx: Tx, facts: Moving, why: str, problem: Problem | None = None) -> None:
        """Say why it did not come to be, and have its VM be what it was."""
        snapshot, vm = facts.snapshot, facts.vm
        if snapshot.state is SnapshotState.CREATING:
            await repository.note_fault(tx, snapshot.id, why)
        problem = problem or SnapshotFailed(
            f"Cannot {_wish(snapshot)}: {_lowered(why).removesuffix('.')}.", suggestion="Mend that, then try again."
        )
        await self._operations.settle(tx, snapshot.subject, generation=snapshot.generation, problem=problem)
        is_ours = vm is not None and vm.machine.facts.generation == snapshot.vm_generation
        if vm is not None and is_ours and snapshot.resumes and not vm.machine.facts.obstacle:
            await self._vms.let_go_on(tx, snapshot.owner, vm, why="It could not be suspended.")
        await self._wake_waiting(tx, snapshot)
        await self._tell(tx, snapshot)

    async def _wake_waiting(self, tx: Tx, snapshot: Snapshot) -> None:
        for waiting in await vms.of_machines(tx, await machines.awaiting(tx, snapshot.id)):
            await self._flows.open(tx, flow=VM_FLOW, subject=waiting.subject)

    async def _wake_parent(self, tx: Tx, diff: Snapshot) -> None:
        """What it is over may be waiting to know what becomes of it."""
        if diff.type is SnapshotType.DIFF and diff.parent_id is not None:
            await self._flows.wake(tx, replace(diff.subject, id=diff.parent_id))

    async def _retire(self, tx: Tx, vm_id: UUID, *, keep: int) -> None:
        for snapshot_id in await chain_rows.surplus(tx, vm_id, keep=keep):
            old = await repository.lock_any(tx, snapshot_id)
            if old is not None:
                await self._snapshots.remove(tx, None, old)

    async def _tell(self, tx: Tx, snapshot: Snapshot) -> None:
        owner = snapshot.created_by_user_id
        await events.emit(
            tx, type="snapshot.updated", subject=snapshot.subject, owner_user_id=owner, data=_about(snapshot)
        )


async def _has_changed(tx: Tx, snapshot: Snapshot, vm: Vm) -> bool:
    """Whether the VM got or lost devices since its snapshot was asked for, so that either may be in it."""
    return (await copying.describe(tx, vm)).devices != snapshot.definition.devices


async def _vm_of(tx: Tx, snapshot_id: UUID) -> Vm | None:
    """The VM it was taken of, locked, which comes before locking the snapshot."""
    vm_id = await repository.vm_of(tx, snapshot_id)
    if vm_id is None:
        return None
    try:
        return await vms.lock(tx, vm_id, sees_only=None)
    except VmNotFound:
        return None


def _about(snapshot: Snapshot) -> dict[str, str | None]:
    return {"vm_id": str(snapshot.vm_id) if snapshot.vm_id else None}


def _wish(snapshot: Snapshot) -> str:
    if snapshot.is_imported:
        return f"import {snapshot.name}"
    verb = {Purpose.KEEP: "take snapshot", Purpose.SUSPEND: Verb.SUSPEND, Purpose.CLONE: Verb.CLONE}[snapshot.purpose]
    return f"{verb} {snapshot.name if snapshot.purpose is Purpose.KEEP else snapshot.vm_name}"


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
