"""HTTP for the NICs of VMs."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from nexus.kit.http import problems, provided
from nexus.kit.versions import IfMatch, IfNoneMatch
from nexus.manager.access import Operator, Viewer
from nexus.manager.networks.errors import NetworkNotFound, NoAddressLeft
from nexus.manager.nics.editing import Nics
from nexus.manager.nics.errors import IfaceIdTaken, MacRefused, MacTaken, NicNotFound, TooManyNics
from nexus.manager.nics.models import NicRef
from nexus.manager.nics.schemas import CreateNic, NicChanged, NicItem, NicList, PatchNic
from nexus.manager.operations import Wait
from nexus.manager.operations.errors import Superseded
from nexus.manager.vms.changing import Changed, VmChanges
from nexus.manager.vms.errors import VmFaulted, VmNotFound, VmOverdue, VmStateConflict
from nexus.manager.vms.offering import NotOffered

router = APIRouter(prefix="/v1/vms/{vm_id}/nics", tags=["nics"])

Service = Annotated[Nics, provided(Nics)]
Changes = Annotated[VmChanges, provided(VmChanges)]
_CHANGE = (VmNotFound, VmStateConflict, NotOffered, VmFaulted, VmOverdue, Superseded)


@router.get("", responses=problems(VmNotFound))
async def list_nics(vm_id: UUID, actor: Viewer, nics: Service) -> NicList:
    """The NICs of a VM, in the order in which its guest has them."""
    return await nics.list(actor, vm_id)


@router.post(
    "",
    responses=problems(*_CHANGE, IfaceIdTaken, MacTaken, MacRefused, TooManyNics, NetworkNotFound, NoAddressLeft),
)
async def create_nic(vm_id: UUID, wanted: CreateNic, actor: Operator, nics: Service, wait: Wait = None) -> NicChanged:
    """Add a NIC on a network. The guest has it after its next start, with its address set."""
    return await nics.answer(actor, await nics.add(actor, vm_id, wanted), wait=wait)


@router.get("/{nic}", response_model=NicItem, responses=problems(VmNotFound, NicNotFound))
async def get_nic(vm_id: UUID, nic: NicRef, actor: Viewer, nics: Service, known: IfNoneMatch) -> Response:
    """One NIC, by its id or `iface_id`."""
    return known.answer(await nics.get(actor, vm_id, nic))


@router.patch("/{nic}", responses=problems(*_CHANGE, NicNotFound))
async def edit_nic(
    vm_id: UUID, nic: NicRef, wanted: PatchNic, actor: Operator, nics: Service, expected: IfMatch, wait: Wait = None
) -> NicChanged:
    """Limit what a NIC receives and sends, in a running VM at once. Where the host's network is in user mode, or its
    kernel lacks traffic control, that is refused (`not_offered`)."""
    return await nics.answer(actor, await nics.edit(actor, vm_id, nic, wanted, expected=expected), wait=wait)


@router.delete("/{nic}", responses=problems(*_CHANGE, NicNotFound))
async def delete_nic(
    vm_id: UUID,
    nic: NicRef,
    actor: Operator,
    nics: Service,
    changes: Changes,
    expected: IfMatch,
    wait: Wait = None,
) -> Changed:
    """Remove a NIC. A running VM has it until its next start."""
    return await changes.answer(actor, await nics.remove(actor, vm_id, nic, expected=expected), wait=wait)
