"""The SQL of bulks."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from nexus.kit.db import Db, Reader, Tx
from nexus.kit.problems import Problem
from nexus.manager.access import Actor, visible_to
from nexus.manager.access.models import Role
from nexus.manager.bulks.models import Bulk, BulkVerb, ItemStatus, Turn

ITEM = """
json_build_object(
    'id', b.id, 'verb', b.verb, 'total', (select count(*) from bulk_items i where i.bulk_id = b.id),
    'items', (select coalesce(json_agg(json_build_object(
                  'vm_id', i.vm_id, 'name', i.vm_name, 'status', i.status, 'operation_id', i.operation_id,
                  'error', i.error) order by i.position), '[]'::json)
              from bulk_items i where i.bulk_id = b.id),
    'created_at', b.created_at
)
"""
"""A bulk as `schemas.BulkBody` describes it."""


async def find_json(reader: Reader, bulk_id: UUID, *, actor: Actor) -> str | None:
    """One bulk as JSON text, if the actor may see it."""
    return await reader.fetchval(
        f"select ({ITEM})::text from bulks b where b.id = $1 and b.project_id = $2 "
        f"and {visible_to(3, owner='b.created_by_user_id')}",
        bulk_id,
        actor.project_id,
        actor.sees_only,
    )


async def add(
    tx: Tx, bulk_id: UUID, *, actor: Actor, verb: BulkVerb, grace_s: int, vm_ids: Sequence[UUID], unknown: Problem
) -> None:
    """Add a bulk. Items about no VM that the actor may see have failed already, with `unknown`."""
    await tx.execute(
        "insert into bulks (id, project_id, created_by_user_id, verb, grace_s) values ($1, $2, $3, $4, $5)",
        bulk_id,
        actor.project_id,
        actor.user_id,
        verb,
        grace_s,
    )
    await tx.execute(
        f"""
        insert into bulk_items (bulk_id, position, vm_id, vm_name, status, error)
        select $1, w.position, w.id, coalesce(v.name, ''), case when v.id is null then 'failed' else 'waiting' end,
               case when v.id is null then $5::jsonb end
        from unnest($2::uuid[]) with ordinality as w(id, position)
        left join vms v on v.id = w.id and v.project_id = $3 and {visible_to(4, owner="v.created_by_user_id")}
        """,
        bulk_id,
        list(vm_ids),
        actor.project_id,
        actor.sees_only,
        unknown.body(None).model_dump(mode="json"),
    )


async def lock(tx: Tx, bulk_id: UUID) -> Bulk | None:
    row = await tx.fetchrow(
        """
        select b.id, b.project_id, b.verb, b.grace_s, u.id as user_id, u.username, u.role
        from bulks b left join users u on u.id = b.created_by_user_id where b.id = $1 for update of b
        """,
        bulk_id,
    )
    if row is None:
        return None
    counts = await tx.fetch("select status, count(*) as n from bulk_items where bulk_id = $1 group by status", bulk_id)
    found = {ItemStatus(one["status"]): int(one["n"]) for one in counts}
    has_owner = row["user_id"] is not None
    return Bulk(
        id=row["id"],
        project_id=row["project_id"],
        actor=Actor(row["user_id"], row["username"], Role(row["role"]), row["project_id"]) if has_owner else None,
        verb=BulkVerb(row["verb"]),
        grace_s=row["grace_s"],
        waiting=found.get(ItemStatus.WAITING, 0),
        running=found.get(ItemStatus.RUNNING, 0),
        failed=found.get(ItemStatus.FAILED, 0),
        total=sum(found.values()),
    )


async def next_turn(tx: Tx, bulk_id: UUID) -> Turn | None:
    row = await tx.fetchrow(
        """
        select position, vm_id, vm_name from bulk_items where bulk_id = $1 and status = 'waiting'
        order by position limit 1
        """,
        bulk_id,
    )
    return None if row is None else Turn(row["position"], row["vm_id"], row["vm_name"])


async def note(
    tx: Tx,
    bulk_id: UUID,
    position: int,
    status: ItemStatus,
    *,
    operation_id: UUID | None = None,
    problem: Problem | None = None,
) -> None:
    """Record what became of an item."""
    await tx.execute(
        "update bulk_items set status = $3, operation_id = $4, error = $5 where bulk_id = $1 and position = $2",
        bulk_id,
        position,
        status,
        operation_id,
        None if problem is None else problem.body(None).model_dump(mode="json"),
    )


async def follow(tx: Tx, bulk_id: UUID, *, superseded: Problem) -> None:
    """Record of items that run what became of their operations meanwhile."""
    await tx.execute(
        """
        update bulk_items i set status = case o.status when 'done' then 'done' else 'failed' end,
            error = case o.status when 'failed' then o.error when 'superseded' then $2::jsonb end
        from operations o
        where o.id = i.operation_id and i.bulk_id = $1 and i.status = 'running' and o.status <> 'running'
        """,
        bulk_id,
        superseded.body(None).model_dump(mode="json"),
    )


async def forget(db: Db, *, keep: timedelta) -> int:
    """Remove bulks asked for longer ago; how many went."""
    tag = await db.execute("delete from bulks where created_at < now() - $1::interval", keep)
    return int(tag.split()[-1])
