"""Shells and commands in a guest, over WebSockets.

Both speak the same way once open. From the manager: binary messages are output; the JSON messages
`{"type":"session","id","offset"}`, `{"type":"exit","code"}` and `{"type":"error", …ProblemBody}` stand for themselves.
To the manager: binary messages are input; `{"type":"resize","cols","rows"}`, `{"type":"signal","signal"}` and
`{"type":"eof"}`; `{"type":"ack","offset"}` says how much output has arrived. A command's output messages start with a
byte that says which stream they are: 1 standard output, 2 standard error.

A shell lives in the guest, not in the connection: open it again with its session id and the number of output bytes
received so far, and nothing is lost or shown twice.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from nexus.client.dialing import PING_EVERY_S, dialed
from nexus.client.errors import ApiError, UnexpectedAnswer, Unreachable
from nexus.client.transport import Transport, segment
from nexus.kit.problems import ProblemBody

_STANDARD_ERROR = 2


@dataclass(frozen=True)
class Opened:
    """The session's id, and the number of the first byte of output that will follow."""

    id: str
    offset: int


@dataclass(frozen=True)
class Output:
    data: bytes
    is_error: bool = False


@dataclass(frozen=True)
class Ended:
    """The process is gone; `code` as a shell gives it (128 + number for a signal)."""

    code: int


Event = Opened | Output | Ended


class ExecRequest(BaseModel):
    """What to run: `user` None is the VM's own user, `cwd` None that user's home."""

    model_config = ConfigDict(frozen=True)

    argv: tuple[str, ...]
    user: str | None = None
    cwd: str | None = None
    env: dict[str, str] = {}
    timeout_s: float | None = None
    tty: bool = False
    cols: int | None = None
    rows: int | None = None


class Session:
    """An open connection to a process in a guest. One reader of `events`; any number of senders."""

    def __init__(self, connection: ClientConnection, *, url: str, has_stream_byte: bool) -> None:
        self._connection = connection
        self._url = url
        self._has_stream_byte = has_stream_byte

    async def events(self) -> AsyncIterator[Event]:
        """What happens, up to and including Ended. Raises ApiError, or Unreachable when the connection is lost."""
        try:
            async for message in self._connection:
                event = self._output(message) if isinstance(message, bytes) else self._event(message)
                if event is not None:
                    yield event
                if isinstance(event, Ended):
                    return
        except ConnectionClosed as lost:
            raise Unreachable(self._url, f"the connection was lost ({lost})") from lost
        raise Unreachable(self._url, "the connection was closed before the command had ended")

    def _output(self, message: bytes) -> Output:
        if not self._has_stream_byte:
            return Output(message)
        return Output(message[1:], is_error=message[:1] == bytes((_STANDARD_ERROR,)))

    def _event(self, message: str) -> Event | None:
        try:
            value = cast("dict[str, Any]", json.loads(message))
            match value["type"]:
                case "session":
                    return Opened(str(value["id"]), int(value["offset"]))
                case "exit":
                    return Ended(int(value["code"]))
                case "error":
                    raise ApiError(ProblemBody.model_validate(value))
                case _:
                    return None  # a newer manager may say more
        except (ValueError, KeyError, TypeError) as broken:
            raise UnexpectedAnswer(self._url, f"a session said {message[:80]!r}") from broken

    async def send_input(self, data: bytes) -> None:
        await self._send(data)

    async def end_input(self) -> None:
        """No more input will come; the process reads end of file."""
        await self.send_text(json.dumps({"type": "eof"}))

    async def resize(self, *, cols: int, rows: int) -> None:
        await self.send_text(json.dumps({"type": "resize", "cols": cols, "rows": rows}))

    async def acknowledge(self, offset: int) -> None:
        """The first `offset` bytes of output have arrived: whatever follows is kept in the guest until that is said of
        it too, so that nothing is lost with a connection. Whoever says it once must go on."""
        await self.send_text(json.dumps({"type": "ack", "offset": offset}))

    async def signal(self, number: int) -> None:
        """Send a signal to the process and its children."""
        await self.send_text(json.dumps({"type": "signal", "signal": number}))

    async def send_text(self, message: str) -> None:
        """Something that is not input: a JSON message of the protocol above."""
        await self._send(message)

    async def _send(self, message: bytes | str) -> None:
        try:
            await self._connection.send(message)
        except ConnectionClosed as lost:
            raise Unreachable(self._url, f"the connection was lost ({lost})") from lost


@asynccontextmanager
async def open_shell(
    transport: Transport, vm_id: UUID, *, cols: int, rows: int, session: str | None = None, offset: int = 0
) -> AsyncGenerator[Session]:
    """A login shell of the VM's user on a terminal; with `session`, the one opened before, from byte `offset` on."""
    query: dict[str, object] = {"cols": cols, "rows": rows, "framing": "binary"}
    if session is not None:
        query |= {"session": session, "offset": offset}
    path = f"/v1/vms/{segment(vm_id)}/shell/ws"
    async with _open(transport, path, query, has_stream_byte=False, ping_timeout_s=PING_EVERY_S) as opened:
        yield opened


@asynccontextmanager
async def open_console(transport: Transport, vm_id: UUID, *, offset: int) -> AsyncGenerator[Session]:
    """The serial console, as a session that does not end: its log from byte `offset` on, and what is typed on it."""
    path, query = f"/v1/vms/{segment(vm_id)}/console/ws", {"framing": "binary", "offset": offset}
    async with _open(transport, path, query, has_stream_byte=False, ping_timeout_s=PING_EVERY_S) as opened:
        yield opened


@asynccontextmanager
async def open_exec(
    transport: Transport, vm_id: UUID, request: ExecRequest, *, session: str | None = None, offset: int = 0
) -> AsyncGenerator[Session]:
    """A command; with `session`, the one started before, from byte `offset` of its output (of both streams) on.

    There is no limit on how long its output may stay unread: a slow reader slows the command.
    """
    query: dict[str, object] = {"framing": "binary"}
    if session is not None:
        query |= {"session": session, "offset": offset}
    path = f"/v1/vms/{segment(vm_id)}/exec/ws"
    async with _open(transport, path, query, has_stream_byte=True, ping_timeout_s=None) as opened:
        if session is None:
            with suppress(Unreachable):  # refused already: the reason is there to be read
                await opened.send_text(request.model_dump_json(exclude_none=True))
        yield opened


@asynccontextmanager
async def stream(
    transport: Transport, path: str, query: Mapping[str, object] | None = None
) -> AsyncGenerator[AsyncIterator[Any]]:
    """The JSON messages of a WebSocket that only talks: metrics, events."""
    async with _open(transport, path, query or {}, has_stream_byte=False, ping_timeout_s=PING_EVERY_S) as opened:
        yield _messages(opened)


async def _messages(session: Session) -> AsyncIterator[Any]:
    connection = session._connection  # pyright: ignore[reportPrivateUsage]
    try:
        async for message in connection:
            value = json.loads(message)
            if value.get("type") == "error":
                raise ApiError(ProblemBody.model_validate(value))
            yield value
    except ConnectionClosed as lost:
        raise Unreachable(session._url, f"the connection was lost ({lost})") from lost  # pyright: ignore[reportPrivateUsage]


@asynccontextmanager
async def _open(
    transport: Transport,
    path: str,
    query: Mapping[str, object],
    *,
    has_stream_byte: bool,
    ping_timeout_s: float | None,
) -> AsyncGenerator[Session]:
    async with dialed(transport, path, query, ping_timeout_s=ping_timeout_s) as connection:
        yield Session(connection, url=transport.url, has_stream_byte=has_stream_byte)
