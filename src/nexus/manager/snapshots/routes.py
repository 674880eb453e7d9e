"""HTTP for snapshots, and for what they do to VMs."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from nexus.kit.envelopes import Json
from nexus.kit.http import problems, provided
from nexus.kit.paging import Page, SortField, Sorts, page
from nexus.kit.versions import IfMatch, IfNoneMatch
from nexus.manager.access import Operator, Viewer
from nexus.manager.hosts.errors import NoRoom
from nexus.manager.networks.errors import NetworkNotFound, NoAddressLeft
from nexus.manager.operations import Created, Done, Operations, Wait
from nexus.manager.operations.errors import Superseded
from nexus.manager.snapshots.errors import (
    ChainTooLong,
    ClonesFailed,
    HostFilesHeld,
    LayoutDiffers,
    NeverStarted,
    NotItsSnapshot,
    ParentUnusable,
    PendingChanges,
    SnapshotFailed,
    SnapshotInUse,
    SnapshotNameTaken,
    SnapshotNotFound,
    SnapshotOverdue,
    SnapshotStateConflict,
)
from nexus.manager.snapshots.making import Restoring
from nexus.manager.snapshots.models import SnapshotState
from nexus.manager.snapshots.repository import Wanted
from nexus.manager.snapshots.schemas import (
    Cloned,
    CloneVm,
    CreateSnapshot,
    InstantiateSnapshot,
    PatchSnapshot,
    RollbackVm,
    SnapshotItem,
    SnapshotList,
    Suspended,
    TreeItem,
)
from nexus.manager.snapshots.service import Snapshots
from nexus.manager.vms.errors import VmFaulted, VmNameTaken, VmNotFound, VmOverdue, VmStateConflict
from nexus.manager.vms.offering import NotOffered

router = APIRouter(prefix="/v1", tags=["snapshots"])

_SORTS = Sorts(
    {
        "name": SortField("s.name"),
        "created_at": SortField("s.created_at", datetime),
        "size_bytes": SortField("coalesce(s.size_bytes, 0)", int),
    },
    tie="s.id",
    default="-created_at",
)
Service = Annotated[Snapshots, provided(Snapshots)]
Makes = Annotated[Restoring, provided(Restoring)]
Promises = Annotated[Operations, provided(Operations)]
_TAKING = (VmNotFound, VmStateConflict, NotOffered, NeverStarted, PendingChanges, HostFilesHeld, NoRoom)
_TAKEN = (SnapshotFailed, SnapshotOverdue, Superseded)
_USING = (SnapshotNotFound, SnapshotStateConflict, NoRoom)
_BEGUN = (VmFaulted, VmOverdue, Superseded)


@router.get("/snapshots", response_model=SnapshotList)
async def list_snapshots(
    actor: Viewer,
    snapshots: Service,
    page: Annotated[Page, page(_SORTS)],
    name: Annotated[str | None, Query(max_length=100, description="Only the snapshot of this name")] = None,
    q: Annotated[str | None, Query(max_length=100, description="Only with this in name, description or VM")] = None,
    vm_id: Annotated[UUID | None, Query(description="Only of this VM")] = None,
    state: Annotated[SnapshotState | None, Query(description="Only in this state")] = None,
) -> Response:
    """List the snapshots that you may see."""
    return Json(await snapshots.list(actor, page, Wanted(name=name, q=q, vm_id=vm_id, state=state)))


@router.get("/snapshots/{snapshot_id}", response_model=SnapshotItem, responses=problems(SnapshotNotFound))
async def get_snapshot(snapshot_id: UUID, actor: Viewer, snapshots: Service, known: IfNoneMatch) -> Response:
    """One snapshot."""
    return known.answer(await snapshots.get(actor, snapshot_id))


@router.patch("/snapshots/{snapshot_id}", responses=problems(SnapshotNotFound, SnapshotNameTaken))
async def edit_snapshot(
    snapshot_id: UUID, changes: PatchSnapshot, actor: Operator, snapshots: Service, expected: IfMatch
) -> Done:
    """Change a snapshot's name or description. What it holds never changes."""
    await snapshots.edit(actor, snapshot_id, changes, expected=expected)
    return Done()


@router.delete(
    "/snapshots/{snapshot_id}", responses=problems(SnapshotNotFound, SnapshotStateConflict, SnapshotInUse, *_TAKEN)
)
async def delete_snapshot(
    snapshot_id: UUID,
    actor: Operator,
    snapshots: Service,
    operations: Promises,
    expected: IfMatch,
    wait: Wait = None,
) -> Done:
    """Remove a snapshot and what it takes on its host. VMs made from it stay; snapshots taken after it come after the
    one before. Refused while VMs have yet to begin from it or Diffs are over it. Again while that is under way: the
    same operation."""
    return await operations.done(await snapshots.delete(actor, snapshot_id, expected=expected), wait=wait)


@router.post(
    "/snapshots/{snapshot_id}/instantiate",
    responses=problems(*_USING, VmNameTaken, NetworkNotFound, NoAddressLeft, *_BEGUN),
)
async def instantiate_snapshot(
    snapshot_id: UUID,
    actor: Operator,
    restoring: Makes,
    operations: Promises,
    wanted: InstantiateSnapshot | None = None,
    wait: Wait = None,
) -> Created:
    """Make a new VM from a snapshot, on the same host, and have it run. From one of a VM that was on it goes on where
    that stood; from one of a VM that was off it boots.

    It has the VM's configuration of then, copies of its disks, and a name, password, MACs, addresses and SSH host keys
    of its own."""
    vm_id, operation = await restoring.instantiate(actor, snapshot_id, wanted or InstantiateSnapshot())
    return await operations.created(vm_id, operation, wait=wait)


@router.get("/vms/{vm_id}/snapshots", response_model=SnapshotList, responses=problems(VmNotFound))
async def list_vm_snapshots(
    vm_id: UUID,
    actor: Viewer,
    snapshots: Service,
    page: Annotated[Page, page(_SORTS)],
    name: Annotated[str | None, Query(max_length=100, description="Only the snapshot of this name")] = None,
    q: Annotated[str | None, Query(max_length=100, description="Only with this in name or description")] = None,
    state: Annotated[SnapshotState | None, Query(description="Only in this state")] = None,
) -> Response:
    """List a VM's snapshots."""
    return Json(await snapshots.list_of(actor, page, Wanted(vm_id=vm_id, name=name, q=q, state=state), vm_id))


@router.post(
    "/vms/{vm_id}/snapshots",
    responses=problems(*_TAKING, SnapshotNotFound, ParentUnusable, ChainTooLong, SnapshotNameTaken, *_TAKEN),
)
async def create_snapshot(
    vm_id: UUID,
    actor: Operator,
    snapshots: Service,
    operations: Promises,
    wanted: CreateSnapshot | None = None,
    wait: Wait = None,
) -> Created:
    """Take a snapshot of a VM that runs, is paused or is off, and leave it so.

    Of a VM that is on it holds memory and disks of one moment, with the guest's file systems brought to rest where the
    agent in it answers; the guest stands still meanwhile. It stays when its VM is deleted.

    A Full one holds all of it. A Diff holds what differs from another snapshot of this VM, its parent; it takes less
    room, needs its parent for as long as it is there, and can be used as a Full one can."""
    snapshot_id, operation = await snapshots.create(actor, vm_id, wanted or CreateSnapshot())
    return await operations.created(snapshot_id, operation, wait=wait)


@router.get("/vms/{vm_id}/snapshots/tree", response_model=TreeItem, responses=problems(VmNotFound))
async def tree_snapshot(vm_id: UUID, actor: Viewer, snapshots: Service) -> Response:
    """A VM's snapshots as a tree, with the VMs that were made from each, and what each takes on disk."""
    return Json(await snapshots.tree(actor, vm_id))


@router.post(
    "/vms/{vm_id}/rollback",
    responses=problems(VmNotFound, VmStateConflict, NotOffered, *_USING, NotItsSnapshot, LayoutDiffers, *_BEGUN),
)
async def rollback_snapshot(
    vm_id: UUID,
    wanted: RollbackVm,
    actor: Operator,
    restoring: Makes,
    operations: Promises,
    expected: IfMatch,
    wait: Wait = None,
) -> Done:
    """Have a VM be what it was when a snapshot of it was taken, and run. **Everything since is lost**: what was written
    to its disks, what was in its memory, and changes to its size, boot source and devices. Settings of its drives and
    interfaces stay as they are now.

    If it runs its power is cut first. From a snapshot that holds memory it goes on where it stood; else it boots."""
    return await operations.done(await restoring.roll_back(actor, vm_id, wanted, expected=expected), wait=wait)


@router.post(
    "/vms/{vm_id}/clone",
    responses=problems(*_TAKING, VmNameTaken, NetworkNotFound, NoAddressLeft, ClonesFailed, *_TAKEN),
)
async def clone_snapshot(
    vm_id: UUID,
    actor: Operator,
    restoring: Makes,
    operations: Promises,
    wanted: CloneVm | None = None,
    wait: Wait = None,
) -> Cloned:
    """Make up to 100 VMs like this one as it is now, running or off, on the same host, and have them run.

    A snapshot is taken for it, which goes when all have begun. The VM is left as it is. Each clone has a name,
    password, MACs, addresses and SSH host keys of its own, and an operation of its own; that of the answer is over all
    of them."""
    made = await restoring.clone(actor, vm_id, wanted or CloneVm())
    ended = await operations.created(made.answer.id, made.operation, wait=wait)
    return made.answer.model_copy(update={"operation": ended.operation, "status": ended.status})


@router.post("/vms/{vm_id}/suspend", responses=problems(*_TAKING, *_TAKEN))
async def suspend_snapshot(
    vm_id: UUID, actor: Operator, restoring: Makes, operations: Promises, expected: IfMatch, wait: Wait = None
) -> Suspended:
    """Keep a VM as it is on its host's disk, and take it off the processors and memory. Starting or resuming it has it
    go on where it stood, also after its host restarted; stopping it gives its memory up."""
    answer, operation = await restoring.suspend(actor, vm_id, expected=expected)
    ended = await operations.done(operation, wait=wait)
    return answer.model_copy(update={"operation": ended.operation, "status": ended.status})
