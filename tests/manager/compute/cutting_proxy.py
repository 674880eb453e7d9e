"""A line between a host and its manager that breaks while an image is on its way."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_FETCH = re.compile(rb"GET /v1/images/content/([0-9a-f]{64}) ")
_RANGE = re.compile(rb"\r\n[Rr]ange: ([^\r]+)\r\n")


@dataclass
class CuttingProxy:
    """Forwards everything on 127.0.0.1:`port` to `upstream`, but ends the first connection on which more than
    `after_bytes` of the image `sha256` have come. `fetches` are the ranges asked for of it, None for the whole."""

    upstream: str
    sha256: str
    after_bytes: int
    port: int = 0
    has_cut: bool = False
    fetches: list[str | None] = field(default_factory=list[str | None])

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.upstream.rpartition(":")
        up_reader, up_writer = await asyncio.open_connection(host, int(port))
        fetching = asyncio.Event()
        up = asyncio.create_task(self._upwards(reader, up_writer, fetching))
        try:
            await self._downwards(up_reader, writer, fetching)
        finally:
            up.cancel()
            for each in (writer, up_writer):
                each.close()
            await asyncio.gather(up, return_exceptions=True)

    async def _upwards(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fetching: asyncio.Event
    ) -> None:
        while data := await reader.read(65536):
            if (asked := _FETCH.search(data)) and asked[1].decode() == self.sha256:
                wanted = _RANGE.search(data)
                self.fetches.append(wanted[1].decode() if wanted else None)
                fetching.set()
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _downwards(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fetching: asyncio.Event
    ) -> None:
        passed = 0
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
                passed += len(data) if fetching.is_set() else 0
                if passed > self.after_bytes and not self.has_cut:
                    self.has_cut = True
                    return


@asynccontextmanager
async def cutting(upstream: str, sha256: str, *, after_bytes: int) -> AsyncGenerator[CuttingProxy]:
    proxy = CuttingProxy(upstream, sha256, after_bytes)
    server = await asyncio.start_server(proxy.forward, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
