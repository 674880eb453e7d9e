"""Asking for a bulk, and looking at it. It is recorded whole, in one transaction; the flow does it, item by item."""

from datetime import timedelta
from uuid import UUID

from nexus.kit.db import Db, Reader
from nexus.kit.envelopes import item_json
from nexus.kit.ids import new_id
from nexus.manager import audit, idempotency
from nexus.manager.access import Actor
from nexus.manager.bulks import repository
from nexus.manager.bulks.errors import BulkNotFound, BulkTooLarge
from nexus.manager.bulks.models import FLOW, MOST_ITEMS, subject_of
from nexus.manager.bulks.schemas import BulkBody, BulkDone, BulkFilter, BulkVms
from nexus.manager.flows import Flows
from nexus.manager.operations import Operation, Operations
from nexus.manager.sweeps import Sweep
from nexus.manager.vms.errors import VmNotFound
from nexus.manager.vms.listing import Wanted
from nexus.manager.vms.service import Vms

WITHIN = timedelta(minutes=30)
KEEP = timedelta(days=7)


class Bulks:
    def __init__(self, db: Db, vms: Vms, flows: Flows, operations: Operations) -> None:
        self._db = db
        self._vms = vms
        self._flows = flows
        self._operations = operations

    async def ask(self, actor: Actor, wanted: BulkVms) -> tuple[UUID, Operation]:
        """Record the bulk and promise that it will be gone through. Raises BulkTooLarge."""
        bulk_id = new_id()
        async with self._db.transaction() as tx:
            if wanted.filter is not None:
                meant = await self._vms.matching(tx, actor, _as_list(wanted.filter), limit=MOST_ITEMS + 1)
                if len(meant) > MOST_ITEMS:
                    raise BulkTooLarge
            else:
                meant = list(dict.fromkeys(wanted.ids or ()))
            verb, grace_s = wanted.verb, wanted.grace_s
            await repository.add(
                tx, bulk_id, actor=actor, verb=verb, grace_s=grace_s, vm_ids=meant, unknown=VmNotFound()
            )
            subject = subject_of(bulk_id, actor.project_id, len(meant))
            await audit.write(tx, actor, verb=verb, subject=subject, details={"vms": len(meant)})
            await self._flows.open(tx, flow=FLOW, subject=subject, within=WITHIN)
            operation = await self._operations.open(tx, subject, verb=verb, generation=1, actor=actor, within=WITHIN)
            bulk = BulkBody.model_validate_json(await _find(tx, actor, bulk_id))
            await idempotency.keep(tx, BulkDone(operation_id=operation.id, bulk=bulk))
        return bulk_id, operation

    async def get(self, actor: Actor, bulk_id: UUID) -> bytes:
        """The answer `{"item": …}`. Raises BulkNotFound."""
        return item_json(await _find(self._db, actor, bulk_id))

    async def body(self, actor: Actor, bulk_id: UUID) -> BulkBody:
        """Raises BulkNotFound."""
        return BulkBody.model_validate_json(await _find(self._db, actor, bulk_id))


async def _find(reader: Reader, actor: Actor, bulk_id: UUID) -> str:
    item = await repository.find_json(reader, bulk_id, actor=actor)
    if item is None:
        raise BulkNotFound
    return item


def _as_list(meant: BulkFilter) -> Wanted:
    return Wanted(q=meant.q, states=meant.state, tags=meant.tag)


def expiry(db: Db) -> Sweep:
    """Forgets bulks, with their operations."""

    async def run() -> int:
        return await repository.forget(db, keep=KEEP)

    return Sweep("bulks", timedelta(minutes=30), run)
