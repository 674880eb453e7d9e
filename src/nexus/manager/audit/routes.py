"""GET /v1/audit: who did what, for administrators."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from nexus.kit.db import Db
from nexus.kit.envelopes import Items, Json
from nexus.kit.http import problems, provided
from nexus.kit.paging import BadCursor, Page, SortField, Sorts, conditions, page
from nexus.kit.problems import InvalidField, NotAllowed, NotSignedIn
from nexus.manager.access import Admin

router = APIRouter(prefix="/v1/audit", tags=["audit"])

_SORTS = Sorts({"at": SortField("at", datetime)}, tie="id", default="-at")
_ITEM = """json_build_object('id', id, 'at', at, 'actor_user_id', actor_user_id, 'actor_name', actor_name, 'verb', verb,
    'subject_kind', subject_kind, 'subject_id', subject_id, 'subject_name', subject_name, 'request_id', request_id,
    'details', details)"""


class AuditEntry(BaseModel):
    """One thing that was done."""

    id: UUID = Field(description="Id of this entry")
    at: datetime = Field(description="When")
    actor_user_id: UUID | None = Field(description="The user who did it; null: a host, the platform, or nobody known")
    actor_name: str = Field(description="The name of whoever did it, as it was then")
    verb: str = Field(description="What was done: create, stop, login …")
    subject_kind: str = Field(description="What kind of thing it was done to: vm, user …")
    subject_id: UUID | None = Field(description="The id of that thing")
    subject_name: str = Field(description="Its name, as it was then")
    request_id: str | None = Field(description="The request that did it; the logs carry it too")
    details: dict[str, Any] = Field(description="What else is worth knowing; never a secret")


class AuditList(Items[AuditEntry]):
    """A page of the audit trail, newest first unless sorted otherwise."""


@router.get("", response_model=AuditList, responses=problems(NotSignedIn, NotAllowed, InvalidField, BadCursor))
async def list_audit(
    actor: Admin,
    db: Annotated[Db, provided(Db)],
    page: Annotated[Page, page(_SORTS)],
    subject_kind: Annotated[str | None, Query(max_length=32, description="Only about things of this kind")] = None,
    subject_id: Annotated[UUID | None, Query(description="Only about this thing")] = None,
    vm_id: Annotated[UUID | None, Query(description="Only about this VM or a snapshot that was taken of it")] = None,
    verb: Annotated[str | None, Query(max_length=32, description="Only of this verb")] = None,
    actor_name: Annotated[str | None, Query(max_length=64, description="Only what this user did")] = None,
    q: Annotated[str | None, Query(max_length=100, description="Only about things whose name has this in it")] = None,
) -> Response:
    """List what was done, by whom and when."""
    args: list[object] = []
    where = conditions(
        args,
        ("(project_id is null or project_id = {})", actor.project_id),
        ("subject_kind = {}", subject_kind),
        ("subject_id = {}", subject_id),
        ("vm_id = {}", vm_id),
        ("verb = {}", verb),
        ("actor_name = {}", actor_name),
        ("strpos(lower(subject_name), lower({})) > 0", q),
    )
    query = page.json_query(item=_ITEM, source="audit", where=where, args=args)
    return Json(page.json_answer(await db.fetchrow(query, *args)))
