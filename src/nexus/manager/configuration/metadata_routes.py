"""HTTP for what a guest can find out about itself: its metadata service, and cloud-init's user-data."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from nexus.kit.http import problems, provided
from nexus.kit.problems import InvalidField
from nexus.manager.access import Operator
from nexus.manager.configuration.errors import NoGuestAgent
from nexus.manager.configuration.metadata import Metadata
from nexus.manager.configuration.metadata_schemas import MetadataConfig, MetadataItem, Tree, UserData, UserDataItem
from nexus.manager.configuration.routes import CHANGE_PROBLEMS
from nexus.manager.vms.change_request import Asked
from nexus.manager.vms.changing import Changed
from nexus.manager.vms.errors import VmNotFound

router = APIRouter(prefix="/v1/vms/{vm_id}", tags=["vm-config"])

Service = Annotated[Metadata, provided(Metadata)]
_PROBLEMS = problems(*CHANGE_PROBLEMS, NoGuestAgent)


@router.get("/mmds", responses=problems(VmNotFound))
async def get_mmds(vm_id: UUID, actor: Operator, metadata: Service) -> MetadataItem:
    """A VM's metadata, as it was set; what is always there besides is in the manual."""
    return MetadataItem(item=await metadata.get(actor, vm_id))


@router.put("/mmds", responses=_PROBLEMS)
async def put_mmds(vm_id: UUID, wanted: Tree, actor: Operator, metadata: Service, asked: Asked) -> Changed:
    """Serve this tree in the guest, over HTTP at 169.254.169.254, beside what images look for there:
    `latest/meta-data/instance-id` and the like, and `latest/user-data`. Where both have something, yours is served."""
    change = await metadata.set_data(actor, vm_id, wanted.root, expected=asked.expected)
    return await asked.answer(actor, change)


@router.patch("/mmds", responses={**_PROBLEMS, **problems(InvalidField)})
async def patch_mmds(vm_id: UUID, wanted: Tree, actor: Operator, metadata: Service, asked: Asked) -> Changed:
    """Merge this into the tree (RFC 7396): null removes."""
    change = await metadata.merge_data(actor, vm_id, wanted.root, expected=asked.expected)
    return await asked.answer(actor, change)


@router.delete("/mmds", responses=_PROBLEMS)
async def delete_mmds(vm_id: UUID, actor: Operator, metadata: Service, asked: Asked) -> Changed:
    """Have no metadata service in the guest."""
    return await asked.answer(actor, await metadata.remove(actor, vm_id, expected=asked.expected))


@router.put("/mmds/config", responses=_PROBLEMS)
async def put_mmds_config(
    vm_id: UUID, wanted: MetadataConfig, actor: Operator, metadata: Service, asked: Asked
) -> Changed:
    """Set how the metadata service answers; there is one from then on."""
    return await asked.answer(actor, await metadata.configure(actor, vm_id, wanted, expected=asked.expected))


@router.get("/user-data", responses=problems(VmNotFound))
async def get_user_data(vm_id: UUID, actor: Operator, metadata: Service) -> UserDataItem:
    """What cloud-init in the guest is to do."""
    return UserDataItem(item=await metadata.user_data(actor, vm_id))


@router.put("/user-data", responses=_PROBLEMS)
async def put_user_data(vm_id: UUID, wanted: UserData, actor: Operator, metadata: Service, asked: Asked) -> Changed:
    """Give cloud-init in the guest something to do: it finds this at the next start, as NoCloud in
    /var/lib/cloud/seed/nocloud. Images without cloud-init do nothing with it."""
    change = await metadata.set_user_data(actor, vm_id, wanted.user_data, expected=asked.expected)
    return await asked.answer(actor, change)


@router.delete("/user-data", responses=_PROBLEMS)
async def delete_user_data(vm_id: UUID, actor: Operator, metadata: Service, asked: Asked) -> Changed:
    """Have cloud-init find nothing at the next start; what it has done stays done."""
    return await asked.answer(actor, await metadata.set_user_data(actor, vm_id, None, expected=asked.expected))
