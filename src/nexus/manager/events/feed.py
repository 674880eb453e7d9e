"""What one reader is told, over whichever transport: markers and events, in order, each once."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from nexus.kit.db import LOST
from nexus.manager.access.models import Actor
from nexus.manager.events.models import Wanted
from nexus.manager.events.schemas import EventBody, Marker
from nexus.manager.events.tail import FARTHEST_BEHIND, EventsCompacted, Tail

HEARTBEAT_S = 15.0


async def feed(
    tail: Tail,
    *,
    since: int,
    wanted: Wanted,
    whoami: Callable[[], Awaitable[Actor | None]],
    heartbeat_s: float = HEARTBEAT_S,
) -> AsyncGenerator[Marker | EventBody]:
    """Everything wanted after `since`, for as long as the reader keeps up and stays signed in.

    `whoami` is asked at every batch, so that a revoked session or a changed role takes effect within seconds."""
    seq = since
    async with aclosing(_told(tail, since, wanted, whoami, heartbeat_s)) as told:
        try:
            async for item in told:
                seq = item.seq
                yield item
        except LOST:
            yield Marker(type="dropped", seq=seq, why=f"The platform's database is away: come back with since={seq}.")


async def _told(
    tail: Tail, since: int, wanted: Wanted, whoami: Callable[[], Awaitable[Actor | None]], heartbeat_s: float
) -> AsyncGenerator[Marker | EventBody]:
    seq, has_caught_up = since, False
    yield Marker(type="hello", seq=seq)
    while True:
        actor = await whoami()
        if actor is None:
            yield Marker(type="dropped", seq=seq, why="Your session has ended: sign in again.")
            return
        if tail.is_closing:
            yield Marker(type="dropped", seq=seq, why=f"This manager stops: come back with since={seq}.")
            return
        behind = tail.last_seq - seq
        if has_caught_up and behind > FARTHEST_BEHIND:
            yield Marker(type="dropped", seq=seq, why=f"You are {behind} events behind: come back with since={seq}.")
            return
        try:
            batch = await tail.after(seq)
        except EventsCompacted as gone:
            yield Marker(type="dropped", seq=seq, why=f"{gone.error} {gone.suggestion}")
            return
        for event in batch:
            seq = event.seq
            if wanted.includes(event, actor):
                yield EventBody.of(event)
        if batch:
            continue
        has_caught_up = True
        await tail.wait_past(seq, seconds=heartbeat_s)
        if tail.last_seq <= seq and not tail.is_closing:
            yield Marker(type="heartbeat", seq=seq)
