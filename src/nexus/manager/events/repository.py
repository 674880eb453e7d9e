"""The event log's SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.manager.events.models import Event
from nexus.manager.subjects import Subject


@dataclass(frozen=True)
class Extent:
    """What the log holds: everything after `compacted_seq` up to `last_seq`."""

    compacted_seq: int
    last_seq: int


@dataclass(frozen=True)
class New:
    """An event that has no number yet."""

    type: str
    subject: Subject
    owner_user_id: UUID | None
    data: Mapping[str, Any]


async def append(tx: Tx, told: Sequence[New]) -> None:
    """Give these events the next numbers, in their order. Locks the counter until the transaction ends."""
    await tx.execute(
        """
        with counter as (update event_log set last_seq = last_seq + $7 returning last_seq)
        insert into events (seq, at, project_id, owner_user_id, type, subject_kind, subject_id, data)
        select c.last_seq - $7 + n.number, clock_timestamp(), n.project_id, n.owner_user_id, n.type, n.kind, n.id,
               n.data
        from counter c, unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::jsonb[])
            with ordinality as n(project_id, owner_user_id, type, kind, id, data, number)
        """,
        [one.subject.project_id for one in told],
        [one.owner_user_id for one in told],
        [one.type for one in told],
        [one.subject.kind for one in told],
        [one.subject.id for one in told],
        [dict(one.data) for one in told],
        len(told),
    )


async def extent(reader: Reader) -> Extent:
    row = await reader.fetchrow("select compacted_seq, last_seq from event_log")
    if row is None:
        raise RuntimeError("event_log has lost its row")
    return Extent(row["compacted_seq"], row["last_seq"])


async def after(reader: Reader, seq: int, *, limit: int) -> list[Event]:
    """The next events after `seq`, oldest first."""
    rows = await reader.fetch(
        """
        select seq, at, type, subject_kind, subject_id, data, project_id, owner_user_id
        from events where seq > $1 order by seq limit $2
        """,
        seq,
        limit,
    )
    return [Event(**dict(row)) for row in rows]


async def compact(tx: Tx, *, keep_s: float, keep_count: int) -> int:
    """Remove what is older than `keep_s` seconds or not among the newest `keep_count`; how many went."""
    last = await tx.fetchval(
        """
        update event_log set compacted_seq = greatest(
            compacted_seq,
            last_seq - $2,
            coalesce((select max(seq) from events where at < now() - make_interval(secs => $1)), 0)
        ) returning compacted_seq
        """,
        float(keep_s),
        keep_count,
    )
    tag = await tx.execute("delete from events where seq <= $1", last)
    return int(tag.split()[-1])
