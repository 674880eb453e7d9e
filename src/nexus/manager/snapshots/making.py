"""What is made of snapshots: new VMs, and VMs that are again what they were.

A new VM is there as soon as it is asked for, with its name, room and addresses; that it begins from the snapshot, its
own flow sees to (`machines.lifecycle`). A clone's snapshot is taken for it, and goes when all clones have begun.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from nexus.kit.db import Db, Tx
from nexus.kit.versions import ANY, Expected
from nexus.manager import audit, idempotency
from nexus.manager.access import Actor
from nexus.manager.drives import service as drives
from nexus.manager.machines.lifecycle import Goal
from nexus.manager.nics import service as nics
from nexus.manager.operations import Operation
from nexus.manager.snapshots import repository
from nexus.manager.snapshots.errors import LayoutDiffers, NotItsSnapshot, SnapshotStateConflict
from nexus.manager.snapshots.models import Purpose, Snapshot, SnapshotState
from nexus.manager.snapshots.schemas import Cloned, CloneVm, InstantiateSnapshot, NewClone, RollbackVm, Suspended
from nexus.manager.snapshots.service import Snapshots, require
from nexus.manager.vms import copying
from nexus.manager.vms import service as vms
from nexus.manager.vms.copying import Definition, Source, VmCopies
from nexus.manager.vms.lifecycle import Verb, wording
from nexus.manager.vms.models import Vm
from nexus.manager.vms.service import Vms

LONGEST_VM_NAME = 63


@dataclass(frozen=True)
class Clones:
    """What was answered to a clone, and the operation over all of them."""

    answer: Cloned
    operation: Operation


class Restoring:
    def __init__(self, db: Db, snapshots: Snapshots, service: Vms, copies: VmCopies) -> None:
        self._db = db
        self._snapshots = snapshots
        self._vms = service
        self._copies = copies

    async def instantiate(self, actor: Actor, snapshot_id: UUID, wanted: InstantiateSnapshot) -> tuple[UUID, Operation]:
        """A new VM from a snapshot. Raises SnapshotNotFound, SnapshotStateConflict, VmNameTaken, NoRoom,
        NetworkNotFound, NoAddressLeft."""
        async with self._db.transaction() as tx:
            snapshot = await _take(tx, actor, snapshot_id, "make a VM of")
            source = Source(
                snapshot_id=snapshot.id,
                host_id=snapshot.host.id,
                definition=snapshot.definition,
                cloned_from_id=snapshot.vm_id,
                composing_bytes=snapshot.composing_bytes,
            )
            name = wanted.name or await self._free_name(tx, actor, snapshot)
            await self._copies.reserve(tx, source, count=1, wish=f"create {name}")
            operation = await self._copies.add(tx, actor, source, name=name, description=wanted.description)
            return operation.subject_id, operation

    async def roll_back(self, actor: Actor, vm_id: UUID, wanted: RollbackVm, *, expected: Expected = ANY) -> Operation:
        """Have a VM be what it was, and run: all that came after its snapshot is lost. Raises VmNotFound,
        VmStateConflict, NotOffered, SnapshotNotFound, SnapshotStateConflict, NotItsSnapshot, LayoutDiffers, NoRoom."""
        async with self._db.transaction() as tx:
            vm = await vms.lock(tx, vm_id, sees_only=actor.sees_only, expected=expected)
            require(vm, Verb.ROLLBACK)
            snapshot = await _take(tx, actor, wanted.snapshot_id, f"roll back {vm.name} to")
            if snapshot.vm_id != vm.id:
                raise NotItsSnapshot(vm.name, snapshot.name)
            await _require_layout(tx, vm, snapshot)
            settings, composing_bytes = snapshot.definition.columns, snapshot.composing_bytes
            return await self._vms.roll_back(tx, actor, vm, snapshot.id, settings, composing_bytes=composing_bytes)

    async def clone(self, actor: Actor, vm_id: UUID, wanted: CloneVm) -> Clones:
        """New VMs like this one as it is now. Raises VmNotFound, VmStateConflict, NotOffered, NeverStarted,
        PendingChanges,
        HostFilesHeld, VmNameTaken, NoRoom, NoAddressLeft."""
        async with self._db.transaction() as tx:
            vm = await vms.lock(tx, vm_id, sees_only=actor.sees_only)
            require(vm, Verb.CLONE)
            definition = await copying.describe(tx, vm)
            operation = await self._snapshots.admit(tx, actor, vm, Purpose.CLONE)
            source = Source(
                snapshot_id=operation.subject_id,
                host_id=vm.host.id,
                definition=definition,
                cloned_from_id=vm.id,
                is_kept=False,
            )
            wish = wording(Verb.CLONE, vm.name) + (f" {wanted.count} times" if wanted.count > 1 else "")
            await self._copies.reserve(tx, source, count=wanted.count, wish=wish)
            made = await self._add_clones(tx, actor, source, _clone_names(vm, wanted), wanted.description)
            await audit.write(tx, actor, verb=Verb.CLONE, subject=vm.subject, details={"count": wanted.count})
            answer = Cloned(id=made[0].id, operation_id=operation.id, items=made)
            await idempotency.keep(tx, answer)
            return Clones(answer, operation)

    async def suspend(self, actor: Actor, vm_id: UUID, *, expected: Expected = ANY) -> tuple[Suspended, Operation]:
        """Keep a VM as it is and cut its power; it goes on from there when it is started. Raises VmNotFound,
        VmStateConflict, NotOffered, PendingChanges, HostFilesHeld, NoRoom."""
        async with self._db.transaction() as tx:
            vm = await vms.lock(tx, vm_id, sees_only=actor.sees_only, expected=expected)
            require(vm, Verb.SUSPEND)
            runs = vm.machine.facts.goal is Goal.ON
            if runs:
                await self._vms.bring(tx, actor, vm_id, Verb.PAUSE)
                vm = await vms.lock(tx, vm_id, sees_only=actor.sees_only)
            operation = await self._snapshots.admit(
                tx, actor, vm, Purpose.SUSPEND, vm_generation=vm.machine.facts.generation, resumes=runs
            )
            answer = Suspended(operation_id=operation.id, snapshot_id=operation.subject_id)
            await idempotency.keep(tx, answer)
            return answer, operation

    async def _add_clones(
        self, tx: Tx, actor: Actor, source: Source, names: Sequence[str], description: str | None
    ) -> list[NewClone]:
        made: list[NewClone] = []
        for name in names:
            promised = await self._copies.add(tx, actor, source, name=name, description=description)
            made.append(NewClone(id=promised.subject_id, name=name, operation_id=promised.id))
        return made

    async def _free_name(self, tx: Tx, actor: Actor, snapshot: Snapshot) -> str:
        """The first of `web-1-2`, `web-1-3` … that no VM has."""
        number, stem = 2, snapshot.vm_name
        while True:
            name = _numbered(stem, str(number))
            if not await vms.is_taken(tx, actor.project_id, name):
                return name
            number += 1


def _numbered(stem: str, ending: str) -> str:
    return f"{stem[: LONGEST_VM_NAME - len(ending) - 1].rstrip('-')}-{ending}"


def _clone_names(vm: Vm, wanted: CloneVm) -> list[str]:
    stem = wanted.name or _numbered(vm.name, "clone")
    if wanted.count == 1:
        return [stem]
    names = [f"{stem}-{number}" for number in range(1, wanted.count + 1)]
    return names if len(names[-1]) <= LONGEST_VM_NAME else [_numbered(stem, str(n + 1)) for n in range(wanted.count)]


async def _take(tx: Tx, actor: Actor, snapshot_id: UUID, wish: str) -> Snapshot:
    """A snapshot that something is to begin from, locked: nobody else has it go meanwhile."""
    snapshot = await repository.lock(tx, snapshot_id, project_id=actor.project_id, sees_only=actor.sees_only)
    if snapshot.state is not SnapshotState.COMPLETED:
        raise SnapshotStateConflict(f"{wish} snapshot {snapshot.name}", snapshot.state, fault=snapshot.fault)
    return snapshot


async def _require_layout(tx: Tx, vm: Vm, snapshot: Snapshot) -> None:
    """Raise LayoutDiffers unless the VM has the drives and NICs that it had then."""
    now = Definition(
        settings={},
        labels={},
        drives=tuple(await drives.described(tx, vm.machine.id)),
        nics=tuple(await nics.described(tx, vm.machine.id)),
    )
    present, past = _layout(now), _layout(snapshot.definition)
    if present.keys() != past.keys():
        raise LayoutDiffers(
            vm.name,
            snapshot.name,
            added=[present[one] for one in present if one not in past],
            removed=[past[one] for one in past if one not in present],
        )


def _layout(definition: Definition) -> dict[str, str]:
    """What to call each drive and NIC, by id."""
    found: dict[str, Any] = {one["id"]: f"drive {one['drive_id']}" for one in definition.drives}
    return found | {one["id"]: f"NIC {one['iface_id']}" for one in definition.nics}
