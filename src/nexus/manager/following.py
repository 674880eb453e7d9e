"""Logs that are read as they grow: their end first, then what comes, for as long as somebody listens, up to a bound."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from nexus.manager.agents.client import ConsoleLog
from nexus.protocol.trouble import Trouble

LOOK_EVERY_S: Final = 0.5
FOLLOW_AT_MOST_S: Final = 3600.0
"""Whoever wants more comes again; who has silently gone is forgotten."""
_MOST_PARTS: Final = 64

Read = Callable[[int], Awaitable[ConsoleLog]]
"""A part of a log from a byte on, or from the oldest kept."""


async def last(read: Read, *, limit: int) -> ConsoleLog:
    """At most the last `limit` bytes of a log. Raises Trouble."""
    size = (await read(2**53)).size if limit else 0
    start, content = max(0, size - limit), b""
    part = await read(start)
    begun = part.offset
    for _ in range(_MOST_PARTS):
        content += part.content
        if not part.content or begun + len(content) >= part.size:
            break
        part = await read(begun + len(content))
    kept = content[-limit:] if limit else b""
    return ConsoleLog(offset=begun + len(content) - len(kept), size=part.size, content=kept)


async def followed(read: Read, first: ConsoleLog) -> AsyncGenerator[bytes]:
    """`first`, and then what is added. Ends when the log's keeper is out of reach: come again."""
    loop = asyncio.get_running_loop()
    ends_at, part = loop.time() + FOLLOW_AT_MOST_S, first
    while loop.time() < ends_at:
        if part.content:
            yield part.content
        else:
            await asyncio.sleep(LOOK_EVERY_S)
        try:
            part = await read(part.offset + len(part.content))
        except Trouble:
            return
