"""The virtio-serial carrier: many streams over one QEMU chardev socket, found again whenever it is lost.

The ready path waits for events only: the HELLO written at connect lies in the socket until the guest opens its port,
and the echo is the moment of readiness. A further HELLO goes out only when the guest has taken the last one and stays
silent, so that a guest that is still booting is never asked twice.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nexus.agent.guest.connection import MuxConnection
from nexus.agent.guest.transport import ByteStream

CONNECT_PAUSE_S: Final = (0.005, 0.5)
"""First and longest pause between attempts to connect to a socket that is not there."""
HELLO_PAUSE_S: Final = (1.0, 10.0)
"""First and longest time given to a guest that has taken a HELLO, before it gets another."""


class MuxTransport:
    """A `Transport` over the socket of the port `nexus.mux`. Start QEMU first: until its socket is there we poll."""

    def __init__(
        self,
        socket: Path,
        *,
        ping_interval_s: float = 20,
        ping_patience_s: float = 10,
        hello_pause_s: tuple[float, float] = HELLO_PAUSE_S,
    ) -> None:
        """Every `ping_interval_s` without a byte the guest is asked for one; `ping_patience_s` later it is lost."""
        self._socket = socket
        self._hello_pause_s = hello_pause_s
        self._ping_interval_s = ping_interval_s
        self._ping_patience_s = ping_patience_s
        self._connection: MuxConnection | None = None

    @property
    def is_ready(self) -> bool:
        return self._connection is not None and self._connection.answered.is_set()

    async def open(self) -> ByteStream:
        if self._connection is None:
            raise ConnectionResetError("the guest's agent is not there")
        return self._connection.open()

    async def run(self, *, on_ready: Callable[[], None], on_lost: Callable[[str], None]) -> None:
        while True:
            self._connection = await self._connect()
            try:
                while not self._connection.is_closed:
                    if await self._greet(self._connection):
                        on_ready()
                        await self._stay(self._connection)
                        on_lost(self._connection.why_ended)
            finally:
                self._connection.abort()
                self._connection = None

    async def _connect(self) -> MuxConnection:
        loop = asyncio.get_running_loop()
        pause, longest = CONNECT_PAUSE_S
        while True:
            try:
                return (await loop.create_unix_connection(MuxConnection, str(self._socket)))[1]
            except OSError:
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)

    async def _greet(self, connection: MuxConnection) -> bool:
        """Say HELLO until it is answered; False when the socket closed instead."""
        pause, longest = self._hello_pause_s
        connection.hello()
        while not await _happens(connection.answered, connection.ended, within_s=pause):
            if connection.is_closed:
                return False
            if not connection.has_unread_bytes():
                pause = min(pause * 2, longest)
                connection.hello()
        return not connection.is_closed

    async def _stay(self, connection: MuxConnection) -> None:
        """Return when the session has ended, or the guest no longer answers."""
        while not connection.ended.is_set():
            before = connection.received_bytes
            if await _happens(connection.ended, within_s=self._ping_interval_s) or connection.received_bytes > before:
                continue
            connection.ping()
            await _happens(connection.ended, within_s=self._ping_patience_s)
            if connection.received_bytes == before and not connection.ended.is_set():
                connection.give_up(f"no answer for {self._ping_interval_s + self._ping_patience_s:.0f} s")


async def _happens(*events: asyncio.Event, within_s: float) -> bool:
    """Whether the first of `events` came, when one of them did or the time was over."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return events[0].is_set()
