"""Passes requests on to the agent inside a guest, and a session's frames over a WebSocket.

On the WebSocket each binary message is one frame: the type byte, then the payload. It is closed with 1000 after the
session's exit frame (or when a newer watcher took over), with 1013 when the guest channel was lost: the session lives
on, come again with an offset.
"""

import asyncio
import contextlib
from urllib.parse import quote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from nexus.agent.api.routes import byte_offset
from nexus.agent.guest.client import GuestClient
from nexus.agent.guest.session import SessionStream
from nexus.agent.machines.guest_link import LOST_PATIENCE_S, GuestLink
from nexus.agent.machines.registry import Machines
from nexus.kit import log
from nexus.protocol.guest import FRAME_TYPES, Frame
from nexus.protocol.machines import GuestPhase
from nexus.protocol.trouble import Gone, Refused, Retryable, Trouble, TroubleBody

REQUEST_TIMEOUT_S = 30.0
TRY_AGAIN_LATER = 1013
NORMAL = 1000
SENT_FRAMES = {FRAME_TYPES[frame]: frame for frame in (Frame.INPUT, Frame.RESIZE, Frame.END_OF_INPUT, Frame.ACK)}
STATUSES = range(200, 600)
"""Of final answers (RFC 9110, 15)."""
HANDED_ON = ("content-type", "nexus-offset")


class GuestProxy:
    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    async def forward(self, request: Request) -> Response:
        """The guest's own answer, whatever its status, if HTTP has one like it. Raises Gone, Retryable."""
        path = _below_v1(request.path_params["path"])
        query = f"?{request.url.query}" if request.url.query else ""
        headers = {name: request.headers[name] for name in ("content-type",) if name in request.headers}
        async with await self._client(request.path_params["machine"]) as guest:
            answer = await guest.request(
                request.method,
                path + query,
                content=await request.body(),
                headers=headers,
                timeout_s=REQUEST_TIMEOUT_S,
            )
        if answer.status not in STATUSES:
            raise Retryable("the guest's agent answered with a status that makes no sense")
        kept = {name: answer.headers[name] for name in HANDED_ON if name in answer.headers}
        return Response(answer.content, status_code=answer.status, headers=kept)

    async def stream(self, socket: WebSocket) -> None:
        log.bind(machine_id=str(socket.path_params["machine"]))
        try:
            offset = byte_offset(socket)
            async with (
                await self._client(socket.path_params["machine"]) as guest,
                guest.stream(socket.path_params["session"], offset=offset) as session,
            ):
                await socket.accept(headers=[(b"nexus-offset", str(session.offset).encode())])
                await _relay(socket, session)
        except Trouble as trouble:
            await refuse(socket, trouble)

    async def _client(self, machine: UUID) -> GuestClient:
        return (await self.link(machine)).client()

    async def link(self, machine: UUID) -> GuestLink:
        """The way to a guest that answers. Raises Gone for an unknown machine, Retryable for a guest that does not
        answer. One that was ready and whose channel is being found again is waited for."""
        found = self._machines.get(machine)
        is_expected = found.seen().guest is GuestPhase.READY
        if not found.link.is_ready and not (is_expected and await found.link.wait_ready(LOST_PATIENCE_S)):
            raise Retryable("the guest's agent is not there")
        return found.link


def _below_v1(path: str) -> str:
    """The guest's own address for it. Raises Gone for one that would lead out of the interface on the way."""
    if any(segment in ("", ".", "..") for segment in path.split("/")):
        raise Gone("the guest's agent has nothing there")
    return f"/v1/{quote(path)}"


async def _relay(socket: WebSocket, session: SessionStream) -> None:
    """Frames both ways until the session ends or the watcher leaves. Raises Retryable when the guest is lost."""
    to_guest = asyncio.create_task(_to_guest(socket, session))
    from_guest = asyncio.create_task(_from_guest(socket, session))
    try:
        done, _ = await asyncio.wait({to_guest, from_guest}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (to_guest, from_guest):
            task.cancel()
        await asyncio.gather(to_guest, from_guest, return_exceptions=True)


async def _to_guest(socket: WebSocket, session: SessionStream) -> None:
    """Until the watcher goes. A session that takes no more may still have something to say, its exit above all."""
    is_over = False
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            message = await socket.receive_bytes()
            frame = SENT_FRAMES.get(message[0]) if message else None
            if frame is not None and not is_over:
                is_over = not await _is_taken(session, frame, message[1:])


async def _is_taken(session: SessionStream, frame: Frame, payload: bytes) -> bool:
    try:
        await session.send(frame, payload)
    except Retryable:
        return False
    return True


async def _from_guest(socket: WebSocket, session: SessionStream) -> None:
    try:
        async for frame, payload in session:
            await socket.send_bytes(bytes([FRAME_TYPES[frame]]) + payload)
        await socket.close(NORMAL)
    except (WebSocketDisconnect, RuntimeError):
        return  # the watcher left in the middle of a send


async def refuse(socket: WebSocket, trouble: Trouble, *, code: int = TRY_AGAIN_LATER) -> None:
    """Before the handshake an HTTP answer, after it a close code."""
    if socket.application_state is WebSocketState.CONNECTED:
        with contextlib.suppress(RuntimeError):
            await socket.close(code, str(trouble)[:100])
        return
    status = 404 if isinstance(trouble, Gone) else 409 if isinstance(trouble, Refused) else 503
    await socket.send_denial_response(JSONResponse(TroubleBody(error=str(trouble)).model_dump(), status_code=status))
