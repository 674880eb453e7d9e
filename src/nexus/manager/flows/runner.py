"""Moving one claimed flow: from step to step until it naps, finishes or loses its lease.

A step has one transaction of its own, with the flow's row. What an agent was found to have done is recorded in the
transaction of the step that follows from it, if that step is one: then one commit says both, and only while the lease
holds.
"""

import asyncio
import random
from dataclasses import dataclass, replace
from typing import Any

from nexus.kit import log
from nexus.kit.db import LOST, Db, Tx
from nexus.manager.flows import repository
from nexus.manager.flows.flow import Flow, side_of
from nexus.manager.flows.models import DECIDE, Claim, Finish, Hop, Next
from nexus.protocol.trouble import Refused, Retryable, Trouble

_log = log.get("flows")

LONGEST_BACKOFF_S = 30.0
MOST_HOPS = 200
"""More than this without a nap is a flow that decides in circles."""


def backoff_s(attempts: int) -> float:
    """Half a second, then twice as long each time up to half a minute, give or take a fifth."""
    longest = min(0.5 * 2 ** min(attempts - 1, 10), LONGEST_BACKOFF_S)
    return longest * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing


class Runner:
    def __init__(self, db: Db, *, lease_s: float, step_timeout_s: float) -> None:
        self._db = db
        self._lease_s = lease_s
        self._step_timeout_s = step_timeout_s

    async def move(self, flow: Flow[Any], claim: Claim) -> float | None:
        """Run steps until the flow lets go; in how many seconds it falls due again by time alone, or None. Raises
        LeaseLost; a step's failure becomes a nap."""
        for _ in range(MOST_HOPS):
            _log.debug("step", step=claim.step)
            try:
                went = await self._step(flow, claim)
            except (repository.LeaseLost, asyncio.CancelledError):
                raise
            except Exception as error:
                went = await self._trouble(flow, claim, error)
            if not isinstance(went, Hop):
                return went.due_in_s
            claim = replace(claim, step=went.step, is_overdue=False)
        went = await self._trouble(flow, claim, RuntimeError(f"{MOST_HOPS} steps in a row without a nap"))
        return None if isinstance(went, Hop) else went.due_in_s

    async def _step(self, flow: Flow[Any], claim: Claim) -> "Hop | _LetGo":
        """Run what is due now and commit what comes next. Of a step on an agent the facts were locked and read, which
        there is nothing to commit of, nor to wait for the disk."""
        try:
            async with self._db.transaction() as tx:
                due = await self._in_tx(flow, tx, claim)
                if isinstance(due, _OnAgent):
                    raise _OnlyRead(due)
                return due
        except _OnlyRead as read:
            due = read.due
        return await self._on_agent(flow, claim, due)

    async def _in_tx(self, flow: Flow[Any], tx: Tx, claim: Claim) -> "Hop | _LetGo | _OnAgent":
        """Run the step that is due if it is one in a transaction, in this one; else name it."""
        facts = await flow.load(tx, claim.subject_id)
        if facts is None:
            return await self._commit(tx, claim, Finish())
        next_, step = await self._decide(flow, tx, claim, facts)
        if next_ is None:
            if side_of(flow, step) != "tx":
                return _OnAgent(step, facts)
            next_ = await getattr(flow, step)(tx, facts)
        return await self._settle(flow, tx, claim, facts, next_)

    async def _decide(self, flow: Flow[Any], tx: Tx, claim: Claim, facts: Any) -> tuple[Next | None, str]:
        """What comes next already, or the step to run."""
        if claim.is_overdue:
            return await flow.overdue(tx, facts), claim.step
        if claim.step != DECIDE:
            return None, claim.step
        decided = flow.decide(facts)
        return (None, decided) if isinstance(decided, str) else (decided, DECIDE)

    async def _on_agent(self, flow: Flow[Any], claim: Claim, due: "_OnAgent") -> "Hop | _LetGo":
        step, facts = due.step, due.facts
        try:
            async with asyncio.timeout(self._step_timeout_s):
                next_: Next = await getattr(flow, step)(facts)
        except TimeoutError as slow:
            raise Retryable(f"{step} took longer than {self._step_timeout_s:.0f} s") from slow
        except Refused as refused:
            _log.info("step_refused", step=step, why=str(refused))
            async with self._db.transaction() as tx:
                fresh = await flow.load(tx, claim.subject_id)
                next_ = Finish() if fresh is None else await flow.refused(tx, fresh, step, refused)
                return await self._settle(flow, tx, claim, fresh, next_)
        async with self._db.transaction() as tx:
            if not isinstance(next_, Hop):
                return await self._settle(flow, tx, claim, facts, next_)
            if next_.found is not None:
                await flow.absorb(tx, facts, next_.found)
            went = await self._in_tx(flow, tx, replace(claim, step=next_.step))
            return await self._commit(tx, claim, next_) if isinstance(went, _OnAgent) else went

    async def _settle(self, flow: Flow[Any], tx: Tx, claim: Claim, facts: Any, next_: Next) -> "Hop | _LetGo":
        if next_.found is not None:
            await flow.absorb(tx, facts, next_.found)
        return await self._commit(tx, claim, next_)

    async def _commit(self, tx: Tx, claim: Claim, next_: Next) -> "Hop | _LetGo":
        """Move the flow's own row, last: whoever wakes a flow has locked its subject first."""
        if isinstance(next_, Hop):
            await repository.hop(tx, claim, next_.step, lease_s=self._lease_s)
            return next_
        if isinstance(next_, Finish):
            return _LetGo(None if await repository.finish(tx, claim) else 0)
        return _LetGo(await repository.nap(tx, claim, seconds=next_.seconds, why=next_.why, attempts=0))

    async def _trouble(self, flow: Flow[Any], claim: Claim, error: Exception) -> "Hop | _LetGo":
        """Come back later, and later each time, unless the flow itself gives up on a Trouble."""
        attempts = claim.attempts + 1
        why = str(error) or type(error).__name__
        async with self._db.transaction() as tx:
            if isinstance(error, Trouble):
                _log.info("step_will_retry", step=claim.step, attempts=attempts, why=why)
                facts = await flow.load(tx, claim.subject_id)
                given_up = facts and await flow.retrying(tx, facts, claim.step, error, attempts)
                if given_up:
                    return await self._settle(flow, tx, claim, facts, given_up)
            elif isinstance(error, LOST):
                _log.info("step_will_retry", step=claim.step, attempts=attempts, why=why)
            else:
                _log.error("step_failed", step=claim.step, attempts=attempts, exc_info=error)
            return _LetGo(await repository.nap(tx, claim, seconds=backoff_s(attempts), why=why, attempts=attempts))


@dataclass(frozen=True)
class _LetGo:
    """The flow is given back, or over. `due_in_s`: when it falls due by time alone; 0: it was woken meanwhile."""

    due_in_s: float | None


@dataclass(frozen=True)
class _OnAgent:
    """A step that is to be run outside of any transaction, on these facts."""

    step: str
    facts: Any


class _OnlyRead(Exception):
    """Ends a transaction that changed nothing."""

    def __init__(self, due: _OnAgent) -> None:
        super().__init__()
        self.due = due
