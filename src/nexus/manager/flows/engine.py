"""The engine: takes due flows, runs their steps, and lives with being killed at any instruction.

Managers share the work through leases alone. A lease outlasts any step (steps are cut off well before), so it is never
renewed while one runs; a process that comes back to life after its lease has passed on finds that its commit changes
nothing. No connection is held while a step calls an agent.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from nexus.kit import log
from nexus.kit.db import LOST, Db, Listener
from nexus.kit.ids import new_id
from nexus.manager.flows import repository
from nexus.manager.flows.flow import Flow
from nexus.manager.flows.models import Claim
from nexus.manager.flows.runner import Runner
from nexus.manager.flows.service import CHANNEL, Flows

_log = log.get("flows")


class Engine:
    """Runs flows of the kinds given. `lease_s` is how long a killed manager's flows lie still; a step is cut off after
    `step_timeout_s`, which is two thirds of that if it is not given."""

    LEASE_S = 30.0
    LOOK_AGAIN_S = 30.0
    """The longest without looking, whatever the database said: a safety net, not how work is found."""

    def __init__(
        self,
        db: Db,
        listener: Listener,
        flows: Flows,
        kinds: Sequence[Flow[Any]],
        *,
        concurrency: int = 32,
        lease_s: float = LEASE_S,
        step_timeout_s: float | None = None,
    ) -> None:
        step_timeout_s = step_timeout_s or lease_s * 2 / 3
        if step_timeout_s >= lease_s:
            raise ValueError("a lease must outlast a step")
        self._db = db
        self._bell = flows.bell
        self._kinds = {kind.name: kind for kind in kinds}
        self._concurrency = concurrency
        self._lease_s = lease_s
        self._runner = Runner(db, lease_s=lease_s, step_timeout_s=step_timeout_s)
        self._running: dict[asyncio.Task[None], Claim] = {}
        self._loop: asyncio.Task[None] | None = None
        listener.on(CHANNEL, flows.heard)

    def start(self) -> None:
        self._loop = asyncio.create_task(self._run(), name="flow engine")

    async def stop(self, *, patience_s: float = 5.0) -> None:
        """Take no more flows, let steps under way end for `patience_s`, then cut them off and give their flows back."""
        if self._loop is None:
            return
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)
        self._loop = None
        running = dict(self._running)
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=patience_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in late:
            await repository.let_go(self._db, running[task])

    async def _run(self) -> None:
        while True:
            try:
                await self._take_and_wait()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as trouble:
                _log.warning("flows_unclaimed", why=str(trouble) or type(trouble).__name__)
                await asyncio.sleep(1)

    async def _take_and_wait(self) -> None:
        self._bell.clear()
        free = self._concurrency - len(self._running)
        names = list(self._kinds)
        pause = self.LOOK_AGAIN_S
        if free > 0:
            found = await repository.claim(self._db, names, limit=free, lease=new_id(), lease_s=self._lease_s)
            for claim in found.claims:
                self._begin(claim)
            if len(found.claims) < free and found.next_in_s is not None:
                pause = min(pause, max(found.next_in_s, 0.05))
        try:
            async with asyncio.timeout(pause):
                await self._bell.wait()
        except TimeoutError:
            return

    def _begin(self, claim: Claim) -> None:
        task = asyncio.create_task(self._move(claim), name=f"flow {claim.flow} {claim.subject_id}")
        self._running[task] = claim
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A slot is free, and this flow may be due again."""
        claim = self._running.pop(task)
        self._bell.set()
        error = None if task.cancelled() else task.exception()
        if isinstance(error, repository.LeaseLost):
            _log.info("lease_lost", flow=claim.flow, subject_id=str(claim.subject_id), step=claim.step)
        elif isinstance(error, LOST):
            _log.warning("flow_left", flow=claim.flow, subject_id=str(claim.subject_id), why=str(error))
        elif error is not None:
            # not even its failure could be recorded: the flow falls due again when the lease expires
            _log.error("flow_abandoned", flow=claim.flow, subject_id=str(claim.subject_id), exc_info=error)

    async def _move(self, claim: Claim) -> None:
        log.bind(flow=claim.flow, subject_id=str(claim.subject_id))
        await self._runner.move(self._kinds[claim.flow], claim)
