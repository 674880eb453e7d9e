"""HTTP for SSH keys."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from nexus.kit.envelopes import Json
from nexus.kit.http import problems, provided
from nexus.kit.paging import Page, SortField, Sorts, page
from nexus.kit.versions import IfMatch, IfNoneMatch
from nexus.manager.access import Operator, Viewer
from nexus.manager.operations import Created, Done
from nexus.manager.ssh_keys.errors import PublicKeyRefused, SshKeyKnown, SshKeyNameTaken, SshKeyNotFound
from nexus.manager.ssh_keys.schemas import CreateSshKey, PatchSshKey, SshKeyItem, SshKeyList
from nexus.manager.ssh_keys.service import SshKeys

router = APIRouter(prefix="/v1/ssh-keys", tags=["ssh-keys"])

_SORTS = Sorts(
    {
        "name": SortField("k.name"),
        "type": SortField("k.type"),
        "created_at": SortField("k.created_at", datetime),
    },
    tie="k.id",
    default="name",
)
Service = Annotated[SshKeys, provided(SshKeys)]


@router.get("", response_model=SshKeyList)
async def list_ssh_keys(
    actor: Viewer,
    keys: Service,
    page: Annotated[Page, page(_SORTS)],
    name: Annotated[str | None, Query(max_length=63, description="Only keys of this name")] = None,
    q: Annotated[str | None, Query(max_length=100, description="Only with this in name, comment, fingerprint")] = None,
) -> Response:
    """List the SSH keys that you may see: your own; administrators and viewers see everybody's."""
    return Json(await keys.list(actor, page, name=name, q=q))


@router.post("", responses=problems(PublicKeyRefused, SshKeyKnown, SshKeyNameTaken))
async def create_ssh_key(wanted: CreateSshKey, actor: Operator, keys: Service) -> Created:
    """Keep a public key under a name, for `ssh_keys` of new VMs."""
    return await keys.create(actor, wanted)


@router.get("/{key_id}", response_model=SshKeyItem, responses=problems(SshKeyNotFound))
async def get_ssh_key(key_id: UUID, actor: Viewer, keys: Service, known: IfNoneMatch) -> Response:
    """One SSH key."""
    return known.answer(await keys.get(actor, key_id))


@router.patch("/{key_id}", responses=problems(SshKeyNotFound, SshKeyNameTaken))
async def edit_ssh_key(key_id: UUID, changes: PatchSshKey, actor: Operator, keys: Service, expected: IfMatch) -> Done:
    """Give a key another name."""
    await keys.edit(actor, key_id, changes, expected=expected)
    return Done()


@router.delete("/{key_id}", responses=problems(SshKeyNotFound))
async def delete_ssh_key(key_id: UUID, actor: Operator, keys: Service, expected: IfMatch) -> Done:
    """Forget a key. VMs that were made with it go on letting it in."""
    await keys.delete(actor, key_id, expected=expected)
    return Done()
