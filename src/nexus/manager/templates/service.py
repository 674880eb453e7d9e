"""Keeping templates, and handing them to what makes VMs.

A template names its images for good: what was the default when it was made. Those images cannot be deleted while it is
there. VMs made from it are copies: changing or deleting it changes none of them.
"""

from uuid import UUID

from nexus.kit.db import Db, Tx
from nexus.kit.envelopes import item_json
from nexus.kit.ids import new_id, read_id
from nexus.kit.paging import Page
from nexus.kit.versions import ANY, Expected
from nexus.manager import audit, events, idempotency
from nexus.manager.access import Actor
from nexus.manager.images import service as images
from nexus.manager.images.models import ImageKind
from nexus.manager.operations import Created
from nexus.manager.platform import Built, Platform
from nexus.manager.ssh_keys import service as ssh_keys
from nexus.manager.templates import repository
from nexus.manager.templates.errors import TemplateNotFound
from nexus.manager.templates.models import Template, TemplateSpec
from nexus.manager.templates.repository import Written
from nexus.manager.templates.schemas import TemplateWanted


def build(platform: Platform) -> Built:
    """This slice over the platform."""
    return Built(services=(Templates(platform.db),))


class Templates:
    def __init__(self, db: Db) -> None:
        self._db = db

    async def list(self, actor: Actor, page: Page, *, name: str | None, q: str | None) -> bytes:
        return await repository.list_json(
            self._db, page, project_id=actor.project_id, sees_only=actor.sees_only, name=name, q=q
        )

    async def get(self, actor: Actor, template_id: UUID) -> bytes:
        """The answer `{"item": …}`. Raises TemplateNotFound."""
        item = await repository.find_json(self._db, template_id, actor=actor)
        if item is None:
            raise TemplateNotFound
        return item_json(item)

    async def create(self, actor: Actor, wanted: TemplateWanted) -> Created:
        """Save a configuration. Raises PublicKeyRefused, ImageNotFound, NoDefaultImage or TemplateNameTaken."""
        async with self._db.transaction() as tx:
            return await add(tx, actor, name=wanted.name, description=wanted.description, spec=wanted.spec)

    async def replace(
        self, actor: Actor, template_id: UUID, wanted: TemplateWanted, *, expected: Expected = ANY
    ) -> None:
        """Have the template say this from now on. Raises TemplateNotFound and what `create` raises."""
        async with self._db.transaction() as tx:
            template = await _lock(tx, actor, template_id, expected)
            written = await _written(tx, actor, wanted.name, wanted.description, wanted.spec)
            await repository.replace(tx, template_id, written)
            details = {"name": wanted.name} if wanted.name != template.name else {}
            await audit.write(tx, actor, verb="edit", subject=template.subject, details=details)
            owner = template.created_by_user_id
            await events.emit(tx, type="template.updated", subject=template.subject, owner_user_id=owner)

    async def clone(self, actor: Actor, template_id: UUID, *, name: str) -> Created:
        """A second template like the first, the actor's own. Raises TemplateNotFound or TemplateNameTaken."""
        async with self._db.transaction() as tx:
            first = await repository.lock(tx, template_id, actor=actor)
            spec = TemplateSpec.model_validate(first.fields)
            return await add(tx, actor, name=name, description=first.description, spec=spec)

    async def delete(self, actor: Actor, template_id: UUID, *, expected: Expected = ANY) -> None:
        """Forget a template; VMs made from it stay. Raises TemplateNotFound."""
        async with self._db.transaction() as tx:
            template = await _lock(tx, actor, template_id, expected)
            await repository.remove(tx, template_id)
            await audit.write(tx, actor, verb="delete", subject=template.subject)
            owner = template.created_by_user_id
            await events.emit(tx, type="template.deleted", subject=template.subject, owner_user_id=owner)


async def add(tx: Tx, actor: Actor, *, name: str, description: str, spec: TemplateSpec) -> Created:
    """Add a template of the actor's. The answer to the request that asked for it is kept. Raises PublicKeyRefused,
    ImageNotFound, NoDefaultImage or TemplateNameTaken."""
    written = await _written(tx, actor, name, description, spec)
    answer = Created(id=new_id())
    subject = await repository.add(tx, answer.id, written, project_id=actor.project_id, owner=actor.user_id)
    details = {"vcpu": spec.vcpu, "mem_mib": spec.mem_mib}
    await audit.write(tx, actor, verb="create", subject=subject, details=details)
    await events.emit(tx, type="template.created", subject=subject, owner_user_id=actor.user_id)
    await idempotency.keep(tx, answer)
    return answer


async def take(tx: Tx, actor: Actor, named: str) -> Template:
    """The template that a new VM is made from, counted as used. `named`: its name or id. Raises TemplateNotFound."""
    template = await repository.lock(tx, read_id(named) or named, actor=actor)
    await repository.count_use(tx, template.id)
    return template


async def _lock(tx: Tx, actor: Actor, template_id: UUID, expected: Expected) -> Template:
    """The template, to be changed. Raises TemplateNotFound, or Stale when it is not what the actor has seen."""
    template = await repository.lock(tx, template_id, actor=actor)
    await expected.require(lambda: repository.find_json(tx, template_id, actor=actor))
    return template


async def _written(tx: Tx, actor: Actor, name: str, description: str, spec: TemplateSpec) -> Written:
    keys = await ssh_keys.authorize(tx, actor, given=spec.ssh_authorized_keys, named=())
    return Written(
        name=name,
        description=description,
        vcpus=spec.vcpu,
        memory_mib=spec.mem_mib,
        kernel_image_id=await _image(tx, actor, ImageKind.KERNEL, spec.kernel_image_id or spec.kernel),
        rootfs_image_id=await _image(tx, actor, ImageKind.ROOTFS, spec.rootfs_image_id or spec.image),
        settings=spec.settings() | {"ssh_authorized_keys": keys},
    )


async def _image(tx: Tx, actor: Actor, kind: ImageKind, named: str | UUID | None) -> UUID:
    meant = read_id(named) or named if isinstance(named, str) else named
    return (await images.choose(tx, project_id=actor.project_id, kind=kind, named=meant)).id
