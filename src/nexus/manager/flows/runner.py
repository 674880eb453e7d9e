"""Moving one claimed flow: from step to step until it naps, finishes or loses its lease."""

import asyncio
import random
from dataclasses import replace
from typing import Any

from nexus.kit import log
from nexus.kit.db import LOST, Db, Tx
from nexus.manager.flows import repository
from nexus.manager.flows.flow import Flow, side_of
from nexus.manager.flows.models import DECIDE, Claim, Finish, Hop, Next, nap
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

    async def move(self, flow: Flow[Any], claim: Claim) -> None:
        """Run steps until the flow lets go. Raises LeaseLost; a step's failure becomes a nap."""
        for _ in range(MOST_HOPS):
            _log.debug("step", step=claim.step)
            try:
                next_ = await self._step(flow, claim)
            except (repository.LeaseLost, asyncio.CancelledError):
                raise
            except Exception as error:
                next_ = await self._trouble(flow, claim, error)
            if not isinstance(next_, Hop):
                return
            claim = replace(claim, step=next_.step, is_overdue=False)
        await self._trouble(flow, claim, RuntimeError(f"{MOST_HOPS} steps in a row without a nap"))

    async def _step(self, flow: Flow[Any], claim: Claim) -> Next:
        """Run what is due now and commit what comes next."""
        async with self._db.transaction() as tx:
            facts = await flow.load(tx, claim.subject_id)
            if facts is None:
                return await self._commit(tx, claim, Finish())
            next_, step = await self._decide(flow, tx, claim, facts)
            if next_ is None and side_of(flow, step) == "tx":
                next_ = await getattr(flow, step)(tx, facts)
            if next_ is not None:
                return await self._settle(flow, tx, claim, facts, next_)
        return await self._on_agent(flow, claim, step, facts)

    async def _decide(self, flow: Flow[Any], tx: Tx, claim: Claim, facts: Any) -> tuple[Next | None, str]:
        """What comes next already, or the step to run."""
        if claim.is_overdue:
            return await flow.overdue(tx, facts), claim.step
        if claim.step != DECIDE:
            return None, claim.step
        decided = flow.decide(facts)
        return (None, decided) if isinstance(decided, str) else (decided, DECIDE)

    async def _on_agent(self, flow: Flow[Any], claim: Claim, step: str, facts: Any) -> Next:
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
            return await self._settle(flow, tx, claim, facts, next_)

    async def _settle(self, flow: Flow[Any], tx: Tx, claim: Claim, facts: Any, next_: Next) -> Next:
        if next_.found is not None:
            await flow.absorb(tx, facts, next_.found)
        return await self._commit(tx, claim, next_)

    async def _commit(self, tx: Tx, claim: Claim, next_: Next) -> Next:
        """Move the flow's own row, last: whoever wakes a flow has locked its subject first."""
        if isinstance(next_, Hop):
            await repository.hop(tx, claim, next_.step, lease_s=self._lease_s)
        elif isinstance(next_, Finish):
            await repository.finish(tx, claim)
        else:
            await repository.nap(tx, claim, seconds=next_.seconds, why=next_.why, attempts=0)
        return next_

    async def _trouble(self, flow: Flow[Any], claim: Claim, error: Exception) -> Next:
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
            later = nap(backoff_s(attempts), why)
            await repository.nap(tx, claim, seconds=later.seconds, why=why, attempts=attempts)
            return later
