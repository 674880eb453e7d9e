"""How a bulk is gone through: each VM wished for in a transaction of its own, then all of them followed to their end.

One VM a transaction, because what a verb locks (the machine, then the room of all hosts) must not be held for another
machine; and what is wished and that it was wished commit together, so that none is asked twice.
"""

from uuid import UUID

from nexus.kit.db import Tx
from nexus.kit.problems import Problem
from nexus.manager.bulks import repository
from nexus.manager.bulks.errors import BulkIncomplete, NotInTime, OwnerGone
from nexus.manager.bulks.models import FLOW, Bulk, ItemStatus, Turn
from nexus.manager.flows import Flow, Next, finish, hop, in_tx, nap
from nexus.manager.operations import Operations
from nexus.manager.operations.errors import Superseded
from nexus.manager.vms.service import Vms
from nexus.protocol.trouble import Refused

LOOK_AGAIN_S = 0.5
"""How often items that run are looked at."""
BREATH = 100
"""After so many items in a row the flow lets others have their turn."""


class BulkFlow(Flow[Bulk]):
    name = FLOW

    def __init__(self, vms: Vms, operations: Operations) -> None:
        self._vms = vms
        self._operations = operations

    async def load(self, tx: Tx, subject_id: UUID) -> Bulk | None:
        return await repository.lock(tx, subject_id)

    def decide(self, facts: Bulk) -> str | Next:
        if facts.waiting:
            return "wish"
        return "follow" if facts.running else "settle"

    @in_tx
    async def wish(self, tx: Tx, facts: Bulk) -> Next:
        """Ask for the verb on the next VM."""
        turn = await repository.next_turn(tx, facts.id)
        if turn is None:
            return hop()
        await self._ask(tx, facts, turn)
        if turn.position % BREATH == 0:
            await self._operations.progress(tx, facts.subject, generation=1, percent=facts.percent)
            return nap(0, "others have their turn")
        return hop()

    @in_tx
    async def follow(self, tx: Tx, facts: Bulk) -> Next:
        """See what has become of those that were asked."""
        superseded = Superseded("It gave way to a newer request before it was done.")
        await repository.follow(tx, facts.id, superseded=superseded)
        now = await repository.lock(tx, facts.id)
        if now is None or not now.running:
            return hop()
        await self._operations.progress(tx, facts.subject, generation=1, percent=now.percent)
        return nap(LOOK_AGAIN_S, f"{now.running} of {now.total} are under way")

    @in_tx
    async def settle(self, tx: Tx, facts: Bulk) -> Next:
        """All are over: keep the promise, or say how many did not."""
        problem = BulkIncomplete(facts, failed=facts.failed) if facts.failed else None
        await self._operations.settle(tx, facts.subject, generation=1, problem=problem)
        return finish()

    async def refused(self, tx: Tx, facts: Bulk, step: str, error: Refused) -> Next:
        raise AssertionError("a bulk asks no agent") from error

    async def overdue(self, tx: Tx, facts: Bulk) -> Next:
        """The promise is broken; what was asked for is gone on with."""
        await self._operations.settle(tx, facts.subject, generation=1, problem=NotInTime(facts))
        return hop()

    async def _ask(self, tx: Tx, bulk: Bulk, turn: Turn) -> None:
        try:
            if bulk.actor is None:
                raise OwnerGone
            verb = bulk.verb.verb
            operation = await self._vms.bring(tx, bulk.actor, turn.vm_id, verb, grace_s=bulk.grace_s)
        except Problem as refused:  # before anything was changed: verbs check first
            await repository.note(tx, bulk.id, turn.position, ItemStatus.FAILED, problem=refused)
            return
        if operation is None:
            await repository.note(tx, bulk.id, turn.position, ItemStatus.UNCHANGED)
            return
        await repository.note(tx, bulk.id, turn.position, ItemStatus.RUNNING, operation_id=operation.id)
