"""HTTP for archives of snapshots: one that goes out, one that comes in."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from nexus.kit.http import UnsupportedMediaType, problems, provided
from nexus.kit.streaming import ByteStream, arriving
from nexus.manager.access import Operator
from nexus.manager.agents.troubles import PASSED_ON
from nexus.manager.hosts.errors import HostNotFound, NoRoom
from nexus.manager.images.errors import ImageNotFound
from nexus.manager.operations import Created, Operations, Wait
from nexus.manager.operations.errors import Superseded
from nexus.manager.snapshots.errors import (
    ArchiveRefused,
    ImagesMissing,
    ImportNeedsAdmin,
    ImportRefused,
    SnapshotFailed,
    SnapshotFitsNoHost,
    SnapshotNameTaken,
    SnapshotNotFound,
    SnapshotOverdue,
    SnapshotStateConflict,
    TooManyTransfers,
)
from nexus.manager.snapshots.exporting import Exports
from nexus.manager.snapshots.importing import Imports, WantedImport
from nexus.manager.snapshots.models import SnapshotName
from nexus.protocol.archives import MEDIA_TYPE

router = APIRouter(prefix="/v1/snapshots", tags=["snapshots"])

_BYTES = {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}
_ADMITTING = (
    ArchiveRefused,
    ImportNeedsAdmin,
    ImagesMissing,
    SnapshotNameTaken,
    SnapshotFitsNoHost,
    HostNotFound,
    NoRoom,
)
_TAKEN_IN = (ImportRefused, SnapshotFailed, SnapshotOverdue, Superseded, TooManyTransfers, UnsupportedMediaType)


@router.get(
    "/{snapshot_id}/export",
    response_class=Response,
    responses={
        **problems(
            *(SnapshotNotFound, SnapshotStateConflict, SnapshotFailed, ImageNotFound, TooManyTransfers), *PASSED_ON
        ),
        200: {"description": "The archive; its length is told", "content": _BYTES},
    },
)
async def export_snapshot(
    snapshot_id: UUID, actor: Operator, exports: Annotated[Exports, provided(Exports)]
) -> Response:
    """A snapshot as one archive (tar), to be kept elsewhere or imported into another platform. One of the type Diff is
    exported as a full one.

    It holds what the VM held: its disks, its memory if it was on, and with those whatever passwords and keys were in
    it; besides, its configuration with user-data and metadata, and the images it cannot do without. Until all of it is
    sent, the snapshot cannot be deleted. It is whole if its length is what `Content-Length` said and its last member,
    `end.json`, has the digest of all that stands before it."""
    archive = await exports.open(actor, snapshot_id)
    return ByteStream(
        archive.pieces,
        length=archive.length,
        close=archive.opened.aclose,
        media_type=MEDIA_TYPE,
        headers={
            "Content-Disposition": f'attachment; filename="{archive.name}.tar"',
            "Cache-Control": "no-store",
        },
    )


@router.post(
    "/import",
    responses=problems(*_ADMITTING, *_TAKEN_IN),
    openapi_extra={
        "requestBody": {"required": True, "description": "An archive as export gives it", "content": _BYTES}
    },
)
async def import_snapshot(
    request: Request,
    actor: Operator,
    imports: Annotated[Imports, provided(Imports)],
    operations: Annotated[Operations, provided(Operations)],
    name: Annotated[
        SnapshotName | None,
        Query(description="What it is to be called; without it, as in the archive, with a number where that is taken"),
    ] = None,
    host_id: Annotated[UUID | None, Query(description="The host that is to have it; without it, one that fits")] = None,
    wait: Wait = None,
) -> Created:
    """Make a snapshot of an archive, which is the body as it is (no multipart). It is taken in as it comes, and the
    answer is given when all of it is there; meanwhile the snapshot is in the list, `creating`, and its operation says
    how far it is.

    Images that the archive holds and that are not here become images. One with memory goes to a host with the very
    hypervisor that it is of. Archives with memory or new images take an administrator: hypervisors trust what they are
    to go on from. `Idempotency-Key` is refused."""
    if request.headers.get("content-type") != MEDIA_TYPE:
        raise UnsupportedMediaType(
            f"Content-Type: an archive is {MEDIA_TYPE}.", suggestion="Send the file itself, with that header."
        )
    snapshot_id, operation = await imports.receive(actor, WantedImport(name=name, host_id=host_id), arriving(request))
    return await operations.created(snapshot_id, operation, wait=wait)
