"""Snapshots of this host's machines."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nexus.agent.api.routes import answer, json_body, machine_id
from nexus.agent.snapshots.registry import SnapshotRegistry
from nexus.kit import log
from nexus.protocol.snapshots import SnapshotWish


class SnapshotRoutes:
    def __init__(self, snapshots: SnapshotRegistry) -> None:
        self._snapshots = snapshots

    async def take(self, request: Request) -> Response:
        """Have it taken, or say how far that is."""
        wish = SnapshotWish.model_validate_json(await json_body(request))
        return answer(self._snapshots.ensure(machine_id(request), _snapshot_id(request), wish))

    async def list(self, _request: Request) -> Response:
        return JSONResponse({"items": [seen.model_dump(mode="json") for seen in self._snapshots.list()]})

    async def see(self, request: Request) -> Response:
        return answer(self._snapshots.seen(_snapshot_id(request)))

    async def discard(self, request: Request) -> Response:
        await self._snapshots.discard(_snapshot_id(request))
        return JSONResponse({"ok": True})


def _snapshot_id(request: Request) -> UUID:
    snapshot: UUID = request.path_params["snapshot"]
    log.bind(snapshot_id=str(snapshot))
    return snapshot
