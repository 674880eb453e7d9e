"""A person's terminal joined to a shell in a guest, through lost connections and out again."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import NoReturn
from uuid import UUID

from nexus.cli.vm import keyboard
from nexus.cli.vm.conversing import beside, signals, terminal_size
from nexus.cli.vm.returning import PAUSE_S, Return
from nexus.client.errors import ClientError, Unreachable
from nexus.client.sessions import Ended, Opened, Output, Session, open_console, open_shell
from nexus.client.transport import Transport

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STDIN, _STDOUT = 0, 1


class _Left(Exception):
    """The person is going, or was told to; with the exit code."""

    def __init__(self, exit_code: int, *, hangs_up: bool = True) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code
        self.hangs_up = hangs_up


@dataclass(kw_only=True)
class Terminal:
    """One visit to a shell, over as many connections as it takes."""

    transport: Transport
    vm_id: UUID
    vm: str
    say: Callable[[str], None]
    is_console: bool = False
    """The machine's serial console in place of a shell: it has no size, and hanging up ends nothing."""
    connection: Session | None = None
    outbox: "asyncio.Queue[bytes]" = field(default_factory=lambda: asyncio.Queue(64))

    @cached_property
    def place(self) -> Return:
        return Return(notice=self._notice, way_out="; Enter ~ . gives up")

    def run(self) -> int:
        """The shell's exit code. Raises ApiError, Unreachable."""
        try:
            with keyboard.raw_mode(_STDIN):
                return asyncio.run(self._stay())
        except _Left as left:
            is_there = f"; come back: nexus vm terminal attach {self.vm} {self.place.session}"
            what = "console" if self.is_console else "shell"
            self.say(f"Disconnected from the {what}{'' if left.hangs_up or self.is_console else is_there}.")
            return left.exit_code

    async def _stay(self) -> int:
        with signals(*_ENDING, signal.SIGWINCH) as caught:
            async with keyboard.input_of(_STDIN) as typed, beside(self._take_keys(typed), self._heed(caught)):
                return await self._converse()

    async def _take_keys(self, typed: "asyncio.Queue[bytes]") -> None:
        """Move what is typed to the outbox, looking for the escape even while there is no connection."""
        escape = keyboard.Escape() if os.isatty(_STDIN) else None
        while data := await typed.get():
            kept, way = escape.feed(data) if escape else (data, None)
            if way is keyboard.Leave.DETACH:
                raise _Left(0, hangs_up=False)
            if way is keyboard.Leave.HANG_UP:
                await self._leave(0)
            if kept:
                await self.outbox.put(kept)
        await self.outbox.put(b"")

    async def _converse(self) -> int:
        """Talk until the shell ends, coming back to it as often as the connection is lost."""
        while True:
            try:
                async with self._opened() as session:
                    self.connection = session
                    async with beside(self._send_on(session)):
                        return await self._print(session)
            except ClientError as lost:
                self.place.consider(lost)
            finally:
                self.connection = None
            await asyncio.sleep(PAUSE_S)

    def _opened(self) -> AbstractAsyncContextManager[Session]:
        at = self.place
        if self.is_console:
            return open_console(self.transport, self.vm_id, offset=at.offset)
        cols, rows = terminal_size()
        return open_shell(self.transport, self.vm_id, cols=cols, rows=rows, session=at.session, offset=at.offset)

    async def _print(self, session: Session) -> int:
        async for event in session.events():
            match event:
                case Opened():
                    if self.place.is_possible:
                        await self._resize()  # our size may have changed meanwhile
                    self.place.arrive(event)
                    await self.place.acknowledge(session)
                case Output(data=data):
                    await keyboard.write(_STDOUT, data)
                    await self.place.took(session, len(data))
                case Ended(code=code):
                    return code
        raise AssertionError("events() ends with Ended or an error")

    async def _send_on(self, session: Session) -> None:
        """Send what is in the outbox. What was on its way when a connection broke is lost, as with any terminal."""
        while data := await self.outbox.get():
            await session.send_input(data)
        await session.end_input()

    async def _heed(self, caught: "asyncio.Queue[signal.Signals]") -> None:
        while number := await caught.get():
            if number != signal.SIGWINCH:
                await self._leave(128 + number)
            await self._resize()

    async def _resize(self) -> None:
        if self.connection is not None and not self.is_console:
            cols, rows = terminal_size()
            with suppress(Unreachable):  # whoever reads from the connection meets that too
                await self.connection.resize(cols=cols, rows=rows)

    async def _leave(self, exit_code: int) -> NoReturn:
        """Hang up, as a modem would: a shell that is left without a word runs on in the guest."""
        if self.connection is not None and not self.is_console:
            with suppress(Unreachable):
                await self.connection.signal(signal.SIGHUP)
        raise _Left(exit_code)

    def _notice(self, words: str) -> None:
        """A line from us amid the guest's output; in raw mode a line feed does not return the carriage."""
        self.say(f"\r\n[nexus: {words}]\r")
