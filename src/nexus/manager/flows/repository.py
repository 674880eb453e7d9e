"""Flows' SQL: claiming under a lease, and moving on only while it holds."""

from dataclasses import dataclass
from uuid import UUID

from nexus.kit.db import Db, Tx
from nexus.manager.flows.models import DECIDE, Claim

_MINE = "subject_kind = $1 and subject_id = $2 and lease = $3"

_DEADLINE = "case when $6 and deadline <= now() then null else deadline end"
"""A deadline that has been dealt with is cleared; one that was set meanwhile stays."""


_DEADLINE_IS_NEWS = "(attempts = 0 or updated_at <= deadline)"
"""Dealing with a deadline may itself meet trouble; then it waits for the next attempt."""


class LeaseLost(Exception):
    """Somebody else moves this flow now: what this process was about to commit must not happen."""


@dataclass(frozen=True)
class Claimed:
    """What was claimed, and in how many seconds another flow falls due by time alone; None: none will."""

    claims: list[Claim]
    next_in_s: float | None


async def claim(db: Db, flows: list[str], *, limit: int, lease: UUID, lease_s: float) -> Claimed:
    """Take up to `limit` due flows of these kinds: woken, past their nap or deadline, or left by a process that died.

    Hearing is done here: facts are read after this, so a wake counted by now needs no further look. A deadline that
    passes while a flow backs off (`attempts`) interrupts that, once."""
    rows = await db.fetch(
        f"""
        with due as (
            select subject_kind, subject_id from flows
            where flow = any($1::text[]) and (
                (wake_at <= now() and lease is null) or (wakeups > heard and lease is null)
                or (deadline <= now() and {_DEADLINE_IS_NEWS} and lease is null) or lease_expires <= now())
            order by wake_at nulls first limit $2 for update skip locked
        ), claimed as (
            update flows f
            set lease = $3, lease_expires = now() + make_interval(secs => $4), heard = wakeups, updated_at = now()
            from due where f.subject_kind = due.subject_kind and f.subject_id = due.subject_id
            returning f.subject_kind, f.subject_id, f.flow, f.step, f.lease, f.attempts,
                      coalesce(f.deadline <= now(), false) as is_overdue
        )
        select claimed.*, n.next_in_s
        from ({_NEXT} and (subject_kind, subject_id) not in (select subject_kind, subject_id from due)) n
        left join claimed on true
        """,
        flows,
        limit,
        lease,
        lease_s,
    )
    claims = [Claim(**{field: row[field] for field in _CLAIMED}) for row in rows if row["flow"] is not None]
    return Claimed(claims, rows[0]["next_in_s"])


_CLAIMED = ("subject_kind", "subject_id", "flow", "step", "lease", "attempts", "is_overdue")
_NEXT = f"""
select extract(epoch from least(
    min(wake_at) filter (where lease is null),
    min(deadline) filter (where lease is null and {_DEADLINE_IS_NEWS}),
    min(lease_expires)) - now())::float8 as next_in_s
from flows where flow = any($1::text[])
"""


async def seconds_to_next(db: Db, flows: list[str]) -> float | None:
    """How long until a flow of these kinds falls due by time alone; None when none will."""
    return await db.fetchval(_NEXT, flows)


async def hop(tx: Tx, claim: Claim, step: str, *, lease_s: float) -> None:
    """Go on to `step` under a lease that begins anew. Raises LeaseLost."""
    tag = await tx.execute(
        f"""
        update flows set step = $4, updated_at = now(), lease_expires = now() + make_interval(secs => $5),
            deadline = {_DEADLINE} where {_MINE}
        """,
        claim.subject_kind,
        claim.subject_id,
        claim.lease,
        step,
        lease_s,
        claim.is_overdue,
    )
    _require(tag != "UPDATE 0")


async def nap(tx: Tx, claim: Claim, *, seconds: float | None, why: str, attempts: int) -> float | None:
    """Let go of the flow; in how many seconds it falls due by time, 0 when it has been woken meanwhile, None when
    nothing but a wake makes it due. Raises LeaseLost."""
    row = await tx.fetchrow(
        f"""
        update flows set step = $4, wake_at = now() + make_interval(secs => $5), why = $6, attempts = $7,
            lease = null, lease_expires = null, updated_at = now(),
            deadline = case when $7 > 0 then deadline else {_DEADLINE.replace("$6", "$8")} end
        where {_MINE} returning case when wakeups > heard then 0 else
            greatest(0, extract(epoch from least(wake_at, deadline) - now())::float8) end as due_in_s
        """,
        claim.subject_kind,
        claim.subject_id,
        claim.lease,
        DECIDE,
        None if seconds is None else float(seconds),
        why,
        attempts,
        claim.is_overdue,
    )
    _require(row is not None)
    return row["due_in_s"] if row else None


async def finish(tx: Tx, claim: Claim) -> bool:
    """Remove the flow; false when it has been woken meanwhile, and stays. Raises LeaseLost."""
    tag = await tx.execute(
        f"delete from flows where {_MINE} and wakeups = heard",
        claim.subject_kind,
        claim.subject_id,
        claim.lease,
    )
    if tag != "DELETE 0":
        return True
    await nap(tx, claim, seconds=0, why="woken while finishing", attempts=0)
    return False


async def let_go(db: Db, claim: Claim) -> None:
    """Give the flow back as it was, due at once: for a process that stops."""
    await db.execute(
        f"""
        update flows set lease = null, lease_expires = null, wake_at = now(), updated_at = now() where {_MINE}
        """,
        claim.subject_kind,
        claim.subject_id,
        claim.lease,
    )


def _require(holds: bool) -> None:
    if not holds:
        raise LeaseLost
