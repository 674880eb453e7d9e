"""The flow engine: nothing is lost and nothing done twice in effect, whoever dies when."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import uvloop

from nexus.kit.db import Db, Listener, Record, Tx
from nexus.kit.ids import new_id
from nexus.manager.flows import Engine, Flow, Flows, Next, finish, hop, in_tx, nap, on_agent
from nexus.manager.flows import repository as flow_rows
from nexus.manager.flows.runner import Runner, backoff_s
from nexus.manager.subjects import Subject
from nexus.protocol.trouble import Refused, Retryable


@dataclass
class Lamp:
    """The facts of the test's flow: `wanted` is the wish, `lit` what has been made true."""

    id: UUID
    wanted: int
    lit: int
    fault: str | None


async def nothing(_: Lamp) -> None: ...


@dataclass
class LampFlow(Flow[Lamp]):
    """Lights a lamp as often as is wanted: asks the outside (`outside`), then records it."""

    name = "lamp"
    outside: Callable[[Lamp], Awaitable[None]] = nothing
    inside: Callable[[Lamp], Awaitable[None]] = nothing
    steps: list[str] = field(default_factory=list[str])
    naps_after_light: bool = False

    async def load(self, tx: Tx, subject_id: UUID) -> Lamp | None:
        row = await tx.fetchrow("select * from lamps where id = $1 for update", subject_id)
        return Lamp(**dict(row)) if row else None

    def decide(self, facts: Lamp) -> str | Next:
        if facts.fault:
            return nap(None, "faulty")
        return "light" if facts.lit < facts.wanted else nap(None, "lit as wanted")

    @on_agent
    async def light(self, facts: Lamp) -> Next:
        self.steps.append("light")
        await self.outside(facts)
        return nap(None, "lit", facts.wanted) if self.naps_after_light else hop("settle", found=facts.wanted)

    async def absorb(self, tx: Tx, facts: Lamp, found: object) -> None:
        await tx.execute("update lamps set lit = $2 where id = $1", facts.id, found)

    @in_tx
    async def settle(self, tx: Tx, facts: Lamp) -> Next:
        self.steps.append("settle")
        await self.inside(facts)
        return hop()

    async def refused(self, tx: Tx, facts: Lamp, step: str, error: Refused) -> Next:
        await tx.execute("update lamps set fault = $2 where id = $1", facts.id, str(error))
        return nap(None, "refused")

    async def overdue(self, tx: Tx, facts: Lamp) -> Next:
        await tx.execute("update lamps set fault = 'overdue' where id = $1", facts.id)
        return finish()


Made = Callable[[LampFlow], Awaitable[Engine]]


@dataclass
class Bench:
    """A database with lamps, and engines over it."""

    db: Db
    listener: Listener
    flows: Flows
    lamp: Subject
    engines: list[Engine]

    def engine(self, flow: LampFlow, **options: Any) -> Engine:
        """Another manager's engine; it has ears of its own only if started after this bench's listener."""
        engine = Engine(self.db, self.listener, self.flows, [flow], **options)
        self.engines.append(engine)
        engine.start()
        return engine

    async def want(self, count: int, *, within: timedelta | None = None) -> None:
        async with self.db.transaction() as tx:
            await tx.execute("update lamps set wanted = $2 where id = $1", self.lamp.id, count)
            await self.flows.open(tx, flow="lamp", subject=self.lamp, within=within)

    async def row(self) -> Record:
        found = await self.db.fetchrow("select * from lamps where id = $1", self.lamp.id)
        assert found is not None
        return found

    async def flow_row(self) -> Record | None:
        return await self.db.fetchrow("select * from flows where subject_id = $1", self.lamp.id)

    async def until(self, condition: Callable[[], Awaitable[bool]], *, seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110 - the condition is in the database
                await asyncio.sleep(0.005)

    async def lit(self, count: int) -> None:
        async def is_lit() -> bool:
            row = await self.flow_row()
            return (await self.row())["lit"] == count and row is not None and row["lease"] is None

        await self.until(is_lit)


@pytest.fixture
async def bench(db: Db) -> AsyncIterator[Bench]:
    await db.execute("create table lamps (id uuid primary key, wanted int not null, lit int not null, fault text)")
    lamp = Subject("lamp", new_id(), "lamp-1")
    await db.execute("insert into lamps values ($1, 0, 0, null)", lamp.id)
    listener = Listener(db.dsn)
    made = Bench(db, listener, Flows(), lamp, [])
    listener.start()
    yield made
    for engine in made.engines:
        await engine.stop(patience_s=0.1)
    await listener.stop()


async def test_a_wish_is_taken_up_when_it_is_committed_and_not_at_the_next_look(bench: Bench) -> None:
    began: list[float] = []
    clock = asyncio.get_running_loop().time

    async def outside(_: Lamp) -> None:
        began.append(clock())

    bench.engine(LampFlow(outside))
    delays: list[float] = []
    for count in range(1, 21):
        await bench.want(count)
        committed = clock()
        await bench.lit(count)
        delays.append(began[-1] - committed)
    assert sorted(delays)[10] < Engine.LOOK_AGAIN_S / 10, delays


async def test_a_wake_during_a_step_that_ends_in_an_endless_nap_is_not_lost(bench: Bench) -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def outside(_: Lamp) -> None:
        entered.set()
        await release.wait()

    bench.engine(LampFlow(outside, naps_after_light=True))
    await bench.want(1)
    await entered.wait()
    await bench.want(2)
    release.set()
    await bench.lit(2)


async def test_a_wake_while_finishing_keeps_the_flow(bench: Bench) -> None:
    flow = LampFlow()
    flow.decide = lambda facts: "light" if facts.lit < facts.wanted else finish()  # type: ignore[method-assign]
    entered, release = asyncio.Event(), asyncio.Event()

    async def inside(_: Lamp) -> None:
        return None

    async def outside(facts: Lamp) -> None:
        if facts.wanted == 1:
            entered.set()
            await release.wait()

    flow.inside, flow.outside = inside, outside
    bench.engine(flow)
    await bench.want(1)
    await entered.wait()
    await bench.want(2)
    release.set()

    async def is_over() -> bool:
        return await bench.flow_row() is None

    await bench.until(is_over)
    assert (await bench.row())["lit"] == 2


async def test_wakes_from_many_at_once_are_all_heard(bench: Bench) -> None:
    bench.engine(LampFlow())

    async def want_one_more() -> None:
        async with bench.db.transaction() as tx:
            await tx.execute("update lamps set wanted = wanted + 1 where id = $1", bench.lamp.id)
            await bench.flows.open(tx, flow="lamp", subject=bench.lamp)

    await asyncio.gather(*(want_one_more() for _ in range(100)))
    await bench.lit(100)


async def test_two_engines_never_move_one_flow_at_the_same_time(bench: Bench) -> None:
    inside_now, most = 0, 0

    async def outside(_: Lamp) -> None:
        nonlocal inside_now, most
        inside_now += 1
        most = max(most, inside_now)
        await asyncio.sleep(0)
        inside_now -= 1

    for _ in range(3):
        bench.engine(LampFlow(outside))
    for count in range(1, 31):
        await bench.want(count)
    await bench.lit(30)
    assert most == 1


async def test_a_process_killed_in_a_step_leaves_the_flow_to_another(bench: Bench) -> None:
    entered = asyncio.Event()

    async def hang(_: Lamp) -> None:
        entered.set()
        await asyncio.Event().wait()

    doomed = bench.engine(LampFlow(hang), lease_s=0.5, step_timeout_s=0.4)
    await bench.want(1)
    await entered.wait()
    _kill(doomed)
    bench.engine(LampFlow(), lease_s=0.5, step_timeout_s=0.4)
    await bench.lit(1)


@dataclass
class WarmedLampFlow(LampFlow):
    """Goes outside twice."""

    def decide(self, facts: Lamp) -> str | Next:
        decided = super().decide(facts)
        return "warm" if decided == "light" else decided

    @on_agent
    async def warm(self, facts: Lamp) -> Next:
        self.steps.append("warm")
        return hop("light")


@pytest.mark.parametrize("steps_before", [1, 2])
async def test_a_process_killed_between_steps_is_continued_where_it_was(bench: Bench, steps_before: int) -> None:
    """The commit of the step happened; the one that follows it never began there."""
    runner = Runner(bench.db, lease_s=0.3, step_timeout_s=0.2)
    await bench.want(1)
    [claim] = (await flow_rows.claim(bench.db, ["lamp"], limit=5, lease=new_id(), lease_s=0.3)).claims
    for step in ("decide", "light")[:steps_before]:
        await runner._step(WarmedLampFlow(), replace(claim, step=step))  # pyright: ignore[reportPrivateUsage]
    successor = WarmedLampFlow()
    bench.engine(successor, lease_s=0.5, step_timeout_s=0.4)
    await bench.lit(1)
    assert successor.steps == (["light", "settle"] if steps_before == 1 else [])


async def test_what_was_found_outside_is_recorded_with_the_step_that_follows_from_it_or_not_at_all(
    bench: Bench,
) -> None:
    lit: list[int] = []

    async def inside(_: Lamp) -> None:
        lit.append((await bench.row())["lit"])  # as others see it
        if len(lit) == 1:
            raise KeyError("a bug")

    flow = LampFlow(inside=inside)
    bench.engine(flow)
    await bench.want(1)
    await bench.lit(1)
    assert lit == [0, 0]
    assert flow.steps == ["light", "settle"] * 2


async def test_a_flow_is_moved_by_the_process_that_opened_it_without_being_looked_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = LampFlow()
    flow.decide = lambda facts: "light" if facts.lit < facts.wanted else finish()  # type: ignore[method-assign]
    bench.engine(flow)

    async def never(*_: Any, **__: Any) -> flow_rows.Claimed:
        await asyncio.Event().wait()
        raise AssertionError

    async def is_over() -> bool:
        return await bench.flow_row() is None and not bench.engines[0]._running  # pyright: ignore[reportPrivateUsage]

    await bench.want(1)
    await bench.until(is_over)
    monkeypatch.setattr(flow_rows, "claim", never)
    for count in (2, 3, 4):
        await bench.want(count)
        await bench.until(is_over)
    assert (await bench.row())["lit"] == 4


def test_an_engine_in_the_loop_that_managers_have_hears_every_wake(manager_database: str) -> None:
    """uvloop's timers are not asyncio's."""

    async def light() -> int:
        db = Db(manager_database, min_size=1, max_size=10)
        await db.open()
        await db.execute("create table lamps (id uuid primary key, wanted int not null, lit int not null, fault text)")
        bench = Bench(db, Listener(db.dsn), Flows(), Subject("lamp", new_id(), "lamp-1"), [])
        await db.execute("insert into lamps values ($1, 0, 0, null)", bench.lamp.id)

        async def outside(facts: Lamp) -> None:
            if facts.wanted < 5:
                await bench.want(facts.wanted + 1)  # a wake in the middle of the step

        bench.engine(LampFlow(outside, naps_after_light=True))
        await bench.want(1)
        await bench.lit(5)
        await bench.engines[0].stop()
        lit = (await bench.row())["lit"]
        await db.close()
        return lit

    assert uvloop.run(light()) == 5


async def test_a_flow_that_is_opened_and_not_committed_is_nobodys(bench: Bench) -> None:
    bench.engine(LampFlow())
    with contextlib.suppress(KeyError):
        async with bench.db.transaction() as tx:
            await bench.flows.open(tx, flow="lamp", subject=bench.lamp)
            raise KeyError
    assert await bench.flow_row() is None
    await bench.want(1)
    await bench.lit(1)


async def test_a_flow_opened_while_its_engine_stops_is_given_back(bench: Bench) -> None:
    stopped = bench.engine(LampFlow())
    async with bench.db.transaction() as tx:
        await tx.execute("update lamps set wanted = 1")
        await bench.flows.open(tx, flow="lamp", subject=bench.lamp)
        await stopped.stop()
    bench.engine(LampFlow())
    await bench.lit(1)


async def test_a_commit_without_its_lease_changes_nothing(bench: Bench) -> None:
    """The process was paused past its lease; another has finished the work and the wish has moved on since."""
    entered, release = asyncio.Event(), asyncio.Event()

    async def dawdle(facts: Lamp) -> None:
        entered.set()
        await release.wait()

    slow = Runner(bench.db, lease_s=0.1, step_timeout_s=60)
    await bench.want(1)
    [claim] = (await flow_rows.claim(bench.db, ["lamp"], limit=1, lease=new_id(), lease_s=0.1)).claims
    late = asyncio.create_task(slow.move(LampFlow(dawdle), claim))
    await entered.wait()
    bench.engine(LampFlow())
    await bench.lit(1)
    await bench.want(7)
    await bench.lit(7)
    release.set()
    with pytest.raises(flow_rows.LeaseLost):
        await late
    assert (await bench.row())["lit"] == 7


async def test_trouble_is_retried_later_each_time_and_success_forgets_it(bench: Bench) -> None:
    failures = 3

    async def outside(_: Lamp) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise Retryable("host unreachable")

    flow = LampFlow(outside)
    bench.engine(flow)
    await bench.want(1)

    async def has_failed() -> bool:
        row = await bench.flow_row()
        return row is not None and row["attempts"] == 1 and row["why"] == "host unreachable"

    await bench.until(has_failed)
    await bench.lit(1)
    row = await bench.flow_row()
    assert row is not None
    assert (row["attempts"], flow.steps.count("light")) == (0, 4)


def test_backoff_grows_to_half_a_minute_and_no_further() -> None:
    assert 0.4 <= backoff_s(1) <= 0.6
    assert 24 <= backoff_s(50) <= 36
    assert backoff_s(4) > backoff_s(2)


async def test_a_refusal_is_the_flows_own_to_handle_and_final(bench: Bench) -> None:
    async def outside(_: Lamp) -> None:
        raise Refused("no such bulb")

    flow = LampFlow(outside)
    bench.engine(flow)
    await bench.want(1)

    async def is_faulty() -> bool:
        return (await bench.row())["fault"] == "no such bulb"

    await bench.until(is_faulty)
    assert flow.steps == ["light"]


async def test_a_bug_in_a_step_stops_neither_the_engine_nor_the_flow(bench: Bench) -> None:
    bugs = 1

    async def inside(_: Lamp) -> None:
        nonlocal bugs
        if bugs:
            bugs -= 1
            raise KeyError("a bug")

    flow = LampFlow(inside=inside)
    bench.engine(flow)
    await bench.want(1)

    async def is_settled() -> bool:
        return flow.steps.count("settle") >= 1 and (await bench.row())["lit"] == 1 and bugs == 0

    await bench.until(is_settled)
    await bench.want(2)
    await bench.lit(2)


async def test_a_deadline_is_told_once_and_ends_what_naps_forever(bench: Bench) -> None:
    async def outside(_: Lamp) -> None:
        raise Retryable("still unreachable")

    bench.engine(LampFlow(outside))
    await bench.want(1, within=timedelta(milliseconds=200))

    async def is_over() -> bool:
        return await bench.flow_row() is None and (await bench.row())["fault"] == "overdue"

    await bench.until(is_over)


async def test_a_step_that_hangs_is_cut_off_and_retried(bench: Bench) -> None:
    hangs = 1

    async def outside(_: Lamp) -> None:
        nonlocal hangs
        if hangs:
            hangs -= 1
            await asyncio.Event().wait()

    bench.engine(LampFlow(outside), lease_s=1, step_timeout_s=0.1)
    await bench.want(1)
    await bench.lit(1)


async def test_no_connection_is_held_while_an_agent_is_called(bench: Bench) -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def outside(_: Lamp) -> None:
        entered.set()
        await release.wait()

    narrow = Db(bench.db.dsn, min_size=1, max_size=1)
    await narrow.open()
    engine = Engine(narrow, bench.listener, bench.flows, [LampFlow(outside)])
    engine.start()
    try:
        await bench.want(1)
        await entered.wait()
        async with asyncio.timeout(60):
            assert await narrow.fetchval("select 1") == 1
        release.set()
        await bench.lit(1)
    finally:
        await engine.stop()
        await narrow.close()


async def test_stopping_gives_flows_back_at_once(bench: Bench) -> None:
    entered = asyncio.Event()

    async def hang(_: Lamp) -> None:
        entered.set()
        await asyncio.Event().wait()

    stopped = bench.engine(LampFlow(hang))
    await bench.want(1)
    await entered.wait()
    await stopped.stop(patience_s=0.05)
    bench.engine(LampFlow())
    await bench.lit(1)


async def test_a_flow_whose_subject_is_gone_ends(bench: Bench) -> None:
    await bench.want(1)
    await bench.db.execute("delete from lamps")
    bench.engine(LampFlow())

    async def is_over() -> bool:
        return await bench.flow_row() is None

    await bench.until(is_over)


def test_a_lease_must_outlast_a_step(db: Db) -> None:
    with pytest.raises(ValueError, match="outlast"):
        Engine(db, Listener(db.dsn), Flows(), [], lease_s=1, step_timeout_s=1)


def _kill(engine: Engine) -> None:
    """As SIGKILL would: nothing is given back."""
    for task in [engine._loop, *engine._running]:  # pyright: ignore[reportPrivateUsage]
        assert task is not None
        task.cancel()
    engine._loop = None  # pyright: ignore[reportPrivateUsage]
