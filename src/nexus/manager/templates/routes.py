"""HTTP for templates. What makes a VM from one, or one from a VM, is at `vms.templating`."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from nexus.kit.envelopes import Json
from nexus.kit.http import problems, provided
from nexus.kit.paging import Page, SortField, Sorts, page
from nexus.kit.versions import IfMatch, IfNoneMatch
from nexus.manager.access import Operator, Viewer
from nexus.manager.images.errors import ImageNotFound, NoDefaultImage
from nexus.manager.operations import Created, Done
from nexus.manager.ssh_keys.errors import PublicKeyRefused
from nexus.manager.templates.errors import TemplateNameTaken, TemplateNotFound
from nexus.manager.templates.schemas import CloneTemplate, TemplateItem, TemplateList, TemplateWanted
from nexus.manager.templates.service import Templates

router = APIRouter(prefix="/v1/templates", tags=["templates"])

_SORTS = Sorts(
    {
        "name": SortField("t.name"),
        "usage_count": SortField("t.uses", int),
        "created_at": SortField("t.created_at", datetime),
        "updated_at": SortField("t.updated_at", datetime),
    },
    tie="t.id",
    default="name",
)
_WRITING = (TemplateNameTaken, ImageNotFound, NoDefaultImage, PublicKeyRefused)
Service = Annotated[Templates, provided(Templates)]


@router.get("", response_model=TemplateList)
async def list_templates(
    actor: Viewer,
    templates: Service,
    page: Annotated[Page, page(_SORTS)],
    name: Annotated[str | None, Query(max_length=63, description="Only the template of this name")] = None,
    q: Annotated[str | None, Query(max_length=100, description="Only with this in name or description")] = None,
) -> Response:
    """List the templates that you may see: your own; administrators and viewers see everybody's."""
    return Json(await templates.list(actor, page, name=name, q=q))


@router.post("", responses=problems(*_WRITING))
async def create_template(wanted: TemplateWanted, actor: Operator, templates: Service) -> Created:
    """Save a VM configuration. Images that it does not name are those that are the default now, for good."""
    return await templates.create(actor, wanted)


@router.get("/{template_id}", response_model=TemplateItem, responses=problems(TemplateNotFound))
async def get_template(template_id: UUID, actor: Viewer, templates: Service, known: IfNoneMatch) -> Response:
    """One template."""
    return known.answer(await templates.get(actor, template_id))


@router.put("/{template_id}", responses=problems(TemplateNotFound, *_WRITING))
async def replace_template(
    template_id: UUID, wanted: TemplateWanted, actor: Operator, templates: Service, expected: IfMatch
) -> Done:
    """Have a template say this from now on, whole: what is left out has its default. VMs made from it stay as they
    are."""
    await templates.replace(actor, template_id, wanted, expected=expected)
    return Done()


@router.delete("/{template_id}", responses=problems(TemplateNotFound))
async def delete_template(template_id: UUID, actor: Operator, templates: Service, expected: IfMatch) -> Done:
    """Forget a template. VMs made from it stay; its images may be deleted from now on."""
    await templates.delete(actor, template_id, expected=expected)
    return Done()


@router.post("/{template_id}/clone", responses=problems(TemplateNotFound, TemplateNameTaken))
async def clone_template(template_id: UUID, wanted: CloneTemplate, actor: Operator, templates: Service) -> Created:
    """Make a second template like this one, your own, under another name."""
    return await templates.clone(actor, template_id, name=wanted.name)
