"""What a diff is to be over: a completed snapshot of the same VM on the same host, which stays as long as the diff."""

from uuid import UUID

from nexus.kit.db import Tx
from nexus.manager.access import Actor
from nexus.manager.snapshots import chain_rows, repository
from nexus.manager.snapshots.errors import ChainTooLong, ParentUnusable
from nexus.manager.snapshots.models import Purpose, Snapshot, SnapshotState
from nexus.manager.vms.models import Vm
from nexus.protocol.snapshots import MOST_DIFFS

_NOT_READY = {
    SnapshotState.CREATING: "is still being taken",
    SnapshotState.FAILED: "is not there: it could not be taken, or was lost",
    SnapshotState.DELETING: "is being deleted",
}


async def take(tx: Tx, actor: Actor, vm: Vm, parent_id: UUID | None) -> Snapshot:
    """The snapshot that a diff of a locked VM is to be over, locked too, so that nobody has it go meanwhile. Without
    an id the one that the VM has gone on from. Raises SnapshotNotFound, ParentUnusable, ChainTooLong."""
    wanted = parent_id or await chain_rows.last_of(tx, vm.id)
    if wanted is None:
        raise ParentUnusable(vm.name, "there is no snapshot of it yet that it could be over")
    parent = await repository.lock(tx, wanted, project_id=actor.project_id, sees_only=actor.sees_only)
    if (obstacle := _obstacle(vm, parent)) is not None:
        raise ParentUnusable(vm.name, f"{parent.name} {obstacle}")
    if (diffs := await chain_rows.diffs_of(tx, parent.id)) >= MOST_DIFFS:
        raise ChainTooLong(vm.name, parent.name, diffs=diffs)
    return parent


def _obstacle(vm: Vm, parent: Snapshot) -> str | None:
    if parent.vm_id != vm.id or parent.machine_id != vm.machine.id:
        return "was not taken of it"
    if parent.host.id != vm.host.id:
        return f"is on another host, {parent.host.name}"
    if parent.purpose is not Purpose.KEEP:
        return f"is there only to {parent.purpose} it"
    return _NOT_READY.get(parent.state)
