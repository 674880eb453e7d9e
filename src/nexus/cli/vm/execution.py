"""A command in flight in a guest: input goes there, output comes here, signals are passed on."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from nexus.cli.failures import INTERRUPTED, CliFailure
from nexus.cli.vm import keyboard
from nexus.cli.vm.conversing import beside, signals, terminal_size
from nexus.cli.vm.returning import PAUSE_S, Return
from nexus.client.errors import ClientError
from nexus.client.sessions import Ended, ExecRequest, Opened, Output, Session, open_exec
from nexus.client.transport import Transport

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_PATIENCE = 3
"""Interrupts until we leave a command that will not end by them."""
_BROKEN_PIPE = 128 + signal.SIGPIPE
_FAREWELL_S = 2.0
_STDOUT, _STDERR = 1, 2


@dataclass(kw_only=True)
class Execution:
    """One command in flight: input goes there, output comes here, until it ends or the connection does."""

    transport: Transport
    vm_id: UUID
    request: ExecRequest
    passes_input: bool
    say: Callable[[str], None]

    @cached_property
    def place(self) -> Return:
        return Return(notice=lambda words: self.say(f"[nexus: {words}]"))

    def run(self) -> int:
        """The exit code. Raises ApiError or Unreachable when there is none."""
        if not self.request.tty:
            return asyncio.run(self._converse())
        with keyboard.raw_mode(0):
            return asyncio.run(self._converse())

    async def _converse(self) -> int:
        """Talk until the command ends. A lost connection is made again only where no input could be lost with it."""
        while True:
            try:
                return await self._visit()
            except ClientError as lost:
                if self.passes_input:
                    raise
                self.place.consider(lost)
            await asyncio.sleep(PAUSE_S)

    async def _visit(self) -> int:
        at = self.place
        command = open_exec(self.transport, self.vm_id, self.request, session=at.session, offset=at.offset)
        async with command as session, beside(self._pass_input(session), self._pass_signals(session)):
            try:
                return await self._print(session)
            except BrokenPipeError:  # whoever read our output has left, as `head` does
                await _hang_up(session)
                return _BROKEN_PIPE

    async def _print(self, session: Session) -> int:
        async for event in session.events():
            match event:
                case Opened():
                    self.place.arrive(event)
                    await self.place.acknowledge(session)
                case Output(data=data, is_error=is_error):
                    await keyboard.write(_STDERR if is_error else _STDOUT, data)
                    await self.place.took(session, len(data))
                case Ended(code=code):
                    return code
        raise AssertionError("events() ends with Ended or an error")

    async def _pass_input(self, session: Session) -> None:
        if self.passes_input:
            async with keyboard.input_of(0) as chunks:
                while data := await chunks.get():
                    await session.send_input(data)
        await session.end_input()

    async def _pass_signals(self, session: Session) -> None:
        interrupts = 0
        with signals(*_PASSED_ON, signal.SIGWINCH) as caught:
            while number := await caught.get():
                interrupts += number == signal.SIGINT
                if interrupts > _PATIENCE:
                    raise CliFailure("Left the command running: it ignores interrupts.", exit_code=INTERRUPTED)
                if number != signal.SIGWINCH:
                    await session.signal(number)
                elif self.request.tty:
                    cols, rows = terminal_size()
                    await session.resize(cols=cols, rows=rows)


async def _hang_up(session: Session) -> None:
    """End a command nobody listens to: it outlives a connection that merely closes."""
    await session.signal(signal.SIGHUP)
    with suppress(TimeoutError, ClientError):
        async with asyncio.timeout(_FAREWELL_S):
            async for _ in session.events():
                pass
