"""A machine's guest channel: the carrier kept connected, and `guest.sock`, by which everybody reaches the guest.

Every connection accepted on `guest.sock` is one stream to the guest's HTTP server, bytes both ways, each direction
closed by itself; so `curl --unix-socket …/guest.sock http://guest/v1/health` works. While the guest is not ready a
connection is closed at once: callers learn it by failing, not by waiting.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from nexus.agent.guest.mux import MuxTransport
from nexus.agent.guest.transport import ByteStream, Transport
from nexus.kit import log

_log = log.get("agent.guest")
CHUNK_BYTES: Final = 65536


def _ignore() -> None:
    return None


def _ignore_why(_why: str) -> None:
    return None


class GuestChannel:
    """Owns the carrier and `guest.sock`. `async with GuestChannel.over_mux(…) as channel`, or `start` and `close`.

    `on_ready()` and `on_lost(why)` are called on the event loop, in turns, first `on_ready`; keep them short. After
    `close` neither is called any more."""

    def __init__(
        self,
        transport: Transport,
        *,
        socket: Path,
        on_ready: Callable[[], None] = _ignore,
        on_lost: Callable[[str], None] = _ignore_why,
    ) -> None:
        """`socket`: where to put guest.sock (at most 107 bytes); one left over there is replaced."""
        self._transport = transport
        self._socket = socket
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._ready = asyncio.Event()
        self._carrier: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()

    @classmethod
    def over_mux(
        cls,
        mux_socket: Path,
        *,
        socket: Path,
        on_ready: Callable[[], None] = _ignore,
        on_lost: Callable[[str], None] = _ignore_why,
    ) -> Self:
        """The channel of a QEMU machine: `mux_socket` is the chardev socket of its port `nexus.mux`."""
        return cls(MuxTransport(mux_socket), socket=socket, on_ready=on_ready, on_lost=on_lost)

    @property
    def is_ready(self) -> bool:
        return self._transport.is_ready

    @property
    def socket(self) -> Path:
        """guest.sock: what a `GuestClient` is given."""
        return self._socket

    async def start(self) -> None:
        """Begin to listen and to connect. Raises OSError when `guest.sock` cannot be made."""
        self._server = await self._listen()
        self._carrier = asyncio.create_task(self._transport.run(on_ready=self._became_ready, on_lost=self._was_lost))

    async def close(self) -> None:
        """Stop both, end every stream, remove `guest.sock`. Harmless when repeated."""
        tasks = [task for task in (self._carrier, *self._relays) if task is not None]
        self._carrier = None
        if self._server is not None:
            self._server.close()
            self._server = None
            self._socket.unlink(missing_ok=True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._ready.clear()

    async def wait_ready(self, timeout_s: float) -> bool:
        """Whether the guest's agent answered within `timeout_s` seconds (or already had)."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        return self._ready.is_set()

    @asynccontextmanager
    async def stream(self) -> AsyncGenerator[ByteStream]:
        """A stream straight to the guest, given up at the end of the block if it has not ended by then.

        Raises ConnectionResetError when the guest is not ready."""
        stream = await self._transport.open()
        try:
            yield stream
        finally:
            stream.abort()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _listen(self) -> asyncio.Server:
        self._socket.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._accept, str(self._socket), start_serving=False)
        os.chmod(self._socket, 0o600)  # noqa: PTH101 - before the first connection is taken
        await server.start_serving()
        return server

    def _became_ready(self) -> None:
        self._ready.set()
        self._on_ready()

    def _was_lost(self, why: str) -> None:
        self._ready.clear()
        self._on_lost(why)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay = asyncio.create_task(self._serve(reader, writer))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with self.stream() as stream:
                await _relay(reader, writer, stream)
            writer.close()
        except* ConnectionError as lost:
            _log.debug("guest_stream_ended", socket=str(self._socket), why=str(lost.exceptions[0]))
        finally:
            if not writer.is_closing():
                writer.transport.abort()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: ByteStream) -> None:
    """Copy both ways until both directions have ended, or one has failed."""
    async with asyncio.TaskGroup() as copies:
        copies.create_task(_to_guest(reader, stream))
        copies.create_task(_from_guest(stream, writer))


async def _to_guest(reader: asyncio.StreamReader, stream: ByteStream) -> None:
    while data := await reader.read(CHUNK_BYTES):
        await stream.write(data)
    stream.write_eof()


async def _from_guest(stream: ByteStream, writer: asyncio.StreamWriter) -> None:
    while data := await stream.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
