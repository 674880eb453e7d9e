"""QEMU's monitor (QMP) as an asyncio client: commands in order, events to a callback.

One client per VMM; QEMU serves a single connection and queues the next. The protocol is line-delimited JSON, see
QEMU's docs/interop/qmp-spec.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

ANSWER_DEADLINE_S = 10.0
LINE_LIMIT_BYTES = 4 << 20


class QmpTrouble(Exception):
    """The monitor is not reachable, or refused a command."""


class Qmp:
    """A connected monitor. `on_event(name, data)` is called from the reading task; `on_close()` when QEMU is gone."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        on_event: Callable[[str, dict[str, Any]], None],
        on_close: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._on_event = on_event
        self._on_close = on_close
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._last_id = 0
        self._closed = False
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def connect(
        cls, path: Path, *, on_event: Callable[[str, dict[str, Any]], None], on_close: Callable[[], None]
    ) -> "Qmp":
        """Connect and negotiate. Raises QmpTrouble if QEMU does not answer; nothing of the attempt is left then."""
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                reader, writer = await asyncio.open_unix_connection(str(path), limit=LINE_LIMIT_BYTES)
        except (OSError, TimeoutError) as unreachable:
            raise QmpTrouble(f"the monitor of the VMM does not answer ({unreachable})") from unreachable
        try:
            await _greeted(reader)
        except BaseException:
            writer.close()  # or QEMU, which serves one connection at a time, would serve this one for ever
            raise
        qmp = cls(reader, writer, on_event=on_event, on_close=on_close)
        try:
            await qmp.execute("qmp_capabilities")
        except BaseException:
            await qmp.close()
            raise
        return qmp

    async def execute(self, command: str, **arguments: Any) -> Any:
        """Run one command and return its answer. Raises QmpTrouble when it is refused or the VMM goes."""
        return await self._ask(command, arguments, self._writer.write)

    async def pass_fd(self, fd: int) -> int:
        """Give QEMU a descriptor; the answer is the number of the set that it is in (`/dev/fdset/N`), to be removed
        (`remove-fd`) once it has been opened. Raises QmpTrouble."""

        return int((await self._ask_with("add-fd", {}, fd))["fdset-id"])

    async def give_fd(self, fd: int, name: str) -> None:
        """Give QEMU a descriptor under a name, for one order that takes `fd:<name>`. Raises QmpTrouble."""
        await self._ask_with("getfd", {"fdname": name}, fd)

    async def _ask_with(self, command: str, arguments: dict[str, Any], fd: int) -> Any:
        def send(data: bytes) -> None:
            own = socket.socket(fileno=os.dup(self._writer.get_extra_info("socket").fileno()))
            with own:
                socket.send_fds(own, [data], [fd])

        try:
            await self._writer.drain()
            return await self._ask(command, arguments, send)
        except OSError as refused:
            raise QmpTrouble(f"the monitor took no descriptor: {refused.strerror or refused}") from refused

    async def _ask(self, command: str, arguments: dict[str, Any], send: Callable[[bytes], None]) -> Any:
        if self._closed:
            raise QmpTrouble("the VMM is gone")
        self._last_id += 1
        number = self._last_id
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        message: dict[str, Any] = {"execute": command, "id": number}
        if arguments:
            message["arguments"] = arguments
        try:
            send(json.dumps(message).encode() + b"\n")
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                return await answer
        except TimeoutError as late:
            raise QmpTrouble(f"the monitor did not answer {command} within {ANSWER_DEADLINE_S:g} s") from late
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Hang up; the VMM runs on."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._hang_up()

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                self._take(json.loads(line))
        except (OSError, ValueError, RecursionError):
            pass  # a broken line is the end of a dying VMM's last words: the connection is over either way
        self._hang_up()
        self._on_close()

    def _take(self, message: dict[str, Any]) -> None:
        if "event" in message:
            self._on_event(message["event"], message.get("data", {}))
            return
        answer = self._waiting.get(message.get("id", 0))
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(QmpTrouble(str(message["error"].get("desc", message["error"]))))
        else:
            answer.set_result(message.get("return"))

    def _hang_up(self) -> None:
        self._closed = True
        self._writer.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(QmpTrouble("the VMM is gone"))


async def _greeted(reader: asyncio.StreamReader) -> None:
    try:
        async with asyncio.timeout(ANSWER_DEADLINE_S):
            greeting = await reader.readline()
    except (OSError, TimeoutError) as silent:
        raise QmpTrouble(f"the monitor of the VMM does not answer ({silent or 'no greeting'})") from silent
    if b'"QMP"' not in greeting:
        raise QmpTrouble("the VMM ended before its monitor greeted")
