"""A database that goes away: whoever was asking is told so, in one family of errors."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from nexus.kit.db import LOST, DatabaseUnavailable, Db, Hook, Listener, Tx


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Db]:
    opened = Db(database_url, min_size=1, max_size=4)
    await opened.open()
    yield opened
    await opened.close()


async def _end_backend(db: Db, pid: int) -> None:
    """Until the server has nothing left of it."""
    await db.execute("select pg_terminate_backend($1)", pid)
    async with asyncio.timeout(60):
        while await db.fetchval("select exists (select from pg_stat_activity where pid = $1)", pid):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def _ask(tx: Tx) -> None:
    await tx.execute("select 1")


async def _commit(_: Tx) -> None:
    """Nothing more is asked; the commit will find out."""


@pytest.mark.parametrize("then", [_ask, _commit])
async def test_a_connection_lost_in_a_transaction_is_told_as_lost_and_replaced(db: Db, then: Hook) -> None:
    async def lose() -> None:
        async with db.transaction() as tx:
            await _end_backend(db, await tx.fetchval("select pg_backend_pid()"))
            await then(tx)

    with pytest.raises(LOST):
        await lose()
    assert await db.fetchval("select 1") == 1


async def test_what_was_asked_is_answered_although_its_connection_cannot_be_used_again(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the server goes away between the last answer and the connection's return: a commit stays one."""
    release = asyncpg.Pool.release

    async def release_broken(pool: Any, connection: Any) -> None:
        await release(pool, connection)
        raise asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress")

    async def fail() -> None:
        async with db.transaction():
            raise KeyError("its own")

    monkeypatch.setattr(asyncpg.Pool, "release", release_broken)
    assert await db.fetchval("select 1") == 1
    with pytest.raises(KeyError, match="its own"):
        await fail()


_BROKEN = "got result for unknown protocol state 3"


async def test_a_server_that_is_killed_while_a_connection_is_made_is_one_that_cannot_be_reached(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_pool: Any) -> Any:
        raise asyncpg.InternalClientError(_BROKEN)

    monkeypatch.setattr(asyncpg.Pool, "acquire", broken)
    with pytest.raises(DatabaseUnavailable, match="unknown protocol state"):
        await db.fetchval("select 1")


async def test_a_listener_outlives_a_server_that_is_killed_while_it_connects(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, heard = asyncpg.connect, asyncio.Queue[str | None]()
    attempts = list[str]()

    async def broken_once(dsn: str, **options: Any) -> Any:
        attempts.append(dsn)
        if len(attempts) == 1:
            raise asyncpg.InternalClientError(_BROKEN)
        return await connect(dsn, **options)

    monkeypatch.setattr(asyncpg, "connect", broken_once)
    monkeypatch.setattr(Listener, "RETRY_S", 0)
    listener = Listener(db.dsn)
    listener.on("news", heard.put_nowait)
    listener.start()
    try:
        async with asyncio.timeout(60):
            assert await heard.get() is None
            await db.execute("notify news, 'hello'")
            assert await heard.get() == "hello"
    finally:
        await listener.stop()
    assert len(attempts) == 2
