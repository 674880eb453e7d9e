"""HTTP for metrics: what hosts send, history, and the stream for lists."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, WebSocket, WebSocketDisconnect
from pydantic import AwareDatetime
from starlette.requests import HTTPConnection
from starlette.responses import StreamingResponse

from nexus.kit.envelopes import Json
from nexus.kit.http import problems, provided
from nexus.kit.problems import NotAllowed
from nexus.kit.sockets import hang_up, say, until_closed
from nexus.manager.access import HostAgent, Viewer
from nexus.manager.access.models import Actor
from nexus.manager.access.rules import identify
from nexus.manager.hosts.errors import HostNotFound
from nexus.manager.metrics.errors import MetricsDisabled, NoSuchSpan
from nexus.manager.metrics.feed import UsageFeed
from nexus.manager.metrics.schemas import HistoryBody
from nexus.manager.metrics.service import Metrics
from nexus.manager.vms.errors import VmNotFound
from nexus.protocol.metrics import SampleAnswer, SampleReport

router = APIRouter()

SEND_TIMEOUT_S = 30
MOST_VMS = 500
TRY_AGAIN_LATER = 1013
"""RFC 6455's registry."""

Service = Annotated[Metrics, provided(Metrics)]
Feed = Annotated[UsageFeed, provided(UsageFeed)]
Since = Annotated[AwareDatetime | None, Query(alias="from", description="From when; default: an hour before `to`")]
To = Annotated[AwareDatetime | None, Query(description="To when; default: now")]
Step = Annotated[
    int | None, Query(ge=1, le=366 * 86400, description="Seconds from point to point, at least; default: as few as fit")
]
VmIds = Annotated[
    list[UUID] | None, Query(alias="vm", max_length=MOST_VMS, description="Only these VMs; repeatable. Default: all")
]


@router.post("/v1/hosts/{host_id}/samples", tags=["hosts"], responses=problems(NotAllowed))
async def take_samples(host_id: UUID, report: SampleReport, host: HostAgent, metrics: Service) -> SampleAnswer:
    """For agents: tell what machines and the host use, learn how often that is wanted."""
    if host != host_id:
        raise NotAllowed("This credential belongs to another host.")
    return await metrics.take_in(host_id, report)


@router.get(
    "/v1/metrics/vms/{vm_id}", tags=["metrics"], response_model=HistoryBody, responses=problems(VmNotFound, NoSuchSpan)
)
async def get_vm_metrics(
    vm_id: UUID, actor: Viewer, metrics: Service, since: Since = None, to: To = None, step: Step = None
) -> Response:
    """What a VM used over time, in at most 1,000 points. Steps are whole minutes, or quarters of an hour where minutes
    are not kept any more; steps in which nothing was measured have no point."""
    return Json(await metrics.of_vm(actor, vm_id, metrics.cut(since, to, step)))


@router.get(
    "/v1/metrics/hosts/{host_id}",
    tags=["metrics"],
    response_model=HistoryBody,
    responses=problems(HostNotFound, NoSuchSpan),
)
async def get_host_metrics(
    host_id: UUID, actor: Viewer, metrics: Service, since: Since = None, to: To = None, step: Step = None
) -> Response:
    """What a host used over time, everything on it together; as for VMs."""
    return Json(await metrics.of_host(host_id, metrics.cut(since, to, step)))


@router.get(
    "/v1/metrics/stream",
    tags=["metrics"],
    response_class=StreamingResponse,
    responses={
        **problems(MetricsDisabled),
        200: {
            "description": "Server-Sent Events: `event` is usage, heartbeat or dropped; `data` the message",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
    },
)
async def stream_metrics(connection: HTTPConnection, actor: Viewer, feed: Feed, vm: VmIds = None) -> StreamingResponse:
    """Follow the last samples of VMs, as Server-Sent Events; the same path speaks WebSocket (one JSON text a message).

    First what is known now, then what hosts send, every ten seconds or so for each VM that runs:
    `{"type": "usage", "items": [{"vm_id": …, …}]}` with the fields of a listed VM's `usage`."""
    feed.require()
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_as_sse(connection, feed, vm or ()), media_type="text/event-stream", headers=headers)


@router.websocket("/v1/metrics/stream")
async def watch_metrics(socket: WebSocket, actor: Viewer, feed: Feed, vm: VmIds = None) -> None:
    """The same over WebSocket. Closed with 1013 after `dropped`."""
    feed.require()
    await socket.accept()
    hearing = asyncio.create_task(until_closed(socket))
    telling = asyncio.create_task(_tell(socket, feed, vm or ()))
    try:
        await asyncio.wait({hearing, telling}, return_when=asyncio.FIRST_COMPLETED)
        if telling.done() and not hearing.done():
            telling.result()
            await hang_up(socket, hearing=hearing, code=TRY_AGAIN_LATER, reason="dropped")
    finally:
        for task in (hearing, telling):
            task.cancel()
        await asyncio.gather(hearing, telling, return_exceptions=True)


async def _tell(socket: WebSocket, feed: UsageFeed, vm_ids: list[UUID] | tuple[()]) -> None:
    async with aclosing(feed.follow(vm_ids, whoami=lambda: _whoami(socket))) as messages:
        async for message in messages:
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await say(socket, json.dumps(message))
            except (TimeoutError, WebSocketDisconnect):
                return


async def _as_sse(connection: HTTPConnection, feed: UsageFeed, vm_ids: list[UUID] | tuple[()]) -> AsyncGenerator[str]:
    async with aclosing(feed.follow(vm_ids, whoami=lambda: _whoami(connection))) as messages:
        async for message in messages:
            yield f"event: {message['type']}\ndata: {json.dumps(message)}\n\n"


async def _whoami(connection: HTTPConnection) -> Actor | None:
    return await identify(connection)
