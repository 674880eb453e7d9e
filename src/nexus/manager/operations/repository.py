"""Operations' SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from nexus.kit.db import Reader, Record, Tx
from nexus.manager.operations.models import Operation, Status
from nexus.manager.subjects import Subject

_COLUMNS = """id, project_id, created_by_user_id, subject_kind, subject_id, subject_name, verb, generation, status,
    progress, stage, error, result, request_id, deadline, begun_at, created_at, updated_at, finished_at"""

ITEM = """json_build_object('id', id, 'verb', verb, 'subject_kind', subject_kind, 'subject_id', subject_id,
    'subject_name', subject_name, 'status', status, 'progress', progress, 'stage', stage, 'error', error,
    'result', result,
    'created_at', created_at, 'updated_at', updated_at, 'finished_at', finished_at, 'request_id', request_id)"""
"""One operation as OperationBody has it, built by PostgreSQL."""


def _operation(row: Record) -> Operation:
    fields: dict[str, Any] = dict(row)
    fields["status"] = Status(fields["status"])
    return Operation(**fields)


async def add(
    tx: Tx,
    operation_id: UUID,
    subject: Subject,
    *,
    verb: str,
    generation: int,
    user_id: UUID | None,
    request_id: str | None,
    within: timedelta | None,
    vm_id: UUID | None,
) -> Operation:
    row = await tx.fetchrow(
        f"""
        insert into operations (id, project_id, created_by_user_id, subject_kind, subject_id, subject_name, verb,
                                generation, request_id, deadline, vm_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + $10::interval, $11) returning {_COLUMNS}
        """,
        operation_id,
        subject.project_id,
        user_id,
        subject.kind,
        subject.id,
        subject.name,
        verb,
        generation,
        request_id,
        within,
        vm_id,
    )
    assert row is not None
    return _operation(row)


async def supersede(tx: Tx, subject: Subject, *, before: int) -> list[Operation]:
    """End the subject's running operations of a generation older than `before`."""
    return await _update(
        tx,
        "status = 'superseded', finished_at = now()",
        "generation < $3",
        subject.kind,
        subject.id,
        before,
    )


async def settle(
    tx: Tx, subject: Subject, *, generation: int, status: Status, error: dict[str, Any] | None
) -> list[Operation]:
    changes = """status = $4, error = $5, finished_at = now(), stage = null,
                 progress = case when $4 = 'done' then 100 else progress end"""
    return await _update(tx, changes, "generation <= $3", subject.kind, subject.id, generation, status, error)


async def report(
    tx: Tx, subject: Subject, *, generation: int, percent: int | None, stage: str | None
) -> list[Operation]:
    """Those whose progress or stage changed by it."""
    return await _update(
        tx,
        "progress = greatest(progress, coalesce($4, progress)), stage = coalesce($5, stage)",
        "generation <= $3 and (coalesce($4, 0) > progress or coalesce($5, stage) is distinct from stage)",
        subject.kind,
        subject.id,
        generation,
        percent,
        stage,
    )


async def begin(tx: Tx, subject: Subject, *, generation: int, within_s: Mapping[str, float]) -> datetime | None:
    """Let the time of the subject's running operations begin, by their verbs; those of other verbs keep their
    deadline. When the first of all that run is due; None: no time began."""
    return await tx.fetchval(
        """
        with begun as (
            update operations set begun_at = now(), updated_at = now(),
                deadline = now() + make_interval(secs => ($4::jsonb ->> verb)::float8)
            where subject_kind = $1 and subject_id = $2 and status = 'running' and generation <= $3
                and begun_at is null and $4::jsonb ? verb
            returning id, deadline)
        select least(min(b.deadline), (
            select min(o.deadline) from operations o
            where o.subject_kind = $1 and o.subject_id = $2 and o.status = 'running'
                and o.id not in (select id from begun)
        )) from begun b having count(*) > 0
        """,
        subject.kind,
        subject.id,
        generation,
        dict(within_s),
    )


async def first_due(tx: Tx, subject: Subject) -> datetime | None:
    """When the first of the subject's running operations is due."""
    return await tx.fetchval(
        "select min(deadline) from operations where subject_kind = $1 and subject_id = $2 and status = 'running'",
        subject.kind,
        subject.id,
    )


async def late(tx: Tx, subject: Subject) -> list[Operation]:
    """The subject's running operations whose deadline has passed."""
    rows = await tx.fetch(
        f"""
        select {_COLUMNS} from operations
        where subject_kind = $1 and subject_id = $2 and status = 'running' and deadline <= now() order by generation
        """,
        subject.kind,
        subject.id,
    )
    return [_operation(row) for row in rows]


async def fail(tx: Tx, operation_id: UUID, error: dict[str, Any]) -> list[Operation]:
    """End that operation, if it still runs."""
    rows = await tx.fetch(
        f"""
        update operations set status = 'failed', error = $2, finished_at = now(), stage = null, updated_at = now()
        where id = $1 and status = 'running' returning {_COLUMNS}
        """,
        operation_id,
        error,
    )
    return [_operation(row) for row in rows]


async def _update(tx: Tx, changes: str, condition: str, *args: object) -> list[Operation]:
    rows = await tx.fetch(
        f"""
        update operations set {changes}, updated_at = now()
        where subject_kind = $1 and subject_id = $2 and status = 'running' and {condition}
        returning {_COLUMNS}
        """,
        *args,
    )
    return [_operation(row) for row in rows]


async def note(tx: Tx, operation_id: UUID, *, percent: int, stage: str, result: dict[str, Any]) -> list[Operation]:
    """That operation, if it still runs and anything changed by it."""
    rows = await tx.fetch(
        f"""
        update operations set progress = greatest(progress, $2), stage = $3, result = $4, updated_at = now()
        where id = $1 and status = 'running'
            and (progress < $2 or stage is distinct from $3 or result is distinct from $4::jsonb)
        returning {_COLUMNS}
        """,
        operation_id,
        percent,
        stage,
        result,
    )
    return [_operation(row) for row in rows]


async def all_of(reader: Reader, operation_ids: Sequence[UUID]) -> list[Operation]:
    rows = await reader.fetch(f"select {_COLUMNS} from operations where id = any($1)", list(operation_ids))
    return [_operation(row) for row in rows]


async def find(reader: Reader, operation_id: UUID) -> Operation | None:
    row = await reader.fetchrow(f"select {_COLUMNS} from operations where id = $1", operation_id)
    return _operation(row) if row else None


async def newest_running(tx: Tx, subject: Subject, *, verb: str | None) -> Operation | None:
    row = await tx.fetchrow(
        f"""
        select {_COLUMNS} from operations
        where subject_kind = $1 and subject_id = $2 and status = 'running' and ($3::text is null or verb = $3)
        order by generation desc, id desc limit 1
        """,
        subject.kind,
        subject.id,
        verb,
    )
    return _operation(row) if row else None


async def forget_finished(tx: Tx, *, keep_s: float) -> int:
    """Remove operations that ended more than `keep_s` seconds ago; how many went."""
    tag = await tx.execute(
        "delete from operations where finished_at < now() - make_interval(secs => $1)", float(keep_s)
    )
    return int(tag.split()[-1])
