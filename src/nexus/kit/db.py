"""PostgreSQL through asyncpg: a pool, transactions that know what to do around their commit, and LISTEN.

What must stay true: an answer leaves only after its commit; a NOTIFY is part of the transaction it announces; nothing
calls another process while a connection is held.

Locks are taken in one order everywhere: the subject's own row, then its flow, then what `before_commit` hooks lock (the
event log's counter). A hook is how shared counters are locked last and for the shortest time.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import asyncpg

from nexus.kit import log

_log = log.get("db")

Record = asyncpg.Record
Hook = Callable[["Tx"], Awaitable[None]]


class DatabaseUnavailable(ConnectionError):
    """No connection can be had. A connection lost in mid-query is one of `LOST` instead."""


LOST = (
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
"""What a statement may raise because the database went away, rather than because of the statement."""
TROUBLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What connecting, or a connection of one's own, may raise while the database goes and comes back. The last: a server
that was killed in the middle of an answer leaves the client in a state that it does not know."""


class Reader(Protocol):
    """What a query needs: a transaction, or the pool itself for a single statement."""

    async def fetch(self, sql: str, *args: object) -> list[Record]: ...
    async def fetchrow(self, sql: str, *args: object) -> Record | None: ...
    async def fetchval(self, sql: str, *args: object) -> Any: ...
    async def execute(self, sql: str, *args: object) -> str: ...


class Tx:
    """One open transaction. It ends with the `async with db.transaction()` block that made it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._before: list[Hook] = []
        self._after: list[Callable[[], object]] = []
        self._notices: dict[tuple[str, str], None] = {}

    async def fetch(self, sql: str, *args: object) -> list[Record]:
        return await self._connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> Record | None:
        return await self._connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        """The first column of the first row, or None when there is no row."""
        return await self._connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        """Run a statement; the answer is PostgreSQL's command tag, such as `UPDATE 1`."""
        return await self._connection.execute(sql, *args)

    async def executemany(self, sql: str, rows: list[tuple[object, ...]]) -> None:
        await self._connection.executemany(sql, rows)

    def notify(self, channel: str, payload: str = "") -> None:
        """Announce on `channel` when, and only when, this transaction commits. Payloads end at 8000 bytes."""
        self._notices[channel, payload] = None

    def before_commit(self, hook: Hook) -> None:
        """Run `hook(tx)` as the last thing inside the transaction: for locks that must be held only briefly."""
        self._before.append(hook)

    def after_commit(self, call: Callable[[], object]) -> None:
        """Call `call()` once the transaction has committed and its connection is free. It must not block or raise."""
        self._after.append(call)

    async def finish(self) -> None:
        """Run the hooks and send the notices; called by `Db.transaction` just before COMMIT."""
        for hook in self._before:
            await hook(self)
        if self._notices:
            channels, payloads = zip(*self._notices, strict=True)
            await self.execute(
                "select pg_notify(c, p) from unnest($1::text[], $2::text[]) as n(c, p)", list(channels), list(payloads)
            )

    def committed(self) -> None:
        for call in self._after:
            call()


class _Connection(asyncpg.Connection):  # pyright: ignore[reportMissingTypeArgument] - only its stubs take one
    """Keeps nothing of who used it before: no session setting, no lock, no listener. So there is nothing to reset, and
    asyncpg need not ask the server to, which it would every time a connection is given back."""

    def get_reset_query(self) -> str:
        return ""


class Db:
    """A pool of connections to one database.

    `idle_in_transaction_s`: how long a transaction may stand still before the server ends it. A process that is frozen,
    or whose machine is gone, must not keep others from the rows that it has locked.
    """

    def __init__(self, dsn: str, *, min_size: int = 2, max_size: int = 12, idle_in_transaction_s: float = 15.0) -> None:
        self.dsn = dsn
        self.on_begin: list[Hook] = []
        """Run at the start of every transaction, in the task that opened it."""
        self._sizes = (min_size, max_size)
        self._idle_in_transaction_ms = round(idle_in_transaction_s * 1000)
        self._made: asyncpg.Pool[Record] | None = None

    async def open(self) -> None:
        """Connect; raises OSError or asyncpg.PostgresError when the database cannot be reached."""
        low, high = self._sizes
        self._made = await asyncpg.create_pool(
            self.dsn,
            min_size=low,
            max_size=high,
            init=teach_json,
            connection_class=_Connection,
            server_settings={
                "application_name": "nexus",
                "timezone": "UTC",
                "idle_in_transaction_session_timeout": str(self._idle_in_transaction_ms),
                # what is asked for often is in memory, and small: PostgreSQL's defaults plan for a spinning disk (it
                # would read whole tables for a page of a list) and for statements worth compiling
                "random_page_cost": "1.1",
                "jit": "off",
            },
        )

    async def close(self) -> None:
        """Close every connection, waiting a moment for those in use."""
        if self._made is None:
            return
        try:
            async with asyncio.timeout(5):
                await self._made.close()
        except TimeoutError:
            self._made.terminate()
        self._made = None

    @property
    def _pool(self) -> "asyncpg.Pool[Record]":
        if self._made is None:
            raise RuntimeError("the database is not open")
        return self._made

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Tx]:
        """A READ COMMITTED transaction: committed when the block ends, rolled back when it raises."""
        async with self._connection() as connection, connection.transaction():
            tx = Tx(connection)
            for hook in self.on_begin:
                await hook(tx)
            yield tx
            await tx.finish()
        tx.committed()

    async def fetch(self, sql: str, *args: object) -> list[Record]:
        async with self._connection() as connection:
            return await connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> Record | None:
        async with self._connection() as connection:
            return await connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        async with self._connection() as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        async with self._connection() as connection:
            return await connection.execute(sql, *args)

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Any]:
        pool = self._pool
        try:
            connection = await pool.acquire()
        except TROUBLE as refused:
            raise DatabaseUnavailable(str(refused) or type(refused).__name__) from refused
        try:
            yield connection
        # a server that went away in between is noticed as a connection in an impossible state, or as a closed one
        except asyncpg.InternalClientError as broken:
            if not _is_lost(connection):
                connection.terminate()  # which gives it back to the pool: it cannot be asked anything after that
            raise DatabaseUnavailable(str(broken)) from broken
        except asyncpg.InterfaceError as broken:
            if _is_lost(connection):
                raise DatabaseUnavailable(str(broken)) from broken
            raise
        finally:
            await _give_back(pool, connection)


async def _give_back(pool: "asyncpg.Pool[Record]", connection: Any) -> None:
    """What was done with it stands, or has failed already: a connection that cannot be made ready for others is not
    their failure. The pool has ended it then, and makes another."""
    try:
        await pool.release(connection)
    except (*LOST, asyncpg.InterfaceError, asyncpg.InternalClientError) as broken:
        _log.warning("connection_not_given_back", why=str(broken) or type(broken).__name__)


def _is_lost(connection: Any) -> bool:
    """Whether there is no server at its other end. The pool takes such a connection back by itself, and what it has
    taken back cannot even be asked that."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


async def teach_json(connection: Any) -> None:
    """Let json and jsonb columns be Python values in both directions on this connection."""
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


class Listener:
    """LISTEN on a connection of its own, made again whenever it is lost.

    A subscriber is called with the payload; with None after every (re)connect, when notices may have been missed and
    it should look for itself. Subscribers run in the event loop and must not block or raise.
    """

    KEEPALIVE_S = 20
    RETRY_S = 1

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._subscribers: dict[str, list[Callable[[str | None], None]]] = {}
        self._task: asyncio.Task[None] | None = None
        self.connected = asyncio.Event()

    def on(self, channel: str, heard: Callable[[str | None], None]) -> None:
        """Subscribe; before `start`, so that no channel is missed by the first connection."""
        self._subscribers.setdefault(channel, []).append(heard)

    def start(self) -> None:
        self._task = asyncio.create_task(self._stay_connected(), name="listener")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _stay_connected(self) -> None:
        while True:
            try:
                await self._listen()
            except TROUBLE as lost:
                _log.warning("listener_lost", why=str(lost) or type(lost).__name__)
            self.connected.clear()
            await asyncio.sleep(self.RETRY_S)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._dsn, server_settings={"application_name": "nexus listener"})
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            for channel in self._subscribers:
                await connection.add_listener(channel, self._heard)
            self.connected.set()
            for subscribers in self._subscribers.values():
                for subscriber in subscribers:
                    subscriber(None)
            while not lost.is_set():
                try:
                    async with asyncio.timeout(self.KEEPALIVE_S):
                        await lost.wait()
                except TimeoutError:
                    await connection.execute("select 1", timeout=self.KEEPALIVE_S)
        finally:
            connection.terminate()

    def _heard(self, _connection: Any, _pid: int, channel: str, payload: object) -> None:
        for subscriber in self._subscribers[channel]:
            subscriber(str(payload))
