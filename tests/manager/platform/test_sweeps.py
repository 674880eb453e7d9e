"""Sweeps: one manager runs them, and what expires goes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from nexus.kit.db import Db
from nexus.kit.ids import new_id
from nexus.manager.flows import Flows
from nexus.manager.subjects import Subject
from nexus.manager.sweeps import Sweep, Sweeper
from nexus.manager.sweeps.expiry import platform_sweeps


@pytest.fixture
async def sweepers(manager_database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Sweeper]]:
    monkeypatch.setattr(Sweeper, "ELECTION_S", 0.02)
    made: list[Sweeper] = []
    yield made
    for sweeper in made:
        await sweeper.stop()


async def test_one_of_many_managers_sweeps_and_another_takes_over_when_its_connection_is_lost(
    manager_database: str, db: Db, sweepers: list[Sweeper]
) -> None:
    ran: asyncio.Queue[int] = asyncio.Queue()

    def sweep(number: int) -> Sweep:
        async def run() -> int:
            ran.put_nowait(number)
            return 0

        return Sweep("count", timedelta(milliseconds=10), run)

    for number in range(3):
        sweepers.append(Sweeper(manager_database, [sweep(number)]))
        sweepers[-1].start()
    async with asyncio.timeout(60):
        leaders = {await ran.get() for _ in range(10)}
        assert len(leaders) == 1
        leader = leaders.pop()
        assert [sweeper.is_leader for sweeper in sweepers].count(True) == 1
        await sweepers[leader].stop()
        while (await ran.get()) == leader:
            pass
        await db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'nexus sweeper'"
        )
        while not ran.empty():
            ran.get_nowait()
        assert await ran.get() != leader


async def test_a_sweep_that_fails_does_not_end_the_others(manager_database: str, sweepers: list[Sweeper]) -> None:
    ran: asyncio.Queue[str] = asyncio.Queue()

    async def broken() -> int:
        raise KeyError("a bug")

    async def sound() -> int:
        ran.put_nowait("sound")
        return 0

    often = timedelta(milliseconds=5)
    sweepers.append(Sweeper(manager_database, [Sweep("broken", often, broken), Sweep("sound", often, sound)]))
    sweepers[-1].start()
    async with asyncio.timeout(60):
        for _ in range(3):
            await ran.get()


async def run(db: Db, name: str, flows: Flows | None = None) -> int:
    [sweep] = [sweep for sweep in platform_sweeps(db, flows or Flows()) if sweep.name == name]
    return await sweep.run()


async def test_expired_sessions_and_old_idempotency_keys_go_and_others_stay(db: Db) -> None:
    ada = await db.fetchval("select id from users where username = 'ada'")
    for age in ("-1 second", "1 hour"):
        await db.execute(
            """insert into sessions (id, user_id, token_sha256, expires_at)
               values ($1, $2, $3, now() + $4::text::interval)""",
            new_id(),
            ada,
            new_id().bytes,
            age,
        )
    for age in ("25 hours", "1 hour"):
        await db.execute(
            """insert into idempotency_keys (user_id, key, method, path, body_sha256, created_at)
               values ($1, $2, 'POST', '/', '', now() - $2::text::interval)""",
            ada,
            age,
        )
    assert (await run(db, "sessions"), await run(db, "sessions")) == (1, 0)
    assert (await run(db, "idempotency_keys"), await run(db, "idempotency_keys")) == (1, 0)
    assert await db.fetchval("select key from idempotency_keys") == "1 hour"


async def operation(db: Db, subject: Subject, *, ended: str | None = None, deadline: str | None = None) -> None:
    await db.execute(
        """
        insert into operations (id, project_id, subject_kind, subject_id, subject_name, verb, generation, status,
                                finished_at, deadline)
        values ($1, $2, $3, $4, 'x', 'start', 1, case when $5::text is null then 'running' else 'done' end,
                now() + $5::text::interval, now() + $6::text::interval)
        """,
        new_id(),
        subject.project_id,
        subject.kind,
        subject.id,
        ended,
        deadline,
    )


async def test_operations_are_kept_for_a_week_after_they_end(db: Db) -> None:
    subject = Subject("vm", new_id())
    await operation(db, subject, ended="-8 days")
    await operation(db, subject, ended="-6 days")
    await operation(db, subject)
    assert await run(db, "operations") == 1
    assert await db.fetchval("select count(*) from operations") == 2


async def test_flows_with_an_overdue_operation_are_woken(db: Db) -> None:
    flows, late, in_time = Flows(), Subject("vm", new_id()), Subject("vm", new_id())
    for subject, deadline in ((late, "-1 second"), (in_time, "1 hour")):
        async with db.transaction() as tx:
            await flows.open(tx, flow="vm", subject=subject)
        await operation(db, subject, deadline=deadline)
    flows.bell.clear()
    assert await run(db, "overdue_operations", flows) == 1
    rows = await db.fetch("select subject_id, wakeups from flows")
    assert {row["subject_id"]: row["wakeups"] for row in rows} == {late.id: 1, in_time.id: 0}
    assert flows.bell.is_set()


async def test_old_events_are_compacted_and_the_mark_says_so(db: Db) -> None:
    for seq, age in ((1, "8 days"), (2, "1 day")):
        await db.execute(
            """insert into events (seq, at, project_id, type, subject_kind, subject_id)
               values ($1, now() - $2::text::interval, $3, 'vm.created', 'vm', $3)""",
            seq,
            age,
            new_id(),
        )
    await db.execute("update event_log set last_seq = 2")
    assert await run(db, "events") == 1
    assert await db.fetchval("select compacted_seq from event_log") == 1
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.execute("insert into event_log values (true, 0, 0)")
