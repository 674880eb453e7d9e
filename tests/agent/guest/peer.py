"""A guest's end of the port, as wrong as a test wants it: it sends what it is told and shows what it got."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from nexus.agent.guest.frames import FILLER, FrameReader, FrameType, MuxFrame, encode


class Peer:
    """One connection that QEMU would carry. `next` gives the host's frames in order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = FrameReader()
        self._waiting: list[MuxFrame] = []

    async def hello(self) -> bytes:
        """The nonce of the next HELLO, filler and all before it."""
        assert await self._reader.readexactly(len(FILLER)) == FILLER
        frame = await self.next()
        assert frame.type is FrameType.HELLO
        return frame.payload

    async def greet(self) -> None:
        self.send(FrameType.HELLO, 0, await self.hello())

    async def next(self) -> MuxFrame:
        async with asyncio.timeout(60):
            while not self._waiting:
                data = await self._reader.read(65536)
                assert data, "the host has closed the connection"
                self._waiting += self._frames.feed(data)
        return self._waiting.pop(0)

    def send(self, kind: FrameType, stream: int, payload: bytes = b"") -> None:
        self.send_bytes(encode(kind, stream, payload))

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    def stop_reading(self) -> None:
        """As QEMU does until the guest has opened its port."""
        self._writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

    def start_reading(self) -> None:
        self._writer.transport.resume_reading()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

    def drop(self) -> None:
        self._writer.transport.abort()


@asynccontextmanager
async def port(path: Path, *, is_open: bool = True) -> AsyncGenerator[asyncio.Queue[Peer]]:
    """QEMU's chardev socket at `path`; every connection comes out of the queue. Nothing of one is read before
    `start_reading` where the guest has not opened its port (`is_open`)."""
    peers: asyncio.Queue[Peer] = asyncio.Queue()
    open_peers: list[Peer] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        if not is_open:
            peer.stop_reading()
        open_peers.append(peer)
        peers.put_nowait(peer)

    server = await asyncio.start_unix_server(accept, str(path))
    try:
        yield peers
    finally:
        server.close()
        for peer in open_peers:
            peer.drop()
