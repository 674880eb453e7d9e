"""One process's view of the end of the event log: read from the database once, shared by all its readers.

A reader pulls at its own pace from a position it keeps; what the shared window no longer holds comes from the database.
So memory is bounded whatever readers do, and a reader that has fallen too far behind is told so instead of served.
"""

import asyncio
from collections import deque

from nexus.kit import log
from nexus.kit.db import TROUBLE, Db, Listener
from nexus.kit.problems import Problem
from nexus.manager.events import repository
from nexus.manager.events.models import Event
from nexus.manager.events.service import CHANNEL

_log = log.get("events")

BATCH = 500
WINDOW = 5_000
"""Events kept in memory."""
GATHERING_S = 0.01
"""How long the first notice waits for more: what changes comes in bursts, and is read once."""
FARTHEST_BEHIND = 50_000
"""A reader further behind than this, having once been up to date, is dropped."""


class EventsCompacted(Problem):
    """The position asked for is no longer (or not) in the log: list again, and follow from now."""

    status, code = 410, "events_compacted"


class Tail:
    def __init__(self, db: Db, listener: Listener) -> None:
        self._db = db
        self._window: deque[Event] = deque(maxlen=WINDOW)
        self._last_seq = 0
        self._is_closing = False
        self._news = asyncio.Event()
        self._moved = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        listener.on(CHANNEL, lambda _: self._news.set())

    @property
    def last_seq(self) -> int:
        """The newest event this process knows of."""
        return self._last_seq

    @property
    def is_closing(self) -> bool:
        """Whether readers should go and come back to another manager."""
        return self._is_closing

    async def close(self) -> None:
        """Have every reader told to come back, so that their connections do not keep the process from ending."""
        self._is_closing = True
        async with self._moved:
            self._moved.notify_all()

    async def start(self) -> None:
        self._last_seq = (await repository.extent(self._db)).last_seq
        self._task = asyncio.create_task(self._follow(), name="event tail")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def position(self, since: int | None) -> int:
        """Where a reader who has seen everything up to `since` (None: wants only what is to come) begins.

        Raises EventsCompacted for a position that the log cannot serve without a gap."""
        held = await repository.extent(self._db)
        if since is None:
            return held.last_seq
        if not held.compacted_seq <= since <= held.last_seq:
            raise EventsCompacted(
                f"since: events after {since} cannot be told without a gap; "
                f"the log holds those after {held.compacted_seq} up to {held.last_seq}.",
                suggestion=f"List the resources again, then follow with since={held.last_seq}.",
            )
        return since

    async def after(self, seq: int) -> list[Event]:
        """The next events after `seq`, at most BATCH, without waiting; empty when there are none yet.

        Raises EventsCompacted when the log has been compacted past `seq`."""
        if seq >= self._last_seq:
            return []
        if self._window and self._window[0].seq <= seq + 1:
            start = seq + 1 - self._window[0].seq
            return [self._window[i] for i in range(start, min(start + BATCH, len(self._window)))]
        await self.position(seq)
        return await repository.after(self._db, seq, limit=BATCH)

    async def wait_past(self, seq: int, *, seconds: float) -> None:
        """Return when there is something after `seq`, when `seconds` are over, or when the tail closes."""
        try:
            async with asyncio.timeout(seconds), self._moved:
                await self._moved.wait_for(lambda: self._last_seq > seq or self._is_closing)
        except TimeoutError:
            return

    async def _follow(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(GATHERING_S)
            self._news.clear()
            try:
                await self._read_on()
            except TROUBLE as trouble:
                _log.warning("events_unread", why=str(trouble) or type(trouble).__name__)
                await asyncio.sleep(1)
                self._news.set()

    async def _read_on(self) -> None:
        found: list[Event] = []
        while not found or len(found) == BATCH:
            found = await repository.after(self._db, self._last_seq, limit=BATCH)
            if not found:
                return
            if self._window and self._window[-1].seq + 1 != found[0].seq:
                self._window.clear()
            self._window.extend(found)
            async with self._moved:
                self._last_seq = found[-1].seq
                self._moved.notify_all()
