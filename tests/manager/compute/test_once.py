"""What must happen once happens once: a VM under one key, an event to each reader of a manager that really serves."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import httpx
from tests.manager.compute.acting import JoinedHost, ok
from tests.manager.conftest import sign_in
from websockets.asyncio.client import connect

from nexus.kit.db import Db
from nexus.kit.ids import new_id
from nexus.manager import events
from nexus.manager.events import repository
from nexus.manager.subjects import Subject

WRITERS, EACH = 50, 10
Follow = Callable[[str, str, int], AsyncGenerator[tuple[str, int]]]


async def test_100_concurrent_creates_under_one_key_make_one_vm(
    user: httpx.AsyncClient, host: JoinedHost, db: Db
) -> None:
    headers = {"Idempotency-Key": "only-one"}
    asked = {"name": "web-1", "start": False}
    answers = await asyncio.gather(*(user.post("/v1/vms", json=asked, headers=headers) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    made = answers[0].json()
    for table in ("vms", "machines", "nics"):
        assert await db.fetchval(f"select count(*) from {table}") == 1, table
    assert await db.fetchval("select id from vms") == await db.fetchval("select $1::text::uuid", made["id"])
    assert await db.fetchval("select count(*) from operations where verb = 'create'") == 1
    assert await db.fetchval("select count(*) from audit where verb = 'create' and subject_kind = 'vm'") == 1
    assert await db.fetchval("select count(*) from events where type = 'vm.created'") == 1
    again = await user.post("/v1/vms", json={"name": "web-2", "start": False}, headers=headers)
    assert again.status_code == 409
    done = ok(await user.get(f"/v1/operations/{made['operation_id']}", params={"wait": 30}))["item"]
    assert done["status"] == "done"


async def over_websocket(served: str, token: str, since: int) -> AsyncGenerator[tuple[str, int]]:
    headers = {"Authorization": f"Bearer {token}"}
    url = f"ws://{served}/v1/events?since={since}&type=thing."
    async with connect(url, additional_headers=headers) as socket:
        async for message in socket:
            told = json.loads(message)
            yield told["type"], told["seq"]


async def over_sse(served: str, token: str, since: int) -> AsyncGenerator[tuple[str, int]]:
    headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": str(since)}
    url = f"http://{served}/v1/events?type=thing."
    async with httpx.AsyncClient(timeout=30) as client, client.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                told = json.loads(line.removeprefix("data: "))
                yield told["type"], told["seq"]


async def test_every_event_reaches_every_reader_once_and_in_order_over_real_connections(served: str, db: Db) -> None:
    """50 concurrent writers; readers over WebSocket and Server-Sent Events that go away at random, and come back."""
    token = await sign_in(db, "root")
    start = (await repository.extent(db)).last_seq
    wanted = WRITERS * EACH

    async def write() -> None:
        for _ in range(EACH):
            async with db.transaction() as tx:
                await events.emit(tx, type="thing.made", subject=Subject("thing", new_id()), owner_user_id=None)
                await events.emit(tx, type="other.made", subject=Subject("other", new_id()), owner_user_id=None)
                await tx.execute("select pg_sleep($1)", random.random() * 0.005)

    comings = 0

    async def read(follow: Follow, *, breaks: bool) -> list[int]:
        nonlocal comings
        seen: list[int] = []
        position = start
        while len(seen) < wanted:
            comings += 1
            async with aclosing(follow(served, token, position)) as told:
                async for kind, seq in told:
                    position = seq
                    if kind == "thing.made":
                        seen.append(seq)
                    assert kind in ("hello", "heartbeat", "thing.made")
                    if len(seen) >= wanted or (breaks and random.random() < 0.02):
                        break
        return seen

    async with asyncio.timeout(120):
        reading = [
            asyncio.create_task(read(follow, breaks=breaks))
            for follow in (over_websocket, over_sse)
            for breaks in (False, True, True)
        ]
        await asyncio.gather(*(write() for _ in range(WRITERS)))
        told = await asyncio.gather(*reading)
    rows = await db.fetch("select seq from events where type = 'thing.made' and seq > $1 order by seq", start)
    assert len(rows) == wanted
    for seen in told:
        assert seen == [row["seq"] for row in rows]
    assert comings > len(told), "nobody ever went away"


async def test_a_position_that_is_gone_is_410_on_both_transports(served: str, db: Db) -> None:
    token = await sign_in(db, "root")
    for _ in range(5):
        async with db.transaction() as tx:
            await events.emit(tx, type="thing.made", subject=Subject("thing", new_id()), owner_user_id=None)
    async with db.transaction() as tx:
        await repository.compact(tx, keep_s=3600, keep_count=2)
    gone = (await repository.extent(db)).compacted_seq - 1
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://{served}/v1/events?since={gone}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (410, "events_compacted")
        upgrade = headers | {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
        answer = await client.get(f"http://{served}/v1/events?since={gone}", headers=upgrade)
        assert (answer.status_code, answer.json()["code"]) == (410, "events_compacted")
