"""HTTP for bulks. The paths are those of VMs."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from nexus.kit.envelopes import Json
from nexus.kit.http import problems, provided
from nexus.manager.access import Operator, Viewer
from nexus.manager.bulks.errors import BulkNotFound, BulkTooLarge
from nexus.manager.bulks.schemas import BulkDone, BulkItem, BulkVms
from nexus.manager.bulks.service import Bulks
from nexus.manager.operations import OperationBody, Operations, Wait

router = APIRouter(prefix="/v1/vms/bulk", tags=["vms"])

Service = Annotated[Bulks, provided(Bulks)]


@router.post("", responses=problems(BulkTooLarge))
async def bulk_vms(
    wanted: BulkVms,
    actor: Operator,
    bulks: Service,
    operations: Annotated[Operations, provided(Operations)],
    wait: Wait = None,
) -> BulkDone:
    """Start, stop, pause, resume or delete many VMs, by ids or by filter.

    Each is asked for as if alone: one that is refused keeps none of the others. A VM that is already where the verb
    leads is left alone and counts as `unchanged`. The operation ends when all have; it has failed if any has."""
    bulk_id, operation = await bulks.ask(actor, wanted)
    ended = None if wait is None else await operations.wait(operation.id, seconds=wait)
    return BulkDone(
        operation_id=operation.id,
        operation=OperationBody.of(ended) if ended else None,
        status=ended.status if ended else None,
        bulk=await bulks.body(actor, bulk_id),
    )


@router.get("/{bulk_id}", response_model=BulkItem, responses=problems(BulkNotFound))
async def get_bulk_vms(bulk_id: UUID, actor: Viewer, bulks: Service) -> Response:
    """A bulk, and what has become of each VM. Bulks are kept for a week."""
    return Json(await bulks.get(actor, bulk_id))
