"""The engine: takes due flows, runs their steps, and lives with being killed at any instruction.

Managers share the work through leases alone. A lease outlasts any step (steps are cut off well before), so it is never
renewed while one runs; a process that comes back to life after its lease has passed on finds that its commit changes
nothing. No connection is held while a step calls an agent.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from nexus.kit import log
from nexus.kit.db import LOST, TROUBLE, Db, Listener
from nexus.kit.ids import new_id
from nexus.manager.flows import repository
from nexus.manager.flows.flow import Flow
from nexus.manager.flows.models import Claim
from nexus.manager.flows.runner import Runner
from nexus.manager.flows.service import CHANNEL, Flows, Taker

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
        self._flows = flows
        self._bell = flows.bell
        self._alarm: asyncio.TimerHandle | None = None
        """Rings the bell at `_alarm_at`, when something falls due by time alone."""
        self._alarm_at = 0.0
        self._is_full = False
        """There may be more that is due than there were free slots for."""
        self._returning: set[asyncio.Task[None]] = set()
        """Giving back new flows that came when this engine had stopped."""
        self._kinds = {kind.name: kind for kind in kinds}
        self._concurrency = concurrency
        self._lease_s = lease_s
        self._runner = Runner(db, lease_s=lease_s, step_timeout_s=step_timeout_s)
        self._running: dict[asyncio.Task[float | None], Claim] = {}
        self._loop: asyncio.Task[None] | None = None
        listener.on(CHANNEL, flows.heard)

    def start(self) -> None:
        self._loop = asyncio.create_task(self._run(), name="flow engine")
        self._flows.taker = Taker(self._lease_s, self._wants, self._take)

    async def stop(self, *, patience_s: float = 5.0) -> None:
        """Take no more flows, let steps under way end for `patience_s`, then cut them off and give their flows back."""
        if self._loop is None:
            return
        self._flows.taker = None
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)
        self._loop = None
        self._set_alarm(None)
        running = dict(self._running)
        late = (await asyncio.wait(running, timeout=patience_s))[1] if running else set[asyncio.Task[float | None]]()
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in late:
            await repository.let_go(self._db, running[task])

    async def _run(self) -> None:
        while True:
            try:
                await self._take_and_wait()
            except TROUBLE as trouble:
                _log.warning("flows_unclaimed", why=str(trouble) or type(trouble).__name__)
                await asyncio.sleep(1)

    async def _take_and_wait(self) -> None:
        self._bell.clear()
        free = self._concurrency - len(self._running)
        names = list(self._kinds)
        self._is_full = free <= 0
        self._set_alarm(self.LOOK_AGAIN_S)
        if free > 0:
            found = await repository.claim(self._db, names, limit=free, lease=new_id(), lease_s=self._lease_s)
            for claim in found.claims:
                self._begin(claim)
            self._is_full = len(found.claims) == free
            if found.next_in_s is not None:
                self._ring_in(max(found.next_in_s, 0.05))
        await self._bell.wait()

    def _set_alarm(self, seconds: float | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._alarm_at = loop.time() + seconds
            self._alarm = loop.call_at(self._alarm_at, self._bell.set)

    def _ring_in(self, seconds: float) -> None:
        """Look again by then at the latest."""
        if self._alarm is None or asyncio.get_running_loop().time() + seconds < self._alarm_at:
            self._set_alarm(seconds)

    def _wants(self, flow: str) -> bool:
        return flow in self._kinds and len(self._running) < self._concurrency

    def _take(self, claim: Claim) -> None:
        """Move a flow that was opened here, under our lease."""
        if self._loop is not None:
            self._begin(claim)
            return
        returning = asyncio.create_task(repository.let_go(self._db, claim))
        self._returning.add(returning)
        returning.add_done_callback(self._returning.discard)

    def _begin(self, claim: Claim) -> None:
        task = asyncio.create_task(self._move(claim), name=f"flow {claim.flow} {claim.subject_id}")
        self._running[task] = claim
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[float | None]) -> None:
        """A slot is free, and this flow may be due again."""
        claim = self._running.pop(task)
        error = None if task.cancelled() else task.exception()
        if self._is_full or task.cancelled() or error is not None:
            self._bell.set()
        elif (due_in_s := task.result()) is not None and self._loop is not None:
            self._ring_in(due_in_s)
        if isinstance(error, repository.LeaseLost):
            _log.info("lease_lost", flow=claim.flow, subject_id=str(claim.subject_id), step=claim.step)
        elif isinstance(error, LOST):
            _log.warning("flow_left", flow=claim.flow, subject_id=str(claim.subject_id), why=str(error))
        elif error is not None:
            # not even its failure could be recorded: the flow falls due again when the lease expires
            _log.error("flow_abandoned", flow=claim.flow, subject_id=str(claim.subject_id), exc_info=error)

    async def _move(self, claim: Claim) -> float | None:
        log.bind(flow=claim.flow, subject_id=str(claim.subject_id))
        return await self._runner.move(self._kinds[claim.flow], claim)
