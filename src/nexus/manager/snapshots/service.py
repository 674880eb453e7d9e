"""Snapshots as users keep them: taking one, looking at them, and having them go.

A snapshot is a row with a flow of its own: what is asked for is checked and written down in one transaction, and an
operation promises it.
"""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from nexus.kit.db import Db, Tx
from nexus.kit.envelopes import item_json
from nexus.kit.ids import new_id
from nexus.kit.paging import Page
from nexus.kit.versions import ANY, Expected
from nexus.manager import audit, events
from nexus.manager.access import Actor
from nexus.manager.flows import Flows
from nexus.manager.hosts.placement import Amounts
from nexus.manager.hosts.service import Hosts
from nexus.manager.operations import Operation, Operations
from nexus.manager.snapshots import chain_rows, parents, repository
from nexus.manager.snapshots.errors import (
    HostFilesHeld,
    NeverStarted,
    PendingChanges,
    SnapshotInUse,
    SnapshotNotFound,
    SnapshotStateConflict,
)
from nexus.manager.snapshots.models import FLOW, KIND, VERB_OF, Purpose, Snapshot, SnapshotState
from nexus.manager.snapshots.repository import NewSnapshot, Wanted
from nexus.manager.snapshots.schemas import CreateSnapshot, PatchSnapshot
from nexus.manager.subjects import Subject
from nexus.manager.vms import copying, offering
from nexus.manager.vms import service as vms
from nexus.manager.vms.copying import Definition
from nexus.manager.vms.errors import VmNotFound, VmStateConflict
from nexus.manager.vms.lifecycle import State, Verb, refusal, wording
from nexus.manager.vms.models import Vm
from nexus.manager.vms.offering import NotOffered
from nexus.protocol.hosts import Offer
from nexus.protocol.snapshots import SnapshotType

WITHIN = timedelta(minutes=30)
"""How long taking one may take, what is done with it included; a guest's memory goes to a disk."""
DELETE_WITHIN = timedelta(minutes=10)


class Snapshots:
    def __init__(self, db: Db, hosts: Hosts, flows: Flows, operations: Operations) -> None:
        self._db = db
        self._hosts = hosts
        self._flows = flows
        self._operations = operations

    async def list(self, actor: Actor, page: Page, wanted: Wanted) -> bytes:
        return await repository.list_json(
            self._db, page, wanted, project_id=actor.project_id, sees_only=actor.sees_only
        )

    async def list_of(self, actor: Actor, page: Page, wanted: Wanted, vm_id: UUID) -> bytes:
        """Those of one VM. Raises VmNotFound."""
        await self.tree(actor, vm_id)
        return await self.list(actor, page, wanted)

    async def get(self, actor: Actor, snapshot_id: UUID) -> bytes:
        """The answer `{"item": …}`. Raises SnapshotNotFound."""
        item = await repository.find_json(self._db, snapshot_id, project_id=actor.project_id, sees_only=actor.sees_only)
        if item is None:
            raise SnapshotNotFound
        return item_json(item)

    async def tree(self, actor: Actor, vm_id: UUID) -> bytes:
        """The answer `{"item": …}`. Raises VmNotFound."""
        item = await repository.tree_json(self._db, vm_id, project_id=actor.project_id, sees_only=actor.sees_only)
        if item is None:
            raise VmNotFound
        return item_json(item)

    async def create(self, actor: Actor, vm_id: UUID, wanted: CreateSnapshot) -> tuple[UUID, Operation]:
        """Promise a snapshot of a VM, which is left as it is. Raises VmNotFound, VmStateConflict, NotOffered,
        NeverStarted, PendingChanges, HostFilesHeld, SnapshotNameTaken, NoRoom; of a Diff SnapshotNotFound,
        ParentUnusable, ChainTooLong."""
        if wanted.track_dirty_pages:
            raise NotOffered(
                "Cannot take a snapshot by tracking dirty pages: no host offers that.",
                suggestion="Leave track_dirty_pages out; a Diff is found by comparing.",
            )
        async with self._db.transaction() as tx:
            vm = await vms.lock(tx, vm_id, sees_only=actor.sees_only)
            require(vm, Verb.SNAPSHOT)
            is_diff = wanted.type is SnapshotType.DIFF
            parent = await parents.take(tx, actor, vm, wanted.parent_id) if is_diff else None
            operation = await self.admit(
                tx,
                actor,
                vm,
                Purpose.KEEP,
                name=wanted.name,
                description=wanted.description,
                keep_last=wanted.keep_last,
                parent=parent,
            )
            return operation.subject_id, operation

    async def vm_settled(self, tx: Tx, vm: Vm) -> None:
        """A locked VM stands still, or has begun, as wished: have those look that wait for it."""
        restore = vm.machine.restore
        for snapshot_id in await repository.waiting_for(tx, vm.id, begun_from=restore.snapshot if restore else None):
            await self._flows.wake(tx, Subject(KIND, snapshot_id))

    async def admit(
        self,
        tx: Tx,
        actor: Actor,
        vm: Vm,
        purpose: Purpose,
        *,
        name: str | None = None,
        description: str = "",
        keep_last: int | None = None,
        parent: Snapshot | None = None,
        vm_generation: int | None = None,
        resumes: bool = False,
    ) -> Operation:
        """Write down a snapshot of a locked VM and promise what it is for; the operation is about the snapshot.
        `parent`: what it is a Diff over, locked. As much room is reserved for that as for a Full one: so much may
        differ."""
        definition, wish = await copying.describe(tx, vm), wording(_VERB_FOR[purpose], vm.name)
        _require_whole(vm, definition, wish)
        memory_mib = 0 if vm.state is State.STOPPED else definition.memory_mib
        expected_bytes = definition.writable_bytes + (memory_mib << 20)
        await self._hosts.reserve(
            tx, Amounts(disk_bytes=expected_bytes), wish=wish, on=[vm.host.id], adds_machine=False
        )
        new = NewSnapshot(
            id=new_id(),
            project_id=actor.project_id,
            created_by_user_id=actor.user_id,
            name=name,
            description=description,
            vm_id=vm.id,
            machine_id=vm.machine.id,
            host_id=vm.host.id,
            type=SnapshotType.FULL if parent is None else SnapshotType.DIFF,
            parent_id=None if parent is None else parent.id,
            purpose=purpose,
            keep_last=keep_last,
            vcpus=definition.vcpus,
            memory_mib=definition.memory_mib,
            definition=definition.model_dump(mode="json"),
            image_ids=definition.image_ids,
            expected_bytes=expected_bytes,
            vm_generation=vm_generation,
            resumes=resumes,
        )
        subject = Subject(KIND, new.id, await repository.add(tx, new), actor.project_id)
        details = {"vm": vm.name, "purpose": purpose, "type": new.type}
        details |= {"parent": parent.name} if parent else {}
        await audit.write(tx, actor, verb="create", subject=subject, details=details, vm_id=vm.id)
        await events.emit(tx, type="snapshot.created", subject=subject, owner_user_id=actor.user_id)
        promised = subject if purpose is Purpose.KEEP else replace(subject, name=vm.name)
        return await self._promise(tx, actor, promised, verb=VERB_OF[purpose], generation=1, within=WITHIN, vm_id=vm.id)

    async def edit(self, actor: Actor, snapshot_id: UUID, changes: PatchSnapshot, *, expected: Expected = ANY) -> None:
        """Change what a snapshot is called and said to be for. Raises SnapshotNotFound, SnapshotNameTaken."""
        given = changes.model_dump(exclude_unset=True)
        async with self._db.transaction() as tx:
            snapshot = await self._lock(tx, actor, snapshot_id, expected)
            await repository.edit(tx, snapshot_id, name=changes.name, description=changes.description)
            await audit.write(tx, actor, verb="edit", subject=snapshot.subject, details=given, vm_id=snapshot.vm_id)
            owner = snapshot.created_by_user_id
            await events.emit(tx, type="snapshot.updated", subject=snapshot.subject, owner_user_id=owner)

    async def delete(self, actor: Actor, snapshot_id: UUID, *, expected: Expected = ANY) -> Operation:
        """Have a snapshot go. While that is under way, the operation that does it is the answer again. Raises
        SnapshotNotFound, SnapshotStateConflict while it is being taken, SnapshotInUse."""
        async with self._db.transaction() as tx:
            snapshot = await self._lock(tx, actor, snapshot_id, expected)
            if not snapshot.is_wanted:
                running = await self._operations.running(tx, snapshot.subject, verb="delete")
                return running or await self._promise_end(tx, actor, snapshot, generation=snapshot.generation)
            if snapshot.state is SnapshotState.CREATING:
                raise SnapshotStateConflict(f"delete snapshot {snapshot.name}", snapshot.state, fault=None)
            awaited, diffs = await repository.needed_by(tx, snapshot_id), await chain_rows.diffs(tx, snapshot_id)
            if awaited or diffs:
                raise SnapshotInUse(snapshot.name, vms=awaited, diffs=diffs)
            return await self.remove(tx, actor, snapshot)

    async def remove(self, tx: Tx, actor: Actor | None, snapshot: Snapshot) -> Operation:
        """Wish a locked snapshot gone that nothing needs, and promise it. No actor: the platform itself."""
        generation = await repository.want_gone(tx, snapshot.id)
        await audit.write(tx, actor, verb="delete", subject=snapshot.subject, vm_id=snapshot.vm_id)
        owner = snapshot.created_by_user_id
        await events.emit(tx, type="snapshot.updated", subject=snapshot.subject, owner_user_id=owner)
        return await self._promise_end(tx, actor, snapshot, generation=generation)

    async def clean_up(self) -> int:
        """Remove what was taken for something that is over, and record what is lost with its host; how many."""
        spent, lost = await repository.spent(self._db), await repository.lost(self._db)
        for snapshot_id in spent:
            async with self._db.transaction() as tx:
                snapshot = await repository.lock_any(tx, snapshot_id)
                if snapshot is not None and snapshot.is_wanted and not await repository.needed_by(tx, snapshot_id):
                    await self.remove(tx, None, snapshot)
        for snapshot_id in lost:
            async with self._db.transaction() as tx:
                await self._write_off(tx, snapshot_id)
        return len(spent) + len(lost)

    async def _write_off(self, tx: Tx, snapshot_id: UUID) -> None:
        """A flow that moves it is told; of one that rests it is recorded here."""
        snapshot = await repository.lock_any(tx, snapshot_id)
        if snapshot is None or await self._flows.wake(tx, snapshot.subject):
            return
        await repository.note_fault(tx, snapshot_id, f"Its host {snapshot.host.name} was given up for lost.")
        owner = snapshot.created_by_user_id
        await events.emit(tx, type="snapshot.updated", subject=snapshot.subject, owner_user_id=owner)

    async def _lock(self, tx: Tx, actor: Actor, snapshot_id: UUID, expected: Expected) -> Snapshot:
        """The snapshot, to be changed. Raises SnapshotNotFound, or Stale when it is not what the actor has seen."""
        project_id, sees_only = actor.project_id, actor.sees_only
        snapshot = await repository.lock(tx, snapshot_id, project_id=project_id, sees_only=sees_only)
        await expected.require(
            lambda: repository.find_json(tx, snapshot_id, project_id=project_id, sees_only=sees_only)
        )
        return snapshot

    async def _promise_end(self, tx: Tx, actor: Actor | None, snapshot: Snapshot, *, generation: int) -> Operation:
        return await self._promise(
            tx,
            actor,
            snapshot.subject,
            verb="delete",
            generation=generation,
            within=DELETE_WITHIN,
            vm_id=snapshot.vm_id,
        )

    async def _promise(
        self,
        tx: Tx,
        actor: Actor | None,
        subject: Subject,
        *,
        verb: str,
        generation: int,
        within: timedelta,
        vm_id: UUID | None,
    ) -> Operation:
        await self._flows.open(tx, flow=FLOW, subject=subject, within=within)
        return await self._operations.open(
            tx, subject, verb=verb, generation=generation, actor=actor, within=within, vm_id=vm_id
        )


def require(vm: Vm, verb: Verb) -> None:
    """Raise VmStateConflict unless the VM's state allows a verb that has to do with snapshots, and NotOffered unless
    its host makes any."""
    if refused := refusal(verb, vm.state, replace(vm.circumstances, can_snapshot=True)):
        raise VmStateConflict(refused, name=vm.name, fault=vm.machine.facts.obstacle)
    offering.require(vm, wording(verb, vm.name), [Offer.SNAPSHOT])
    vms.require(vm, verb)


def _require_whole(vm: Vm, definition: Definition, wish: str) -> None:
    if vm.machine.facts.seen_boot == 0:
        raise NeverStarted(wish)
    if vm.machine.pending:
        raise PendingChanges(wish, sorted(vm.machine.pending))
    if held := [drive["drive_id"] for drive in definition.drives if drive["path_on_host"] is not None]:
        raise HostFilesHeld(wish, held)


_VERB_FOR = {Purpose.KEEP: Verb.SNAPSHOT, Purpose.SUSPEND: Verb.SUSPEND, Purpose.CLONE: Verb.CLONE}
