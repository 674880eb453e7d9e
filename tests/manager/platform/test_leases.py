"""Leases between processes, on a real PostgreSQL: a worker that dies, or stands still, while it holds one."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.manager.platform.lease_worker import LAMP, SCHEMA

from nexus.kit.db import Db
from nexus.kit.ids import new_id
from nexus.manager.flows import Flows
from nexus.manager.subjects import Subject

LEASE_S = 4.0
ROOT = Path(__file__).parents[3]
_BOTH_LISTEN = """
select count(*) = 2 from pg_stat_activity where application_name = 'nexus listener' and datname = current_database()
"""


@dataclass
class Workers:
    """Two workers over one lamp."""

    db: Db
    lamp: Subject
    processes: dict[str, subprocess.Popen[bytes]]
    log: Path

    async def want(self, count: int) -> None:
        async with self.db.transaction() as tx:
            await tx.execute("update lamps set wanted = $2 where id = $1", self.lamp.id, count)
            await Flows().open(tx, flow=LAMP, subject=self.lamp)

    async def until(self, sql: str, *args: object) -> Any:
        """What the query answers, once that is true."""
        return await _until(lambda: self.db.fetchval(sql, *args))

    async def hold(self, step: str) -> None:
        """Let no worker get further than this."""
        for name in self.processes:
            await self.db.execute("insert into held values ($1, $2)", name, step)

    async def holder(self, step: str) -> str:
        """The worker that is being held there."""

        async def found() -> str | None:
            said = self.log.read_text().splitlines()
            return next((name for line in said for name in self.processes if _says(line, name, "held", step)), None)

        return await _until(found)

    async def until_says(self, worker: str, event: str) -> None:
        async def has_said() -> bool:
            return any(_says(line, worker, event) for line in self.log.read_text().splitlines())

        await _until(has_said)

    async def release(self, worker: str) -> None:
        await self.db.execute("delete from held where worker = $1", worker)

    async def lit_by(self, count: int) -> str:
        return await self.until("select lit_by from lamps where lit = $1", count)


@pytest.fixture
async def workers(db: Db, short_tmp: Path) -> AsyncIterator[Workers]:
    """Workers "a" and "b", at work."""
    for statement in SCHEMA.strip().split(";\n"):
        await db.execute(statement)
    lamp = Subject(LAMP, new_id(), "lamp-1")
    await db.execute("insert into lamps values ($1, 0, 0, null)", lamp.id)
    made = Workers(db, lamp, {}, short_tmp / "workers.log")
    with made.log.open("ab") as log:
        for name in ("a", "b"):
            command = [sys.executable, "-m", "tests.manager.platform.lease_worker", db.dsn, name, str(LEASE_S)]
            made.processes[name] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        await made.until(_BOTH_LISTEN)
        yield made
    finally:
        for process in made.processes.values():
            process.kill()
            process.wait()


async def test_a_worker_killed_while_it_holds_a_lease_is_succeeded_when_that_has_expired(workers: Workers) -> None:
    await workers.hold("light")
    await workers.want(1)
    killed = await workers.holder("light")
    workers.processes[killed].send_signal(signal.SIGKILL)
    workers.processes[killed].wait()
    expires = await workers.db.fetchval("select lease_expires from flows where lease is not null")
    assert expires is not None
    [survivor] = {"a", "b"} - {killed}
    await workers.release(survivor)
    assert await workers.lit_by(1) == survivor
    deeds = await workers.db.fetch("select worker, at from deeds order by number")
    assert [deed["worker"] for deed in deeds] == [killed, survivor]
    assert deeds[1]["at"] >= expires, "taken over while the lease still held"
    await workers.until("select not exists (select from flows)")


async def test_a_worker_that_stood_still_past_its_lease_changes_nothing(workers: Workers) -> None:
    await workers.hold("light")
    await workers.want(1)
    late = await workers.holder("light")
    workers.processes[late].send_signal(signal.SIGSTOP)
    [other] = {"a", "b"} - {late}
    await workers.release(other)
    assert await workers.lit_by(1) == other
    await workers.want(7)
    assert await workers.lit_by(7) == other
    await workers.release(late)
    workers.processes[late].send_signal(signal.SIGCONT)
    await workers.until_says(late, "lease_lost")
    assert await workers.lit_by(7) == other
    assert await workers.db.fetchval("select count(*) from deeds where worker = $1", late) == 1
    await workers.want(8)
    await workers.lit_by(8)


async def test_a_worker_that_stands_still_in_a_transaction_keeps_nobody_from_going_on(workers: Workers) -> None:
    """It holds the lamp's row; no lease on the flow takes that from it."""
    await workers.hold("settle")
    await workers.want(1)
    late = await workers.holder("settle")
    workers.processes[late].send_signal(signal.SIGSTOP)
    [other] = {"a", "b"} - {late}
    await workers.release(other)
    await workers.until("select not exists (select from flows)")
    await workers.want(2)
    assert await workers.lit_by(2) == other
    workers.processes[late].send_signal(signal.SIGCONT)
    await workers.release(late)
    await workers.want(3)
    await workers.lit_by(3)
    os.kill(workers.processes[late].pid, 0)  # and it is still at work


def _says(line: str, worker: str, event: str, step: str | None = None) -> bool:
    said: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
    return (said.get("process"), said.get("event")) == (worker, event) and step in (None, said.get("step"))


async def _until(claim: Callable[[], Awaitable[Any]], *, within_s: float = 90) -> Any:
    async with asyncio.timeout(within_s):
        while not (answer := await claim()):  # noqa: ASYNC110 - it is in the database, or a log
            await asyncio.sleep(0.02)
        return answer
