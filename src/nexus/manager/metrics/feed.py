"""The last samples of all VMs as they come in, for any number of people who look at lists.

One process reads each host's samples once, however many watch; viewers get those they may see. A viewer that falls
behind gets the newest of each VM when it comes to read, never a queue of old ones.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any
from uuid import UUID

from nexus.kit import log
from nexus.kit.db import LOST, Db, Listener
from nexus.manager.access import Actor
from nexus.manager.metrics import repository
from nexus.manager.metrics.errors import MetricsDisabled
from nexus.manager.metrics.models import Told

_log = log.get("metrics")

HEARTBEAT_S = 15.0
GATHERED_S = 0.1
"""A host with many machines tells them in several reports; they are read together."""
MOST_AT_ONCE = 500
"""VMs in one message."""


class _Seat:
    """Where a viewer finds what it has not read yet."""

    def __init__(self, vm_ids: Collection[UUID]) -> None:
        self._wanted = frozenset(vm_ids)
        self._waiting: dict[UUID, Told] = {}
        self.filled = asyncio.Event()

    def put(self, samples: Collection[Told]) -> None:
        self._waiting |= {one.vm_id: one for one in samples if not self._wanted or one.vm_id in self._wanted}
        if self._waiting:
            self.filled.set()

    def take(self, actor: Actor) -> list[dict[str, Any]]:
        """What is new and may be seen, at most MOST_AT_ONCE."""
        taken = [self._waiting.pop(vm_id) for vm_id in list(self._waiting)[:MOST_AT_ONCE]]
        if not self._waiting:
            self.filled.clear()
        return [one.usage for one in taken if _may_see(actor, one)]


class UsageFeed:
    def __init__(self, db: Db, listener: Listener, *, is_disabled: bool) -> None:
        self._db = db
        self._is_disabled = is_disabled
        self._seats: set[_Seat] = set()
        self._hosts: set[UUID] = set()
        self._reading: asyncio.Task[None] | None = None
        self._is_closing = False
        listener.on(repository.CHANNEL, self._heard)

    def require(self) -> None:
        """Raise MetricsDisabled where nothing is streamed."""
        if self._is_disabled:
            raise MetricsDisabled

    async def follow(
        self,
        vm_ids: Collection[UUID],
        *,
        whoami: Callable[[], Awaitable[Actor | None]],
        heartbeat_s: float = HEARTBEAT_S,
    ) -> AsyncGenerator[dict[str, Any]]:
        """Messages for one viewer: what is known now, then what comes; of these VMs, or of all that may be seen.

        `whoami` is asked for every message, so that a session that has ended ends the stream."""
        seat = _Seat(vm_ids)
        self._seats.add(seat)
        try:
            seat.put(await repository.last_of(self._db, host_ids=None))
            is_first = True
            while (actor := await whoami()) is not None and not self._is_closing:
                items = seat.take(actor)
                if items or is_first:
                    yield {"type": "usage", "items": items}
                    is_first = False
                elif not seat.filled.is_set():
                    yield {"type": "heartbeat"}
                with suppress(TimeoutError):
                    async with asyncio.timeout(heartbeat_s):
                        await seat.filled.wait()
            why = "This manager stops: come back." if self._is_closing else "Your session has ended: sign in again."
            yield {"type": "dropped", "why": why}
        except LOST:
            yield {"type": "dropped", "why": "The platform's database is away: come back."}
        finally:
            self._seats.discard(seat)

    async def close(self) -> None:
        """Have every viewer told to come back."""
        self._is_closing = True
        for seat in self._seats:
            seat.filled.set()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _heard(self, host_id: str | None) -> None:
        """None: the connection was lost meanwhile; the next samples come in some seconds."""
        if host_id is None or not self._seats:
            return
        self._hosts.add(UUID(host_id))
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="usage feed")

    async def _read(self) -> None:
        while self._hosts and self._seats:
            await asyncio.sleep(GATHERED_S)
            hosts, self._hosts = self._hosts, set()
            try:
                samples = await repository.last_of(self._db, host_ids=list(hosts))
            except LOST as lost:
                _log.warning("usage_unread", why=str(lost) or type(lost).__name__)
                return
            for seat in self._seats:
                seat.put(samples)


def _may_see(actor: Actor, sample: Told) -> bool:
    return sample.project_id == actor.project_id and actor.sees_only in (None, sample.owner_user_id)
