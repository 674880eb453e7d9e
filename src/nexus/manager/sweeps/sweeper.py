"""Periodic chores. A sweep takes no input and decides nothing: it wakes flows, or removes what has expired.

Exactly one manager runs them: whoever holds an advisory lock on a connection kept for that. When that connection is
lost so is the lock, and this manager stops sweeping before another can have begun its second round.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg

from nexus.kit import log
from nexus.kit.db import TROUBLE

_log = log.get("sweeps")

_LOCK = 0x7377656570  # "sweep"


@dataclass(frozen=True)
class Sweep:
    """`run()` answers how many things it touched, for the log."""

    name: str
    every: timedelta
    run: Callable[[], Awaitable[int]]


class Sweeper:
    ELECTION_S = 5.0
    """How often a manager that does not sweep asks whether it should."""

    def __init__(self, dsn: str, sweeps: Sequence[Sweep]) -> None:
        self._dsn = dsn
        self._sweeps = sweeps
        self._task: asyncio.Task[None] | None = None
        self.is_leader = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._campaign(), name="sweeper")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _campaign(self) -> None:
        while True:
            try:
                await self._lead_if_elected()
            except TROUBLE as lost:
                _log.warning("sweeper_lost_database", why=str(lost) or type(lost).__name__)
            finally:
                self.is_leader = False
            await asyncio.sleep(self.ELECTION_S)

    async def _lead_if_elected(self) -> None:
        connection = await asyncpg.connect(self._dsn, server_settings={"application_name": "nexus sweeper"})
        try:
            if not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):
                return
            self.is_leader = True
            _log.info("sweeping")
            await self._sweep_forever(connection)
        finally:
            connection.terminate()

    async def _sweep_forever(self, connection: Any) -> None:
        clock = asyncio.get_running_loop().time
        due = {sweep.name: clock() for sweep in self._sweeps}
        while True:
            for sweep in self._sweeps:
                if due[sweep.name] <= clock():
                    await connection.execute("select 1", timeout=5)  # still elected, or this raises
                    due[sweep.name] = clock() + sweep.every.total_seconds()
                    await _run(sweep)
            await asyncio.sleep(max(0.0, min(due.values(), default=clock() + self.ELECTION_S) - clock()))


async def _run(sweep: Sweep) -> None:
    try:
        touched = await sweep.run()
    except Exception:
        # one sweep's mistake must not end the others
        _log.exception("sweep_failed", sweep=sweep.name)
    else:
        if touched:
            _log.info("swept", sweep=sweep.name, touched=touched)
