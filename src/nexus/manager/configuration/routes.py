"""HTTP for VMs' settings.

Every change answers when it takes effect: `applied` is what the VM's host reports, `now` or `next_start`.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from nexus.kit.http import problems, provided
from nexus.kit.versions import IfMatch
from nexus.manager.access import Operator, Viewer
from nexus.manager.configuration.schemas import (
    MachineConfigItem,
    PatchMachineConfig,
    PutMachineConfig,
)
from nexus.manager.configuration.service import Configuration, Size
from nexus.manager.hosts.errors import NoRoom
from nexus.manager.operations import Wait
from nexus.manager.operations.errors import Superseded
from nexus.manager.vms.changing import Changed, VmChanges
from nexus.manager.vms.errors import VmFaulted, VmNotFound, VmOverdue, VmStateConflict

router = APIRouter(prefix="/v1/vms/{vm_id}", tags=["vm configuration"])

Service = Annotated[Configuration, provided(Configuration)]
Changes = Annotated[VmChanges, provided(VmChanges)]
_CHANGE_PROBLEMS = problems(VmNotFound, VmStateConflict, VmFaulted, VmOverdue, Superseded)


@router.get("/machine-config", responses=problems(VmNotFound))
async def get_machine_config(vm_id: UUID, actor: Viewer, configuration: Service) -> MachineConfigItem:
    """A VM's size: what is configured, and what the running boot has."""
    return MachineConfigItem(item=await configuration.size(actor, vm_id))


@router.put("/machine-config", responses={**_CHANGE_PROBLEMS, **problems(NoRoom)})
async def put_machine_config(
    vm_id: UUID,
    wanted: PutMachineConfig,
    actor: Operator,
    configuration: Service,
    changes: Changes,
    expected: IfMatch,
    wait: Wait = None,
) -> Changed:
    """Set a VM's size. A running VM has it after its next start or reboot; its host must have that much left."""
    size = Size(vcpus=wanted.vcpu, memory_mib=wanted.mem_mib)
    return await changes.answer(actor, await configuration.resize(actor, vm_id, size, expected=expected), wait=wait)


@router.patch("/machine-config", responses={**_CHANGE_PROBLEMS, **problems(NoRoom)})
async def patch_machine_config(
    vm_id: UUID,
    wanted: PatchMachineConfig,
    actor: Operator,
    configuration: Service,
    changes: Changes,
    expected: IfMatch,
    wait: Wait = None,
) -> Changed:
    """Change a VM's vCPUs or memory, as PUT does."""
    size = Size(vcpus=wanted.vcpu, memory_mib=wanted.mem_mib)
    return await changes.answer(actor, await configuration.resize(actor, vm_id, size, expected=expected), wait=wait)
