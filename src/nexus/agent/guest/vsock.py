"""The vsock carrier: every stream is a connection of its own, opened through the hypervisor's socket on the host.

That socket speaks one line each way (Firecracker, docs/vsock.md): `CONNECT <port>`, answered `OK <number>` when the
guest has accepted; anything else, or nothing, means that nobody there listens. No multiplexer and no handshake of ours:
a vsock connection knows its end.

Ready means that the guest's agent accepts. One connection is then kept open and idle, so that its end is noticed;
since a guest may also be silent, it is asked for another one from time to time.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final

from nexus.agent.guest.transport import ByteStream

PORT: Final = 1024
"""Where the guest's agent listens (docs/protocol/guest.md)."""
GREETING_BYTES: Final = 64
CONNECT_PAUSE_S: Final = (0.01, 0.25)
"""First and longest pause between attempts while nobody listens."""
Dial = Callable[[], socket.socket]
"""Connects to the hypervisor's socket, without blocking. Raises OSError."""


class VsockTransport:
    """A `Transport` over a hypervisor's vsock socket."""

    def __init__(self, dial: Dial, *, ping_interval_s: float = 20, patience_s: float = 10) -> None:
        """Every `ping_interval_s` the guest must accept a connection within `patience_s`, or it is lost."""
        self._dial = dial
        self._ping_interval_s = ping_interval_s
        self._patience_s = patience_s
        self._ready = False

    @property
    def is_ready(self) -> bool:
        return self._ready

    async def open(self) -> ByteStream:
        if not self._ready:
            raise ConnectionResetError("the guest's agent is not there")
        stream = await connect(self._dial, within_s=self._patience_s)
        if stream is None:
            raise ConnectionResetError("the guest's agent does not answer")
        return stream

    async def run(self, *, on_ready: Callable[[], None], on_lost: Callable[[str], None]) -> None:
        pause, longest = CONNECT_PAUSE_S
        while True:
            stream = await connect(self._dial, within_s=self._patience_s)
            if stream is None:
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)
                continue
            pause = CONNECT_PAUSE_S[0]
            self._ready = True
            try:
                on_ready()
                why = await self._stay(stream)
            finally:
                self._ready = False
            on_lost(why)

    async def _stay(self, kept: "SocketStream") -> str:
        """Until the guest is lost; why."""
        while True:
            try:
                ended = await kept.has_ended(within_s=self._ping_interval_s)
            finally:
                kept.abort()
            again = await connect(self._dial, within_s=self._patience_s)
            if again is None:
                return "the guest's agent has gone" if ended else f"no answer for {self._patience_s:.0f} s"
            kept = again


class SocketStream:
    """A `ByteStream` that is a connection of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, limit: int = 65536) -> bytes:
        return await self._reader.read(limit)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def write_eof(self) -> None:
        if not self._writer.transport.is_closing():
            self._writer.write_eof()

    def abort(self) -> None:
        self._writer.transport.abort()

    async def has_ended(self, *, within_s: float) -> bool:
        """Whether the guest closed this idle stream within so long; anything it says instead is no reason to stay."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                with contextlib.suppress(ConnectionError):
                    await self._reader.read(1)
                return True
        return False


async def connect(dial: Dial, *, within_s: float) -> SocketStream | None:
    """A stream to the guest's agent; None when there is none, or it does not accept in time."""
    try:
        made = dial()
    except OSError:
        return None
    reader, writer = await asyncio.open_unix_connection(sock=made)
    stream = SocketStream(reader, writer)
    try:
        async with asyncio.timeout(within_s):
            writer.write(b"CONNECT %d\n" % PORT)
            answer = await reader.readuntil(b"\n")
    except (TimeoutError, OSError, EOFError, asyncio.LimitOverrunError):
        answer = b""
    except BaseException:
        stream.abort()
        raise
    if answer.startswith(b"OK ") and len(answer) <= GREETING_BYTES:
        return stream
    stream.abort()
    return None


async def answers(dial: Dial, *, within_s: float) -> bool:
    """Whether the guest's agent accepts a connection now."""
    stream = await connect(dial, within_s=within_s)
    if stream is not None:
        stream.abort()
    return stream is not None
