"""From a template to a VM, and from a VM to a template."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from nexus.kit.db import Db
from nexus.kit.http import problems, provided
from nexus.manager.access import Actor, Operator
from nexus.manager.hosts.errors import NoRoom
from nexus.manager.images.errors import ImageNotFound, NoDefaultImage
from nexus.manager.networks.errors import NoAddressLeft
from nexus.manager.operations import Created, Operations, Wait
from nexus.manager.operations.errors import Superseded
from nexus.manager.ssh_keys.errors import PublicKeyRefused, SshKeyNotFound
from nexus.manager.templates import service as templates
from nexus.manager.templates.errors import TemplateNameTaken, TemplateNotFound
from nexus.manager.templates.models import TemplateSpec
from nexus.manager.vms import repository
from nexus.manager.vms.creation import VmCreation
from nexus.manager.vms.errors import DiskTooSmall, VmFaulted, VmNameTaken, VmNotFound, VmOverdue
from nexus.manager.vms.schemas import CreateVm, InstantiateTemplate, SaveTemplate

router = APIRouter(prefix="/v1")

LEAST_DISK_BYTES = 64 << 20
"""What a request may ask for; an image's own disk may be smaller."""


class Templating:
    def __init__(self, db: Db) -> None:
        self._db = db

    async def save(self, actor: Actor, vm_id: UUID, wanted: SaveTemplate) -> Created:
        """Save a VM's configuration as a template. Raises VmNotFound or TemplateNameTaken."""
        async with self._db.transaction() as tx:
            await repository.lock(tx, vm_id, sees_only=actor.sees_only)
            found = await repository.configuration(tx, vm_id)
            if (found["disk_size_bytes"] or 0) < LEAST_DISK_BYTES:
                found["disk_size_bytes"] = None
            spec = TemplateSpec.model_validate(found)
            return await templates.add(tx, actor, name=wanted.name, description=wanted.description, spec=spec)


@router.post(
    "/templates/{template_id}/instantiate",
    tags=["templates"],
    responses=problems(
        *(TemplateNotFound, VmNameTaken, PublicKeyRefused, SshKeyNotFound, ImageNotFound, NoDefaultImage),
        *(DiskTooSmall, NoRoom, NoAddressLeft, VmFaulted, VmOverdue, Superseded),
    ),
)
async def instantiate_template(
    template_id: UUID,
    wanted: InstantiateTemplate,
    actor: Operator,
    creation: Annotated[VmCreation, provided(VmCreation)],
    operations: Annotated[Operations, provided(Operations)],
    wait: Wait = None,
) -> Created:
    """Create a VM from a template; what the request says takes the place of what the template does. As
    `POST /v1/vms` with `template`."""
    given = wanted.model_dump(exclude_unset=True)
    vm_id, operation = await creation.create(actor, CreateVm.model_validate(given | {"template": str(template_id)}))
    return await operations.created(vm_id, operation, wait=wait)


@router.post("/vms/{vm_id}/template", tags=["vms"], responses=problems(VmNotFound, TemplateNameTaken))
async def save_template_vm(
    vm_id: UUID, wanted: SaveTemplate, actor: Operator, templating: Annotated[Templating, provided(Templating)]
) -> Created:
    """Save a VM's configuration as a template: not its disk's content, its name, its password or its addresses."""
    return await templating.save(actor, vm_id, wanted)
