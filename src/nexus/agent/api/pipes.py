"""Pipes into guests over WebSockets: a port of the guest, files out of it and into it.

On the WebSocket binary messages are bytes and the text message `end` says, in either direction, that no more will come.
It is closed with 1000 when both directions have ended, and with 1011 when one was cut: whoever is at the other end must
not take a cut for an end.
"""

import asyncio
import contextlib
from typing import NoReturn
from urllib.parse import urlencode

from starlette.websockets import WebSocket, WebSocketDisconnect

from nexus.agent.api.guest_proxy import GuestProxy, refuse
from nexus.agent.guest.pipe import PipeStream, open_pipe
from nexus.kit import log
from nexus.kit.sockets import until_closed
from nexus.protocol.guest import Pipe
from nexus.protocol.trouble import Gone, Trouble

CUT = 1011
"""RFC 6455: what was asked for came to an unexpected end."""
END = "end"
_ASKED = {Pipe.PORT: ("port",), Pipe.PULL: ("path",), Pipe.PUSH: ("path", "user")}


class Pipes:
    def __init__(self, guests: GuestProxy) -> None:
        self._guests = guests

    async def serve(self, socket: WebSocket) -> None:
        log.bind(machine_id=str(socket.path_params["machine"]))
        try:
            pipe = _pipe(socket.path_params["pipe"])
            asked = {name: socket.query_params[name] for name in _ASKED[pipe] if name in socket.query_params}
            link = await self._guests.link(socket.path_params["machine"])
            async with open_pipe(link.stream(), pipe, query=urlencode(asked)) as stream:
                await socket.accept()
                await _relay(socket, stream)
        except Trouble as trouble:
            await refuse(socket, trouble, code=CUT)


def _pipe(name: str) -> Pipe:
    try:
        return Pipe(name)
    except ValueError:
        raise Gone("the guest's agent has nothing there") from None


async def _relay(socket: WebSocket, stream: PipeStream) -> None:
    """Both ways, until both have ended, the manager has left, or one direction was cut."""
    ended = asyncio.Event()
    to_guest = asyncio.create_task(_to_guest(socket, stream, ended))
    from_guest = asyncio.create_task(_from_guest(socket, stream, ended))
    try:
        done, _ = await asyncio.wait({to_guest, from_guest}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        with contextlib.suppress(RuntimeError):
            await socket.close()
    except (WebSocketDisconnect, RuntimeError):
        return  # the manager has gone; what is left of the pipe goes with it
    finally:
        for task in (to_guest, from_guest):
            task.cancel()
        await asyncio.gather(to_guest, from_guest, return_exceptions=True)


async def _to_guest(socket: WebSocket, stream: PipeStream, ended: asyncio.Event) -> NoReturn:
    """`ended` when the manager has said `end`, or the guest takes no more. Raises WebSocketDisconnect when the manager
    goes, however long after that: the guest may never end."""
    while not ended.is_set():
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        if (data := message.get("bytes")) is None:
            stream.end()
            ended.set()
        elif not await stream.send(data):
            ended.set()
    await until_closed(socket)
    raise WebSocketDisconnect


async def _from_guest(socket: WebSocket, stream: PipeStream, ended: asyncio.Event) -> None:
    """Until both directions have ended."""
    while data := await stream.receive():
        await socket.send_bytes(data)
    await socket.send_text(END)
    await ended.wait()
