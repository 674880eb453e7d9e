"""GET /v1/operations: what was asked for and how far it is."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from nexus.kit.db import Db
from nexus.kit.envelopes import Item, Items, Json
from nexus.kit.http import problems, provided
from nexus.kit.paging import BadCursor, Page, SortField, Sorts, conditions, page
from nexus.kit.problems import InvalidField, NotSignedIn
from nexus.kit.versions import IfNoneMatch
from nexus.manager.access import Viewer
from nexus.manager.operations import repository
from nexus.manager.operations.errors import OperationNotFound
from nexus.manager.operations.models import Status
from nexus.manager.operations.schemas import OperationBody, Wait
from nexus.manager.operations.service import Operations

router = APIRouter(prefix="/v1/operations", tags=["operations"])

_SORTS = Sorts(
    {"created_at": SortField("created_at", datetime), "verb": SortField("verb")}, tie="id", default="-created_at"
)


class OperationList(Items[OperationBody]):
    """A page of operations, newest first unless sorted otherwise."""


class OperationItem(Item[OperationBody]):
    """An operation."""


@router.get("", response_model=OperationList, responses=problems(NotSignedIn, InvalidField, BadCursor))
async def list_operations(
    actor: Viewer,
    db: Annotated[Db, provided(Db)],
    page: Annotated[Page, page(_SORTS)],
    subject_kind: Annotated[str | None, Query(max_length=32, description="Only about objects of this kind")] = None,
    subject_id: Annotated[UUID | None, Query(description="Only about this object")] = None,
    vm_id: Annotated[UUID | None, Query(description="Only about this VM or a snapshot that was taken of it")] = None,
    status: Annotated[Status | None, Query(description="Only in this status")] = None,
    verb: Annotated[str | None, Query(max_length=32, description="Only of this verb")] = None,
    q: Annotated[str | None, Query(max_length=100, description="Only about objects whose name has this in it")] = None,
) -> Response:
    """List operations, those of yours or, for admins and viewers, everybody's."""
    args: list[object] = []
    where = conditions(
        args,
        ("project_id = {}", actor.project_id),
        ("created_by_user_id = {}", actor.sees_only),
        ("subject_kind = {}", subject_kind),
        ("subject_id = {}", subject_id),
        ("vm_id = {}", vm_id),
        ("status = {}", status),
        ("verb = {}", verb),
        ("strpos(lower(subject_name), lower({})) > 0", q),
    )
    query = page.json_query(item=repository.ITEM, source="operations", where=where, args=args)
    return Json(page.json_answer(await db.fetchrow(query, *args)))


@router.get(
    "/{operation_id}", response_model=OperationItem, responses=problems(NotSignedIn, OperationNotFound, InvalidField)
)
async def get_operation(
    operation_id: UUID,
    actor: Viewer,
    operations: Annotated[Operations, provided(Operations)],
    known: IfNoneMatch,
    wait: Wait = None,
) -> Response:
    """One operation; with `wait`, as soon as it has finished or when the seconds are over."""
    operation = await operations.get(operation_id, actor)
    if wait is not None and not operation.is_finished:
        operation = await operations.wait(operation_id, seconds=wait)
    return known.answer(OperationItem(item=OperationBody.of(operation)).model_dump_json().encode())
