"""Snapshots of this host's machines."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from uuid import UUID

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from nexus.agent.api.routes import answer, json_body, machine_id
from nexus.agent.snapshots.exporting import Export
from nexus.agent.snapshots.registry import SnapshotRegistry
from nexus.agent.snapshots.transfers import Transfers
from nexus.kit import log
from nexus.kit.streaming import ByteStream, StreamBroken, arriving
from nexus.protocol.archives import MEDIA_TYPE
from nexus.protocol.snapshots import SnapshotWish

WAITING_S = 4 * 3600.0
"""How long the manager may read nothing: it has images to send first, and watches whoever reads."""


def is_archive(scope: Scope) -> bool:
    """Whether a request brings a snapshot, which is as long as it is: what of it is taken, `receive` bounds."""
    parts = scope["path"].split("/")
    is_one = scope["method"] == "PUT" and len(parts) == 4 and parts[:3] == ["", "v1", "snapshots"]
    return is_one and Headers(scope=scope).get("content-type") == MEDIA_TYPE


class SnapshotRoutes:
    def __init__(self, snapshots: SnapshotRegistry, transfers: Transfers) -> None:
        self._snapshots = snapshots
        self._transfers = transfers

    async def take(self, request: Request) -> Response:
        """Have it taken, or say how far that is."""
        wish = SnapshotWish.model_validate_json(await json_body(request))
        return answer(await self._snapshots.take(machine_id(request), _snapshot_id(request), wish))

    async def list(self, _request: Request) -> Response:
        return JSONResponse({"items": [seen.model_dump(mode="json") for seen in self._snapshots.list()]})

    async def see(self, request: Request) -> Response:
        return answer(self._snapshots.seen(_snapshot_id(request)))

    async def export(self, request: Request) -> Response:
        """Its part of an archive (protocol.archives): manifest and files."""
        async with AsyncExitStack() as opened:
            export = await opened.enter_async_context(self._transfers.export(_snapshot_id(request)))
            close = opened.pop_all().aclose
            return ByteStream(
                _pieces(export), length=export.length, close=close, media_type=MEDIA_TYPE, stalled_s=WAITING_S
            )
        raise AssertionError("an export does not end before it has begun")

    async def receive(self, request: Request) -> Response:
        """Have the snapshot of such a part, with the manager's wish before it."""
        return answer(await self._transfers.receive(_snapshot_id(request), arriving(request)))

    async def discard(self, request: Request) -> Response:
        await self._snapshots.discard(_snapshot_id(request))
        return JSONResponse({"ok": True})


def _snapshot_id(request: Request) -> UUID:
    snapshot: UUID = request.path_params["snapshot"]
    log.bind(snapshot_id=str(snapshot))
    return snapshot


async def _pieces(export: Export) -> AsyncGenerator[bytes]:
    try:
        async for piece in export.pieces():
            yield piece
    except OSError as unreadable:
        raise StreamBroken(f"the snapshot cannot be read: {unreadable}") from unreadable
