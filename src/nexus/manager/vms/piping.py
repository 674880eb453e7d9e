"""A client's WebSocket joined to a pipe into a guest.

On the WebSocket binary messages are bytes, and `{"type": "end"}` says in either direction that no more will come. What
breaks off without it was cut: it is closed with 1011, and no client may take that for an end.
"""

import asyncio
import json
from typing import NoReturn

from fastapi import WebSocket, WebSocketDisconnect

from nexus.kit.problems import InvalidField
from nexus.kit.sockets import hang_up, say, until_closed
from nexus.manager.agents.pipes import PipeStream
from nexus.manager.vms.guest import told
from nexus.protocol.guest import Unpacked
from nexus.protocol.trouble import Refused, Retryable

CUT = 1011
"""RFC 6455: an unexpected end."""
END = json.dumps({"type": "end"})
MOST_ANSWER_BYTES = 64 << 10
"""Of what a guest says became of files."""
NO_ANSWER = "the guest did not say what became of the files"


class PipeRelay:
    """A client's WebSocket and a pipe, both ways; each direction ends by itself."""

    def __init__(self, socket: WebSocket, pipe: PipeStream) -> None:
        self._socket = socket
        self._pipe = pipe
        self._ended = asyncio.Event()
        """The client has said all that it had to say."""

    async def run(self) -> None:
        """Until both directions have ended. Raises WebSocketDisconnect when the client has gone."""
        hearing, telling = asyncio.create_task(self._hear()), asyncio.create_task(self._tell())
        try:
            done, _ = await asyncio.wait({hearing, telling}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await hang_up(self._socket, hearing=hearing)
        except Retryable as cut:
            await hang_up(self._socket, hearing=hearing, code=CUT, reason=str(cut))
        finally:
            for task in (hearing, telling):
                task.cancel()
            await asyncio.gather(hearing, telling, return_exceptions=True)

    async def _hear(self) -> NoReturn:
        while (data := await _heard(self._socket)) is not None:
            await self._pipe.send(data)
        await self._pipe.end()
        self._ended.set()
        await until_closed(self._socket)
        raise WebSocketDisconnect  # the guest may never end its part

    async def _tell(self) -> None:
        while data := await self._pipe.receive():
            await say(self._socket, data)
        await say(self._socket, END)
        await self._ended.wait()


class Push:
    """A client's archive into a pipe, until it has ended or the guest has had enough; then what became of it."""

    def __init__(self, socket: WebSocket, pipe: PipeStream, *, wish: str) -> None:
        self._socket = socket
        self._pipe = pipe
        self._wish = wish

    async def run(self) -> None:
        hearing, answering = asyncio.create_task(self._hear()), asyncio.create_task(self._answer())
        try:
            await asyncio.wait({hearing, answering}, return_when=asyncio.FIRST_COMPLETED)
            if hearing.done() and not answering.done():
                hearing.result()
            async with told(self._wish):
                unpacked = await answering
                if unpacked.error is not None:
                    raise Refused(f"{unpacked.error} ({unpacked.files} entries were written before that)")
            await say(self._socket, json.dumps({"type": "unpacked", "files": unpacked.files, "bytes": unpacked.bytes}))
            await hang_up(self._socket, hearing=hearing)
        finally:
            for task in (hearing, answering):
                task.cancel()
            await asyncio.gather(hearing, answering, return_exceptions=True)

    async def _hear(self) -> None:
        try:
            while (data := await _heard(self._socket)) is not None:
                await self._pipe.send(data)
            await self._pipe.end()
        except Retryable:
            return  # whoever waits for the answer meets that too, or has the reason

    async def _answer(self) -> Unpacked:
        said = b""
        while data := await self._pipe.receive():
            said += data
            if len(said) > MOST_ANSWER_BYTES:
                raise Retryable(NO_ANSWER)
        try:
            return Unpacked.model_validate_json(said)
        except ValueError as unfit:
            raise Retryable(NO_ANSWER) from unfit


async def _heard(socket: WebSocket) -> bytes | None:
    """What a client sends; None at the end of it. Raises WebSocketDisconnect, InvalidField for what is neither."""
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        if data := message.get("bytes"):
            return bytes(data)
        if text := message.get("text"):
            if _is_end(text):
                return None
            raise InvalidField('A text message must be {"type": "end"}.')


def _is_end(text: str) -> bool:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return said == {"type": "end"}
