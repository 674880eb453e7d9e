"""Logs that are read as they grow: their end first, then what comes, for as long as somebody listens, up to a bound."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Final, Protocol

from nexus.kit import logtail
from nexus.manager.agents.client import ConsoleLog
from nexus.protocol.trouble import Trouble

LOOK_EVERY_S: Final = 0.25
FOLLOW_AT_MOST_S: Final = 3600.0
"""Whoever wants more comes again; who has silently gone is forgotten."""
PART_BYTES: Final = 256 * 1024
_MOST_PARTS: Final = 64
_BEYOND: Final = 2**53


class Log(Protocol):
    """What can be read and followed."""

    async def read(self, offset: int) -> ConsoleLog:
        """A part of it from byte `offset` on, or from the oldest kept. Raises Trouble."""
        ...

    def follow(self, offset: int) -> AsyncGenerator[bytes]:
        """All of it from byte `offset` on, and then what comes, up to a bound. Raises Trouble."""
        ...


class FileLog:
    """A log in a file of this machine's."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self, offset: int) -> ConsoleLog:
        part = await asyncio.to_thread(logtail.read, self._path, offset=offset, limit=PART_BYTES)
        return ConsoleLog(offset=part.start, size=part.size, content=part.data)

    async def follow(self, offset: int) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + FOLLOW_AT_MOST_S
        while loop.time() < ends_at:
            part = await self.read(offset)
            if part.content:
                yield part.content
            else:
                await asyncio.sleep(LOOK_EVERY_S)
            offset = part.offset + len(part.content)


async def last(log: Log, *, limit: int) -> ConsoleLog:
    """At most the last `limit` bytes of a log. Raises Trouble."""
    size = (await log.read(_BEYOND)).size
    part = await log.read(max(0, size - limit))
    begun, content = part.offset, b""
    for _ in range(_MOST_PARTS):
        content += part.content
        if not part.content or begun + len(content) >= part.size:
            break
        part = await log.read(begun + len(content))
    kept = content[-limit:]
    return ConsoleLog(offset=begun + len(content) - len(kept), size=part.size, content=kept)


async def followed(log: Log, first: ConsoleLog) -> AsyncGenerator[bytes]:
    """`first`, and then what follows it. Ends also where the log's keeper is out of reach: come again."""
    if first.content:
        yield first.content
    try:
        async with aclosing(log.follow(first.offset + len(first.content))) as news:
            async for part in news:
                yield part
    except Trouble:
        return
