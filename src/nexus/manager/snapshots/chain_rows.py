"""The SQL of snapshots that are over others: Diffs, and what they need."""

from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.manager.snapshots.repository import AWAITING, DIFFS


async def diffs(reader: Reader, snapshot_id: UUID) -> list[str]:
    """The Diffs over it that are to be kept, by name."""
    rows = await reader.fetch(
        f"select d.name from snapshots s, lateral (select d.name {DIFFS} and d.goal = 'kept') d where s.id = $1 "
        "order by d.name",
        snapshot_id,
    )
    return [row["name"] for row in rows]


async def goes_after_diffs(reader: Reader, snapshot_id: UUID) -> bool:
    """Whether its host may have Diffs over it that are all going. One that is to stay its host will not do without."""
    return await reader.fetchval(
        f"select coalesce((select bool_and(d.goal = 'gone') {DIFFS}), false) from snapshots s where s.id = $1",
        snapshot_id,
    )


async def last_of(reader: Reader, vm_id: UUID) -> UUID | None:
    """The snapshot that a VM has gone on from: taken of it, or gone back to, last."""
    return await reader.fetchval("select last_snapshot_id from vms where id = $1", vm_id)


async def diffs_of(reader: Reader, snapshot_id: UUID) -> int:
    """How many diffs a snapshot is made of: itself, if it is one, and those that it is over."""
    return await reader.fetchval(
        """
        with recursive chain as (
            select s.parent_id from snapshots s where s.id = $1 and s.type = 'Diff'
            union all
            select s.parent_id from chain c join snapshots s on s.id = c.parent_id and s.type = 'Diff')
        select count(*) from chain
        """,
        snapshot_id,
    )


async def surplus(tx: Tx, vm_id: UUID, *, keep: int) -> list[UUID]:
    """Of a VM's completed snapshots that were asked for, all but the `keep` newest, as far as nothing needs them: no
    VM that has yet to begin, and no Diff that stays; they are locked."""
    rows = await tx.fetch(
        f"""
        with recursive newest as (
            select k.id from snapshots k where k.vm_id = $1 and k.purpose = 'keep' and k.state = 'completed'
            order by k.created_at desc, k.id desc limit $2
        ), staying as (
            select s.id, s.parent_id, s.type from snapshots s
            where s.vm_id = $1 and s.goal = 'kept' and s.state <> 'failed' and (
                s.state <> 'completed' or s.id in (select id from newest) or exists (select {AWAITING}))
            union
            select p.id, p.parent_id, p.type from staying c join snapshots p on p.id = c.parent_id
            where c.type = 'Diff')
        select s.id from snapshots s
        where s.vm_id = $1 and s.purpose = 'keep' and s.state = 'completed' and s.id not in (select id from staying)
        order by s.id for update of s
        """,
        vm_id,
        keep,
    )
    return [row["id"] for row in rows]
