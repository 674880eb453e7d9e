"""Ports and files of guests: `forward/ws`, `files/ws` and `files`. Bytes pass through, and nothing of them is kept.

Each goes over the guest's own channel: it needs neither a network of the guest's nor a right on the host.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from pydantic import StringConstraints
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from nexus.kit.http import problems, provided
from nexus.kit.problems import Problem
from nexus.kit.sockets import say
from nexus.manager.access import Actor, Operator
from nexus.manager.agents.pipes import PipeStream
from nexus.manager.agents.troubles import PASSED_ON
from nexus.manager.labels import UserName
from nexus.manager.vms.errors import VmLost, VmNotFound, VmStateConflict
from nexus.manager.vms.guest import Guests, Reached, told
from nexus.manager.vms.lifecycle import Verb, wording
from nexus.manager.vms.piping import PipeRelay, Push
from nexus.manager.vms.relay import refuse
from nexus.protocol.guest import Pipe

router = APIRouter(prefix="/v1/vms/{vm_id}", tags=["vms"])

RECORD_EVERY_S = 300
_MOST_RECORDED = 10_000

GuestService = Annotated[Guests, provided(Guests)]
GuestPath = Annotated[
    str,
    StringConstraints(pattern=r"^/[^\x00]*$", max_length=4096),
    Query(description="An absolute path in the guest"),
]


class Forwards:
    """Who uses which port is on record, but not every connection of a browser: once in RECORD_EVERY_S seconds."""

    def __init__(self, guests: Guests) -> None:
        self._guests = guests
        self._recorded: OrderedDict[tuple[UUID, UUID, int], float] = OrderedDict()

    async def record(self, actor: Actor, reached: Reached, port: int) -> None:
        key, now = (actor.user_id, reached.vm.id, port), asyncio.get_running_loop().time()
        if now - self._recorded.get(key, -RECORD_EVERY_S) < RECORD_EVERY_S:
            return
        self._recorded[key] = now
        self._recorded.move_to_end(key)
        while len(self._recorded) > _MOST_RECORDED:
            self._recorded.popitem(last=False)
        await self._guests.record(actor, reached.vm, Verb.FORWARD, {"port": port})


@router.websocket("/forward/ws")
async def forward_ws(
    socket: WebSocket,
    vm_id: UUID,
    actor: Operator,
    guests: GuestService,
    forwards: Annotated[Forwards, provided(Forwards)],
    port: Annotated[int, Query(ge=1, le=65535, description="A TCP port on the guest's loopback")],
) -> None:
    """One connection to a port of the guest. Binary messages are bytes; `{"type":"open"}` comes first, `{"type":"end"}`
    ends a direction."""
    await socket.accept()
    try:
        reached = await guests.reach(actor, vm_id, verb=Verb.FORWARD)
        await forwards.record(actor, reached, port)
        wish = wording(Verb.FORWARD, reached.vm.name)
        async with _opened(reached, Pipe.PORT, {"port": str(port)}, wish) as pipe:
            await say(socket, json.dumps({"type": "open"}))
            await PipeRelay(socket, pipe).run()
    except Problem as problem:
        await refuse(socket, problem)
    except WebSocketDisconnect:
        return


@router.websocket("/files/ws")
async def files_ws(
    socket: WebSocket,
    vm_id: UUID,
    actor: Operator,
    guests: GuestService,
    path: GuestPath,
    username: Annotated[UserName | None, Query(description="Whose the files will be; default: the VM's user")] = None,
) -> None:
    """Copy files into the guest: binary messages are a tar archive, `{"type":"end"}` ends it; the answer is
    `{"type":"unpacked","files","bytes"}`."""
    await socket.accept()
    try:
        reached = await guests.reach(actor, vm_id, verb=Verb.COPY_FILES)
        await guests.record(actor, reached.vm, Verb.COPY_FILES, {"to": path})
        asked = {"path": path} | ({"user": username} if username else {})
        wish = f"copy files to {reached.vm.name}"
        async with _opened(reached, Pipe.PUSH, asked, wish) as pipe:
            await say(socket, json.dumps({"type": "open"}))
            await Push(socket, pipe, wish=wish).run()
    except Problem as problem:
        await refuse(socket, problem)
    except WebSocketDisconnect:
        return


@router.get(
    "/files",
    response_class=Response,
    responses={
        **problems(VmNotFound, VmLost, VmStateConflict, *PASSED_ON),
        200: {
            "description": "A tar archive. One that could not be finished lacks the end of an archive, and says why "
            "in a pax record `NEXUS.error`",
            "content": {"application/x-tar": {"schema": {"type": "string", "format": "binary"}}},
        },
    },
)
async def get_files(vm_id: UUID, actor: Operator, guests: GuestService, path: GuestPath) -> Response:
    """A file or directory of the guest, with modes, links and times, as a tar archive. Other file systems that are
    mounted below it are left out."""
    reached = await guests.reach(actor, vm_id, verb=Verb.COPY_FILES)
    await guests.record(actor, reached.vm, Verb.COPY_FILES, {"from": path})
    opening = _opened(reached, Pipe.PULL, {"path": path}, wording(Verb.COPY_FILES, reached.vm.name))
    return _Archive(opening, pipe=await opening.__aenter__())


class _opened(AbstractAsyncContextManager[PipeStream]):  # noqa: N801 - used as one uses a function
    """A pipe whose opening may be refused with a Problem. What happens to it afterwards is its user's to tell."""

    def __init__(self, reached: Reached, pipe: Pipe, asked: dict[str, str], wish: str) -> None:
        self._context = reached.agent.pipe(reached.vm.machine.id, pipe, asked)
        self._wish = wish

    async def __aenter__(self) -> PipeStream:
        async with told(self._wish):
            return await self._context.__aenter__()

    async def __aexit__(self, *error: Any) -> bool | None:
        return await self._context.__aexit__(*error)


class _Archive(StreamingResponse):
    """Closes the pipe whatever becomes of the answer. A pipe that was cut breaks the answer off."""

    def __init__(self, opening: AbstractAsyncContextManager[PipeStream], *, pipe: PipeStream) -> None:
        super().__init__(self._content(pipe), media_type="application/x-tar", headers={"Cache-Control": "no-store"})
        self._opening = opening

    async def _content(self, pipe: PipeStream) -> AsyncGenerator[bytes]:
        while data := await pipe.receive():
            yield data

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._opening.__aexit__(None, None, None)
