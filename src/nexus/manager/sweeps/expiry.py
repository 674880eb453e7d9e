"""The platform's own sweeps: what expires goes, and what is overdue is looked at again."""

from datetime import timedelta

from nexus.kit.db import Db
from nexus.manager.events import repository as events
from nexus.manager.flows.service import Flows
from nexus.manager.operations import repository as operations
from nexus.manager.subjects import Subject
from nexus.manager.sweeps.sweeper import Sweep

KEEP_EVENTS = timedelta(days=7)
MOST_EVENTS = 1_000_000
KEEP_OPERATIONS = timedelta(days=7)
KEEP_IDEMPOTENCY_KEYS = timedelta(hours=24)


def platform_sweeps(db: Db, flows: Flows) -> list[Sweep]:
    """What every manager sweeps, whatever slices there are."""

    async def sessions() -> int:
        return _count(await db.execute("delete from sessions where expires_at <= now()"))

    async def idempotency_keys() -> int:
        return _count(
            await db.execute(
                "delete from idempotency_keys where created_at < now() - $1::interval", KEEP_IDEMPOTENCY_KEYS
            )
        )

    async def compact_events() -> int:
        async with db.transaction() as tx:
            return await events.compact(tx, keep_s=KEEP_EVENTS.total_seconds(), keep_count=MOST_EVENTS)

    async def finished_operations() -> int:
        async with db.transaction() as tx:
            return await operations.forget_finished(tx, keep_s=KEEP_OPERATIONS.total_seconds())

    async def overdue_operations() -> int:
        return await _wake_overdue(db, flows)

    return [
        Sweep("overdue_operations", timedelta(seconds=30), overdue_operations),
        Sweep("sessions", timedelta(minutes=5), sessions),
        Sweep("idempotency_keys", timedelta(minutes=10), idempotency_keys),
        Sweep("events", timedelta(minutes=10), compact_events),
        Sweep("operations", timedelta(minutes=30), finished_operations),
    ]


async def _wake_overdue(db: Db, flows: Flows) -> int:
    """Tell the flows whose operations run past their deadline, as far as they do not know by themselves."""
    rows = await db.fetch(
        """
        select distinct subject_kind, subject_id from operations where status = 'running' and deadline < now()
        limit 1000
        """
    )
    for row in rows:
        async with db.transaction() as tx:
            await flows.expire(tx, Subject(row["subject_kind"], row["subject_id"]))
    return len(rows)


def _count(tag: str) -> int:
    return int(tag.split()[-1])
