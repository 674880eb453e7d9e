"""GET /v1/events: the same stream as Server-Sent Events and as WebSocket."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, WebSocket, WebSocketDisconnect
from starlette.requests import HTTPConnection
from starlette.responses import StreamingResponse

from nexus.kit.fields import MOST_INT8
from nexus.kit.http import problems, provided
from nexus.kit.problems import InvalidField, NotSignedIn
from nexus.manager.access import Viewer
from nexus.manager.access.models import Actor
from nexus.manager.access.rules import identify
from nexus.manager.events.feed import feed
from nexus.manager.events.models import Wanted
from nexus.manager.events.tail import EventsCompacted, Tail

router = APIRouter(prefix="/v1/events", tags=["events"])

SEND_TIMEOUT_S = 30
CLOSE_TRY_AGAIN = 1013
"""RFC 6455's registry: the server is closing the connection, come back later."""

EventTail = Annotated[Tail, provided(Tail)]
Seq = Annotated[
    int | None, Query(ge=0, le=MOST_INT8, description="Tell what came after this number; default: from now")
]
Types = Annotated[
    list[str] | None, Query(max_length=32, description="Only these types; one that ends in a dot is a prefix (`vm.`)")
]
Kind = Annotated[str | None, Query(max_length=32, description="Only what happened to objects of this kind")]
SubjectId = Annotated[UUID | None, Query(description="Only what happened to this object")]


@router.get(
    "",
    response_class=StreamingResponse,
    responses={
        **problems(NotSignedIn, EventsCompacted, InvalidField),
        200: {
            "description": "Server-Sent Events: `id` is the number, `event` the type, `data` an EventBody or a Marker",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
    },
)
async def stream_events(
    connection: HTTPConnection,
    actor: Viewer,
    tail: EventTail,
    since: Seq = None,
    type: Types = None,
    subject_kind: Kind = None,
    subject_id: SubjectId = None,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=MOST_INT8, description="As `since`; sent by browsers on reconnect")
    ] = None,
) -> StreamingResponse:
    """Follow what happens, as Server-Sent Events; the same path speaks WebSocket (one JSON text message an event).

    Begins with a `hello` marker that says from where; nothing is lost across a reconnect with `since`. A position the
    log no longer holds is 410: list again, then follow."""
    position = await tail.position(since if since is not None else last_event_id)
    wanted = Wanted(tuple(type or ()), subject_kind, subject_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _as_sse(connection, tail, position, wanted), media_type="text/event-stream", headers=headers
    )


@router.websocket("")
async def watch_events(
    socket: WebSocket,
    actor: Viewer,
    tail: EventTail,
    since: Seq = None,
    type: Types = None,
    subject_kind: Kind = None,
    subject_id: SubjectId = None,
) -> None:
    """The same over WebSocket: markers and events as JSON text messages. Closed with 1013 when told `dropped`."""
    position = await tail.position(since)
    wanted = Wanted(tuple(type or ()), subject_kind, subject_id)
    await socket.accept()
    sending = asyncio.create_task(_send_all(socket, tail, position, wanted))
    hearing = asyncio.create_task(_until_closed(socket))
    done, pending = await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait({sending, hearing})
    if sending in done and sending.result():
        # only now: granian does not close a socket that somebody is still reading from
        await socket.close(CLOSE_TRY_AGAIN, "dropped")


async def _as_sse(connection: HTTPConnection, tail: Tail, position: int, wanted: Wanted) -> AsyncGenerator[str]:
    async with aclosing(feed(tail, since=position, wanted=wanted, whoami=lambda: _whoami(connection))) as told:
        async for item in told:
            yield f"id: {item.seq}\nevent: {item.type}\ndata: {item.model_dump_json()}\n\n"


async def _send_all(socket: WebSocket, tail: Tail, position: int, wanted: Wanted) -> bool:
    """Whether the client is still there to be told that this is the end."""
    async with aclosing(feed(tail, since=position, wanted=wanted, whoami=lambda: _whoami(socket))) as told:
        async for item in told:
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await socket.send_text(item.model_dump_json())
            except TimeoutError:
                return True
            except WebSocketDisconnect:
                return False
    return True


async def _until_closed(socket: WebSocket) -> None:
    """Read (and ignore) what the client says, to notice when it goes."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _whoami(connection: HTTPConnection) -> Actor | None:
    return await identify(connection)
