"""HTTP for the drives of VMs."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from nexus.kit.envelopes import Json
from nexus.kit.http import problems, provided
from nexus.kit.versions import IfMatch, IfNoneMatch
from nexus.manager.access import Operator, Viewer
from nexus.manager.agents.troubles import PASSED_ON
from nexus.manager.drives.editing import Drives
from nexus.manager.drives.errors import (
    DriveIdTaken,
    DriveNotFound,
    DriveRefused,
    FileInUse,
    FileRefused,
    HostFilesNotAllowed,
    RootDrive,
    TooManyDrives,
)
from nexus.manager.drives.models import DriveRef
from nexus.manager.drives.schemas import CreateDrive, DriveChanged, DriveItem, DriveList, DriveRemoved, PatchDrive
from nexus.manager.hosts.errors import NoRoom
from nexus.manager.images.errors import ImageNotFound
from nexus.manager.operations import Wait
from nexus.manager.operations.errors import Superseded
from nexus.manager.vms.errors import VmFaulted, VmNotFound, VmOverdue, VmStateConflict
from nexus.manager.vms.offering import NotOffered

router = APIRouter(prefix="/v1/vms/{vm_id}/drives", tags=["drives"])

Service = Annotated[Drives, provided(Drives)]
_CHANGE = (VmNotFound, VmStateConflict, NotOffered, VmFaulted, VmOverdue, Superseded)
_FILE = (HostFilesNotAllowed, FileRefused, FileInUse, DriveRefused, NoRoom, *PASSED_ON)


@router.get("", response_model=DriveList, responses=problems(VmNotFound))
async def list_drives(vm_id: UUID, actor: Viewer, drives: Service) -> Response:
    """The drives of a VM, in the order in which its guest counts them: the first is vda."""
    return Json(await drives.list(actor, vm_id))


@router.post("", responses=problems(*_CHANGE, *_FILE, DriveIdTaken, RootDrive, TooManyDrives, ImageNotFound))
async def create_drive(
    vm_id: UUID, wanted: CreateDrive, actor: Operator, drives: Service, wait: Wait = None
) -> DriveChanged:
    """Add a drive: empty, from an image of kind data, or a file of the host's own.

    A running VM has it at once where its hypervisor can do that and has a place left, else after its next start:
    `applied` says which."""
    return await drives.answer(actor, await drives.add(actor, vm_id, wanted), wait=wait)


@router.get("/{drive}", response_model=DriveItem, responses=problems(VmNotFound, DriveNotFound))
async def get_drive(vm_id: UUID, drive: DriveRef, actor: Viewer, drives: Service, known: IfNoneMatch) -> Response:
    """One drive, by its id or `drive_id`."""
    return known.answer(await drives.get(actor, vm_id, drive))


@router.patch("/{drive}", responses=problems(*_CHANGE, *_FILE, DriveNotFound))
async def edit_drive(
    vm_id: UUID,
    drive: DriveRef,
    wanted: PatchDrive,
    actor: Operator,
    drives: Service,
    expected: IfMatch,
    wait: Wait = None,
) -> DriveChanged:
    """Limit a drive, let it grow, give it another file, or change how it is served.

    Limits, growth and another file reach a running VM at once where its hypervisor can; a file system on a drive that
    has grown is the guest's to enlarge (`resize2fs`). Cache and I/O engine change with the next start."""
    return await drives.answer(actor, await drives.edit(actor, vm_id, drive, wanted, expected=expected), wait=wait)


@router.delete("/{drive}", responses=problems(*_CHANGE, DriveNotFound, RootDrive))
async def delete_drive(
    vm_id: UUID, drive: DriveRef, actor: Operator, drives: Service, expected: IfMatch, wait: Wait = None
) -> DriveRemoved:
    """Remove a drive. What was on it is lost for good if it was the VM's own: `data` says so. A file of the host's, or
    an image, is kept.

    A running VM has the drive until its next start, because its guest may be using it."""
    return await drives.removal(actor, await drives.remove(actor, vm_id, drive, expected=expected), wait=wait)
