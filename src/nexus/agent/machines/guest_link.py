"""The machine's end of its guest channel: open while the VMM runs, and what is known of the guest through it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path

from nexus.agent.guest.channel import GuestChannel
from nexus.agent.guest.client import GuestClient
from nexus.agent.guest.transport import ByteStream, Transport
from nexus.kit import log
from nexus.protocol.machines import LONGEST_WARNING, MOST_WARNINGS
from nexus.protocol.trouble import Retryable, Trouble

_log = log.get("nexus.agent.machines")

SET_TIME_DEADLINE_S = 2.0
EXAMINED_AFTER_S = 0.5
"""A guest that has come is asked how it is when whoever waited for it has been told, and had what was urgent of it."""
LOST_PATIENCE_S = 3.0
"""A guest that is back within this time has never been reported as gone: its agent may just have started anew."""


class GuestLink:
    """`changed` is called when the guest's agent came, or has been away for too long. `is_awaking`: whether the guest
    is about to be told who it is, and has nothing to say of itself before."""

    def __init__(
        self, socket: Path, *, changed: Callable[[], None], is_awaking: Callable[[], bool] = lambda: False
    ) -> None:
        self._socket = socket
        self._changed = changed
        self._is_awaking = is_awaking
        self._channel: GuestChannel | None = None
        self._away: asyncio.TimerHandle | None = None
        self._examining: asyncio.Task[None] | None = None
        self.is_away = False
        self.warnings: tuple[str, ...] = ()
        """What of its configuration the guest could not apply, as it last said."""

    @property
    def is_ready(self) -> bool:
        return self._channel is not None and self._channel.is_ready

    async def open(self, transport: Transport) -> None:
        """Begin to look for the guest, unless that is going on already. Raises OSError; then nothing is going on."""
        if self._channel is not None:
            return
        channel = GuestChannel(transport, socket=self._socket, on_ready=self._came, on_lost=lambda _why: self._went())
        self._socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        await channel.start()
        self._channel = channel
        self._went()

    async def wait_ready(self, timeout_s: float) -> bool:
        """Whether the guest's agent answers, given so long to come back."""
        return self._channel is not None and await self._channel.wait_ready(timeout_s)

    async def close(self) -> None:
        self._stop_timer()
        await self._stop_examining()
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    def stream(self) -> AbstractAsyncContextManager[ByteStream]:
        """A stream straight to the guest's agent. Raises Retryable when there is no way to it."""
        if self._channel is None:
            raise Retryable("the guest's agent is not there")
        return self._channel.stream()

    def client(self, *, timeout_s: float = 5) -> GuestClient:
        return GuestClient(self._socket, timeout_s=timeout_s)

    async def set_time(self, now: datetime) -> None:
        """Tell a guest that stood still the time, if it listens."""
        try:
            async with self.client(timeout_s=SET_TIME_DEADLINE_S) as guest:
                await guest.set_time(int(now.timestamp() * 1000))
        except Trouble as silent:
            _log.warning("guest_time_not_set", socket=str(self._socket), why=str(silent))

    def _came(self) -> None:
        self._stop_timer()
        self.is_away = False
        self._changed()
        if not self._is_awaking() and (self._examining is None or self._examining.done()):
            self._examining = asyncio.create_task(self._examine())

    async def _examine(self) -> None:
        """Ask the guest how it is. What it says is a stranger's: short, and of printable characters."""
        await asyncio.sleep(EXAMINED_AFTER_S)
        try:
            async with self.client() as guest:
                said = (await guest.health()).warnings
        except Trouble as silent:
            _log.warning("guest_not_examined", socket=str(self._socket), why=str(silent))
            return
        self.warnings = tuple(printable(warning) for warning in said[:MOST_WARNINGS])
        self._changed()

    async def _stop_examining(self) -> None:
        examining, self._examining, self.warnings = self._examining, None, ()
        if examining is not None:
            examining.cancel()
            await asyncio.wait({examining})

    def _went(self) -> None:
        self._stop_timer()
        self.is_away = False
        self._away = asyncio.get_running_loop().call_later(LOST_PATIENCE_S, self._gave_up)

    def _gave_up(self) -> None:
        self.is_away = True
        self._changed()

    def _stop_timer(self) -> None:
        if self._away is not None:
            self._away.cancel()
            self._away = None


def printable(text: str) -> str:
    """What a stranger said, as one short line."""
    return "".join(char if char.isprintable() else " " for char in text[:LONGEST_WARNING])
