"""Partitions of history: a day of minutes, a month of quarters; made ahead, dropped whole when their time is over.

Dropping costs nothing however much is in them, and nothing is ever deleted row by row. Whoever changes partitions holds
an advisory lock, because two managers may find one missing at once.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nexus.kit.db import Db, Tx
from nexus.manager.metrics.models import Tier

_AHEAD = timedelta(days=2)
_PARENTS = {Tier.MINUTES: "metric_minutes", Tier.QUARTERS: "metric_quarters"}


@dataclass(frozen=True)
class Partition:
    """Of `parent`, from `start` to before `end`."""

    parent: str
    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        return f"{self.parent}_{self.start:%Y%m%d}"


def of(tier: Tier, moment: datetime) -> Partition:
    """The partition in which this moment lies."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if tier is Tier.MINUTES:
        return Partition(_PARENTS[tier], day, day + timedelta(days=1))
    first = day.replace(day=1)
    return Partition(_PARENTS[tier], first, (first + timedelta(days=32)).replace(day=1))


async def ensure(db: Db, *, since: datetime | None = None) -> int:
    """Have the partitions from an hour ago (those of quarters from `since`) to the day after tomorrow; how many were
    made."""
    async with db.transaction() as tx:
        now: datetime = await tx.fetchval("select now()")
        recent = now - timedelta(hours=1)
        begin = {Tier.MINUTES: recent, Tier.QUARTERS: min(since or recent, recent)}
        wanted = {each.name: each for tier in Tier for each in _through(tier, begin[tier], now + _AHEAD)}
        there = await _names(tx)
        if wanted.keys() <= there:
            return 0
        await tx.execute("select pg_advisory_xact_lock(hashtextextended('metric partitions', 0))")
        missing = wanted.keys() - await _names(tx)
        for name in sorted(missing):
            made = wanted[name]
            await tx.execute(
                f"create table {name} partition of {made.parent} "
                f"for values from ('{made.start.isoformat()}') to ('{made.end.isoformat()}')"
            )
        return len(missing)


async def drop(db: Db, *, minutes_before: datetime, quarters_before: datetime) -> int:
    """Drop partitions that hold nothing newer; how many went. Minutes that are not added up yet stay."""
    async with db.transaction() as tx:
        await tx.execute("select pg_advisory_xact_lock(hashtextextended('metric partitions', 0))")
        through: datetime = await tx.fetchval("select through from metric_rollup")
        before = {Tier.MINUTES: min(minutes_before, through), Tier.QUARTERS: quarters_before}
        dropped = 0
        for tier, parent in _PARENTS.items():
            for name in sorted(await _names(tx, parent)):
                start = datetime.strptime(name.removeprefix(f"{parent}_"), "%Y%m%d").replace(tzinfo=UTC)
                if of(tier, start).end <= before[tier]:
                    await tx.execute(f"drop table {name}")
                    dropped += 1
        return dropped


def _through(tier: Tier, begin: datetime, end: datetime) -> list[Partition]:
    found = [of(tier, begin)]
    while found[-1].end <= end:
        found.append(of(tier, found[-1].end))
    return found


async def _names(tx: Tx, parent: str | None = None) -> set[str]:
    rows = await tx.fetch(
        """
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = any(array(select to_regclass(name) from unnest($1::text[]) as parents(name)))
        """,
        [parent] if parent else list(_PARENTS.values()),
    )
    return {row["relname"] for row in rows}
