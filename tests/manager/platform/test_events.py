"""Events: every one once, in commit order, to those who may see it."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from tests.manager.conftest import sign_in
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from nexus.kit.db import DatabaseUnavailable, Db
from nexus.kit.ids import new_id
from nexus.manager import events
from nexus.manager.access.models import Actor, Role
from nexus.manager.events import feed as feeds
from nexus.manager.events import repository
from nexus.manager.events.models import Event, Wanted
from nexus.manager.events.schemas import EventBody, Marker
from nexus.manager.events.tail import Tail
from nexus.manager.subjects import Subject
from nexus.manager.wiring import Manager

ADMIN = Actor(new_id(), "root", Role.ADMIN)


async def emit(db: Db, count: int = 1, *, type: str = "vm.created", owner: UUID | None = None) -> None:
    for _ in range(count):
        async with db.transaction() as tx:
            await events.emit(tx, type=type, subject=Subject("vm", new_id()), owner_user_id=owner)


def tail_of(manager: Manager) -> Tail:
    return manager.app.state.nexus_provided[Tail]


async def read(manager: Manager, since: int, until: int, seen: list[int], *, breaks: bool) -> None:
    """Follow the feed as a client would, going away and coming back with `since` at random."""
    position = since
    while position < until:
        stream = feeds.feed(tail_of(manager), since=position, wanted=Wanted(), whoami=whoami)
        async for item in stream:
            if isinstance(item, EventBody):
                seen.append(item.seq)
                position = item.seq
            if position >= until or (breaks and random.random() < 0.02):
                break
        await stream.aclose()


async def whoami() -> Actor | None:
    return ADMIN


async def test_50_concurrent_writers_are_read_once_and_in_order_across_reconnects(manager: Manager, db: Db) -> None:
    start = tail_of(manager).last_seq
    total = 50 * 20

    async def writer() -> None:
        for _ in range(20):
            async with db.transaction() as tx:
                await events.emit(tx, type="vm.created", subject=Subject("vm", new_id()), owner_user_id=None)
                await tx.execute("select pg_sleep($1)", random.random() * 0.005)

    readers: list[list[int]] = [[] for _ in range(5)]
    reading = [
        asyncio.create_task(read(manager, start, start + total, seen, breaks=n > 0)) for n, seen in enumerate(readers)
    ]
    async with asyncio.timeout(60):
        await asyncio.gather(*(writer() for _ in range(50)))
        await asyncio.gather(*reading)
    for seen in readers:
        assert seen == list(range(start + 1, start + total + 1))


async def test_an_event_of_a_transaction_that_failed_is_never_told(db: Db) -> None:
    before = await repository.extent(db)

    async def fail() -> None:
        async with db.transaction() as tx:
            await events.emit(tx, type="vm.created", subject=Subject("vm", new_id()), owner_user_id=None)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await repository.extent(db) == before
    await emit(db)
    assert (await repository.extent(db)).last_seq == before.last_seq + 1


async def test_the_log_is_locked_only_at_the_end_of_a_transaction(db: Db) -> None:
    """Two transactions that lock rows and emit in opposite order do not lock each other out."""
    async with asyncio.timeout(60), db.transaction() as outer:
        await events.emit(outer, type="vm.created", subject=Subject("vm", new_id()), owner_user_id=None)
        await emit(db)


@pytest.fixture
async def token(db: Db) -> str:
    return await sign_in(db, "ada")


async def _open(served: str, token: str, query: str = "") -> ClientConnection:
    return await connect(f"ws://{served}/v1/events{query}", additional_headers={"Authorization": f"Bearer {token}"})


async def _next(socket: ClientConnection) -> dict[str, object]:
    async with asyncio.timeout(60):
        return json.loads(await socket.recv())


async def test_a_websocket_says_hello_and_then_what_happens_to_ones_own(served: str, token: str, db: Db) -> None:
    ada = await db.fetchval("select id from users where username = 'ada'")
    socket = await _open(served, token, "?type=vm.")
    hello = await _next(socket)
    assert hello["type"] == "hello"
    await emit(db, owner=new_id())
    await emit(db, owner=ada, type="host.lost")
    await emit(db, owner=ada)
    event = await _next(socket)
    seq = hello["seq"]
    assert isinstance(seq, int)
    assert (event["type"], event["seq"]) == ("vm.created", seq + 3)
    await socket.close()


async def test_a_session_that_is_revoked_ends_its_stream(served: str, token: str, db: Db) -> None:
    socket = await _open(served, token)
    assert (await _next(socket))["type"] == "hello"
    async with db.transaction() as tx:
        await tx.execute("delete from sessions")
        tx.notify("access")
    await emit(db)
    dropped = await _next(socket)
    assert dropped["type"] == "dropped"
    with pytest.raises(ConnectionClosed):
        await _next(socket)


async def _lines(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    block: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            block[name] = value
        else:
            yield block
            block = {}


async def test_server_sent_events_go_on_after_the_last_event_id(served: str, token: str, db: Db) -> None:
    ada = await db.fetchval("select id from users where username = 'ada'")
    await emit(db, 3, owner=ada)
    last = (await repository.extent(db)).last_seq
    headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": str(last - 2)}
    async with (
        asyncio.timeout(60),
        httpx.AsyncClient() as client,
        client.stream("GET", f"http://{served}/v1/events", headers=headers) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        got: list[tuple[str, str]] = []
        async for block in _lines(answer):
            got.append((block["event"], block["id"]))
            if len(got) == 3:
                break
    assert got == [("hello", str(last - 2)), ("vm.created", str(last - 1)), ("vm.created", str(last))]


async def test_what_has_been_compacted_is_410_and_says_where_to_go_on(
    manager: Manager, admin: httpx.AsyncClient, db: Db, served: str, token: str
) -> None:
    await emit(db, 10)
    async with db.transaction() as tx:
        assert await repository.compact(tx, keep_s=3600, keep_count=4) > 0
    held = await repository.extent(db)
    assert held.last_seq - held.compacted_seq == 4
    answer = await admin.get("/v1/events", params={"since": held.compacted_seq - 1})
    assert (answer.status_code, answer.json()["code"]) == (410, "events_compacted")
    assert f"since={held.last_seq}" in answer.json()["suggestion"]
    assert (await admin.get("/v1/events", params={"since": held.last_seq + 1})).status_code == 410
    seen: list[int] = []
    async with asyncio.timeout(60):
        await read(manager, held.compacted_seq, held.last_seq, seen, breaks=False)
    assert seen == list(range(held.compacted_seq + 1, held.last_seq + 1))


async def test_compaction_to_nothing_does_not_restart_the_numbers(db: Db) -> None:
    await emit(db, 3)
    async with db.transaction() as tx:
        await repository.compact(tx, keep_s=3600, keep_count=0)
    before = await repository.extent(db)
    await emit(db)
    assert await db.fetchval("select min(seq) from events") == before.last_seq + 1


async def test_a_reader_too_far_behind_is_told_and_dropped(
    manager: Manager, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "FARTHEST_BEHIND", 5)
    tail = tail_of(manager)
    stream = feeds.feed(tail, since=tail.last_seq, wanted=Wanted(), whoami=whoami, heartbeat_s=0.01)
    assert (await anext(stream)).type == "hello"
    assert (await anext(stream)).type == "heartbeat"
    await emit(db, 20)
    async with asyncio.timeout(60):
        while tail.last_seq < (await repository.extent(db)).last_seq:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        last = await anext(stream)
    assert isinstance(last, Marker)
    assert last.type == "dropped"
    assert last.why is not None
    assert "since=" in last.why
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_reader_is_told_that_the_database_is_away_and_where_to_go_on(
    manager: Manager, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instead of a stream that breaks."""

    async def lose(_seq: int) -> list[Event]:
        raise DatabaseUnavailable("no such file or directory")

    await emit(db)
    tail = tail_of(manager)
    stream = feeds.feed(tail, since=tail.last_seq, wanted=Wanted(), whoami=whoami, heartbeat_s=0.01)
    assert (await anext(stream)).type == "hello"
    monkeypatch.setattr(tail, "after", lose)
    last = await anext(stream)
    assert isinstance(last, Marker)
    assert (last.type, last.seq) == ("dropped", tail.last_seq)
    assert f"since={tail.last_seq}" in (last.why or "")
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
