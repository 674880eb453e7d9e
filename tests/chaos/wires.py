"""Lines between agents and managers that can be cut: proxies on loopback, in the place of a network.

A namespace could cut no finer than this, needs root, and could not keep back what was sent until it is stale. A line
runs one way, from who connects to who listens: `up` is an agent's to the managers, `down` the managers' to an agent.
"""

import asyncio
import contextlib
from collections.abc import Callable

Place = tuple[str, int]


class Wire:
    """Carries each connection to its port on to where `towards` says."""

    def __init__(self, port: int, towards: Callable[[], Place]) -> None:
        self.port = port
        self._towards = towards
        self._server: asyncio.Server | None = None
        self._is_cut = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._carried: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, ...]] = {}

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.drop()
        await asyncio.gather(*self._carried, return_exceptions=True)

    def cut(self) -> None:
        """Break what is connected, and refuse what comes."""
        self._is_cut = True
        self.drop()

    def freeze(self) -> None:
        """Carry nothing more; nobody is told."""
        self._flowing.clear()

    def mend(self, *, loses: bool) -> None:
        """Be whole again; `loses`: without what was under way."""
        if loses:
            self.drop()
        self._is_cut = False
        self._flowing.set()

    def drop(self) -> None:
        """Break what is connected."""
        for task, writers in self._carried.items():
            for writer in writers:
                writer.transport.abort()
            task.cancel()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carried[task] = (writer,)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            if not self._is_cut:
                await self._flowing.wait()
                onward_reader, onward = await asyncio.open_connection(*self._towards())
                self._carried[task] = (writer, onward)
                await asyncio.gather(self._pump(reader, onward), self._pump(onward_reader, writer))
        for each in self._carried.pop(task):
            each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
