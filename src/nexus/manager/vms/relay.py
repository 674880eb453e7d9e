"""A guest session between a client's WebSocket and the stream to its host's agent.

To the client, in order: `{"type":"session","id","offset"}`; output; `{"type":"exit","code"}` and close 1000. Output is
`{"type":"output","data"}` (UTF-8 text; `error_output` for standard error), or with binary framing one binary message
each. From the client: binary messages are input; text messages are `Said`.

A connection that is lost, on either side, leaves the session alive in the guest: whoever comes back with its id and the
number of output bytes received goes on there. A client that reads slowly slows the process, not the manager.
"""

import asyncio
import codecs
import contextlib
import json
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from nexus.kit import log
from nexus.kit.json_text import parse_json
from nexus.kit.problems import InvalidField, Problem
from nexus.kit.sockets import hang_up, say
from nexus.manager.agents.sessions import SessionStream
from nexus.manager.agents.troubles import as_problem
from nexus.protocol.guest import FRAME_TYPES, Frame, SessionExit, TerminalSize
from nexus.protocol.trouble import Refused, Retryable, Trouble

POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013
"""RFC 6455's registry."""

_OUTPUTS = (Frame.OUTPUT, Frame.ERROR_OUTPUT)
_LEAVING_S = 10
"""How long a client that acknowledges may take to leave once it was told the exit. What lies unread when a connection
is closed makes the kernel reset it, and the client loses what had not reached it."""


class Framing(StrEnum):
    """How output travels to the client."""

    JSON = "json"
    BINARY = "binary"
    """Each message is raw output (shell), or the frame's type byte and then output (exec): 1 standard output,
    2 standard error, as in docs/protocol/guest.md."""


class InputSaid(BaseModel):
    type: Literal["input"]
    data: str


class ResizeSaid(TerminalSize):
    type: Literal["resize"]


class SignalSaid(BaseModel):
    type: Literal["signal"]
    signal: int = Field(ge=1, le=64)


class EofSaid(BaseModel):
    type: Literal["eof"]


class AckSaid(BaseModel):
    """The first `offset` bytes of the session's output have arrived at the client."""

    type: Literal["ack"]
    offset: int = Field(ge=0, le=2**62)


Said = InputSaid | ResizeSaid | SignalSaid | EofSaid | AckSaid
_SAID = TypeAdapter[Said](Annotated[Said, Field(discriminator="type")])


@dataclass(frozen=True, kw_only=True)
class Relay:
    """One client at one session, which `opening` leads to. `tells_streams`: binary messages begin with the frame's type
    byte. `signal` sends one to what runs there; None: there is nothing to send it to."""

    socket: WebSocket
    opening: AbstractAsyncContextManager[SessionStream]
    session_id: str
    framing: Framing
    tells_streams: bool
    wish: str
    signal: Callable[[int], Awaitable[None]] | None = None

    async def run(self) -> None:
        """Relay until the process ends or the client leaves. Raises a Problem for a session that cannot be joined."""
        try:
            async with self.opening as stream:
                await self._say({"type": "session", "id": self.session_id, "offset": stream.offset})
                await self._relay(stream)
        except WebSocketDisconnect:
            return
        except Retryable as lost:
            await hang_up(self.socket, code=TRY_AGAIN_LATER, reason=str(lost))
        except Trouble as trouble:
            raise as_problem(trouble, wish=self.wish) from trouble

    async def _relay(self, stream: SessionStream) -> None:
        acknowledged = asyncio.Event()
        telling = asyncio.create_task(self._tell(stream))
        hearing = asyncio.create_task(self._hear(stream, acknowledged))
        try:
            done, _ = await asyncio.wait({telling, hearing}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if telling in done:
                if acknowledged.is_set():
                    await asyncio.wait({hearing}, timeout=_LEAVING_S)
                await hang_up(self.socket, hearing=hearing)
        finally:
            for task in (telling, hearing):
                task.cancel()
            await asyncio.gather(telling, hearing, return_exceptions=True)

    async def _tell(self, stream: SessionStream) -> None:
        decoders = {frame: codecs.getincrementaldecoder("utf-8")("replace") for frame in _OUTPUTS}
        async for frame, payload in stream.frames():
            if frame is Frame.EXIT:
                for each, decoder in decoders.items():
                    await self._tell_text(each, decoder.decode(b"", final=True))
                await self._say({"type": "exit", "code": SessionExit.model_validate_json(payload).code})
            elif frame in decoders and self.framing is Framing.JSON:
                await self._tell_text(frame, decoders[frame].decode(payload))
            elif frame in decoders:
                head = bytes((FRAME_TYPES[frame],)) if self.tells_streams else b""
                await say(self.socket, head + payload)

    async def _tell_text(self, frame: Frame, text: str) -> None:
        if text:
            await self._say({"type": frame.value, "data": text})

    async def _say(self, message: dict[str, object]) -> None:
        await say(self.socket, json.dumps(message, ensure_ascii=False))

    async def _hear(self, stream: SessionStream, acknowledged: asyncio.Event) -> None:
        """Until the client goes; `acknowledged` is set when it says what it has. A stream that takes no more may still
        have something to tell, its exit above all: that it is over is for `_tell` to find out, after all of that."""
        is_over = False
        while (message := await self.socket.receive())["type"] != "websocket.disconnect":
            heard = await self._heard(message)
            if heard is not None and heard[0] is Frame.ACK:
                acknowledged.set()
            if heard is not None and not is_over:
                is_over = not await _is_taken(stream, *heard)

    async def _heard(self, message: MutableMapping[str, Any]) -> tuple[Frame, bytes] | None:
        """The frame that a client's message means; None for one that means nothing, or is done."""
        if (content := message.get("bytes")) is not None:
            return (Frame.INPUT, content) if content else None
        said: Said = read(_SAID, message["text"])
        match said:
            case InputSaid(data=data):
                return (Frame.INPUT, data.encode(errors="replace")) if data else None
            case ResizeSaid(cols=cols, rows=rows):
                return Frame.RESIZE, TerminalSize(cols=cols, rows=rows).model_dump_json().encode()
            case SignalSaid(signal=number):
                return await self._signal(number)
            case AckSaid(offset=offset):
                return Frame.ACK, offset.to_bytes(8, "big")
            case EofSaid():
                return Frame.END_OF_INPUT, b""

    async def _signal(self, number: int) -> None:
        try:
            if self.signal is not None:
                await self.signal(number)
        except Refused:
            return  # it has ended; the exit is on its way


async def _is_taken(stream: SessionStream, frame: Frame, payload: bytes) -> bool:
    try:
        await stream.send(frame, payload)
    except Retryable:
        return False
    return True


def read(kind: TypeAdapter[Any], text: str) -> Any:
    """A client's JSON message. Raises InvalidField, or Malformed for what is no JSON."""
    parse_json(text)
    try:
        return kind.validate_json(text)
    except ValidationError as unfit:
        first = unfit.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise InvalidField(f"{where}: {first['msg']}.") from unfit


async def refuse(socket: WebSocket, problem: Problem) -> None:
    """Tell a client that is connected already why it cannot have what it wants, and hang up."""
    request_id = log.bound("request_id")
    body = problem.body(str(request_id) if request_id else None)
    with contextlib.suppress(WebSocketDisconnect):
        await say(socket, json.dumps({"type": "error", **body.model_dump()}))
    await hang_up(socket, code=POLICY_VIOLATION, reason=problem.code)
