"""Opening and waking flows, from inside the transaction that gives them a reason to move.

No wake is lost: it is counted in the flow's row (`wakeups`, against `heard`, the count at the last look), announced by
NOTIFY in the same transaction, and rung in this process as soon as that commits: a create never waits for a poll. A
new flow is opened under a lease of the engine here, if that has a slot free, and begun when the transaction commits.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from nexus.kit.db import Tx
from nexus.kit.ids import new_id
from nexus.manager.flows.models import DECIDE, Claim
from nexus.manager.subjects import Subject

CHANNEL = "flows"


@dataclass(frozen=True)
class Taker:
    """An engine that moves new flows at once. `wants`: whether it would take one of this kind now."""

    lease_s: float
    wants: Callable[[str], bool]
    take: Callable[[Claim], None]


class Flows:
    """The slices' side of the engine."""

    def __init__(self) -> None:
        self.bell = asyncio.Event()
        """Set when something may be due; the engine of this process waits on it."""
        self.taker: Taker | None = None
        """The engine of this process, while it runs."""
        self._name = new_id().hex

    def heard(self, ringer: str | None) -> None:
        """A NOTIFY came (None: some may have been missed). What this process told, its bell has rung for already."""
        if ringer != self._name:
            self.bell.set()

    async def open(
        self, tx: Tx, *, flow: str, subject: Subject, step: str = DECIDE, within: timedelta | None = None
    ) -> None:
        """See that `subject` is being moved by `flow`, beginning with `step`. One that is already under way is woken
        instead, and keeps its step. `within`: until when, by the database's clock, which all managers share; it
        replaces the deadline it had."""
        taker = self.taker if self.taker is not None and self.taker.wants(flow) else None
        lease = new_id()
        is_taken = await tx.fetchval(
            """
            insert into flows (subject_kind, subject_id, flow, step, wake_at, deadline, lease, lease_expires)
            values ($1, $2, $3, $4, now(), now() + $5::interval,
                    case when $7::float8 is not null then $6::uuid end, now() + make_interval(secs => $7))
            on conflict (subject_kind, subject_id) do update
            set wakeups = flows.wakeups + 1, deadline = coalesce(excluded.deadline, flows.deadline), updated_at = now()
            returning lease is not distinct from $6
            """,
            subject.kind,
            subject.id,
            flow,
            step,
            within,
            lease,
            taker.lease_s if taker else None,
        )
        if taker is None or not is_taken:
            self._ring(tx)
            return
        claim = Claim(subject.kind, subject.id, flow, step, lease, attempts=0, is_overdue=False)
        tx.notify(CHANNEL, self._name)  # others note when the lease expires
        tx.after_commit(lambda: taker.take(claim))

    async def wake(self, tx: Tx, subject: Subject) -> bool:
        """Have the subject's flow look again, soon. False: no flow moves it; `open` one if it should be moved."""
        tag = await tx.execute(
            """
            update flows set wakeups = wakeups + 1, updated_at = now() where subject_kind = $1 and subject_id = $2
            """,
            subject.kind,
            subject.id,
        )
        if woken := tag != "UPDATE 0":
            self._ring(tx)
        return woken

    async def expire(self, tx: Tx, subject: Subject) -> None:
        """Have the subject's flow, if there is one, told at once that a deadline has passed."""
        await tx.execute(
            """
            update flows set deadline = least(deadline, now()), wakeups = wakeups + 1, updated_at = now()
            where subject_kind = $1 and subject_id = $2
            """,
            subject.kind,
            subject.id,
        )
        self._ring(tx)

    async def limit(self, tx: Tx, subject: Subject, *, deadline: datetime | None) -> None:
        """Have the subject's flow, if there is one, told when `deadline` has passed, and not before; None: never."""
        await tx.execute(
            """
            update flows set deadline = $3, updated_at = now()
            where subject_kind = $1 and subject_id = $2 and deadline is distinct from $3
            """,
            subject.kind,
            subject.id,
            deadline,
        )
        self._ring(tx)

    def _ring(self, tx: Tx) -> None:
        tx.notify(CHANNEL, self._name)
        tx.after_commit(self.bell.set)
