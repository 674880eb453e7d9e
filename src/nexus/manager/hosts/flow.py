"""How a host is emptied: tell every VM on it to stop, see what becomes of each, and say so.

A VM's own flow stops it, under a promise of its own; this one only watches. What it knows stands in the drain's
operation, where users read it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from nexus.kit.db import Tx
from nexus.kit.problems import Problem
from nexus.manager import audit, events
from nexus.manager.flows import Flow, Next, finish, hop, in_tx, nap
from nexus.manager.hosts import draining
from nexus.manager.hosts.draining import Drain, Entry, Occupants, Outcome, Survey, survey
from nexus.manager.hosts.errors import HostNotDrained
from nexus.manager.hosts.models import FLOW
from nexus.manager.operations import Operations
from nexus.protocol.trouble import Refused

LOOK_AGAIN_S = 1.0
MOST_AT_ONCE = 50
"""VMs that one step tells to stop: it keeps them locked."""
MOST_NAMED = 10


@dataclass(frozen=True)
class Draining:
    drain: Drain
    survey: Survey


class HostFlow(Flow[Draining]):
    name = FLOW

    def __init__(self, operations: Operations, occupants: Occupants) -> None:
        self._operations = operations
        self._occupants = occupants

    async def load(self, tx: Tx, subject_id: UUID) -> Draining | None:
        drain = await draining.lock(tx, subject_id)
        if drain is None:
            return None
        known: Sequence[Entry] = []
        for operation in await self._operations.all_of(tx, [drain.operation_id]):
            known = [Entry.of(told) for told in (operation.result or {"vms": []})["vms"]]
        stops = await self._operations.all_of(tx, [entry.operation_id for entry in known if entry.operation_id])
        return Draining(drain, survey(await self._occupants.aboard(tx, subject_id), known, stops))

    def decide(self, facts: Draining) -> str | Next:
        if facts.survey.untold:
            return "stop_some"
        return "conclude" if facts.survey.is_over else "watch"

    @in_tx
    async def stop_some(self, tx: Tx, facts: Draining) -> Next:
        """Tell VMs to stop."""
        drain, told = facts.drain, {entry.id: entry for entry in facts.survey.entries}
        for occupant in facts.survey.untold[:MOST_AT_ONCE]:
            why = f"Its host {drain.host.name} was drained by {drain.username}."
            vm_id, name = occupant.subject.id, occupant.subject.name
            stop = await self._occupants.stop(tx, vm_id, by=drain.by, grace_s=drain.grace_s, why=why)
            if stop is not None:
                told[vm_id] = Entry(id=vm_id, name=name, outcome=Outcome.STOPPING, operation_id=stop.id)
        await self._note(tx, drain, Survey(list(told.values()), facts.survey.untold[MOST_AT_ONCE:]))
        return hop()

    @in_tx
    async def watch(self, tx: Tx, facts: Draining) -> Next:
        """Say how far it is."""
        await self._note(tx, facts.drain, facts.survey)
        return nap(LOOK_AGAIN_S, "its VMs are shutting down")

    @in_tx
    async def conclude(self, tx: Tx, facts: Draining) -> Next:
        """Nothing more is going to happen."""
        failed = [entry.name for entry in facts.survey.having(Outcome.FAILED)]
        await self._end(tx, facts, _not_drained(facts.drain, failed, "could not be stopped") if failed else None)
        return finish()

    async def refused(self, tx: Tx, facts: Draining, step: str, error: Refused) -> Next:
        """No step here speaks to an agent."""
        raise error

    async def overdue(self, tx: Tx, facts: Draining) -> Next:
        """VMs that nobody has told yet have not been late: the managers were."""
        seen = facts.survey
        if seen.untold:
            return hop("stop_some")
        late = [entry.name for entry in [*seen.having(Outcome.FAILED), *seen.having(Outcome.STOPPING)]]
        await self._end(tx, facts, _not_drained(facts.drain, late, "did not go off in time") if late else None)
        return finish()

    async def _note(self, tx: Tx, drain: Drain, seen: Survey) -> None:
        left = len(seen.having(Outcome.STOPPING)) + len(seen.untold)
        await self._operations.note(
            tx,
            drain.operation_id,
            percent=seen.percent,
            stage=f"{left} of {len(seen.entries) + len(seen.untold)} VMs are still on",
            result={"vms": [entry.told() for entry in seen.entries]},
        )

    async def _end(self, tx: Tx, facts: Draining, problem: Problem | None) -> None:
        drain = facts.drain
        await self._note(tx, drain, facts.survey)
        await self._operations.settle(tx, drain.subject, generation=drain.host.generation, problem=problem)
        await draining.remove(tx, drain.host.id)
        if problem is None:
            await audit.write_as(tx, None, "system", verb="finish-draining", subject=drain.subject)
            await events.emit(tx, type="host.drained", subject=drain.subject, owner_user_id=None)


def _not_drained(drain: Drain, left: Sequence[str], what: str) -> HostNotDrained:
    names = ", ".join(left[:MOST_NAMED]) + (" …" if len(left) > MOST_NAMED else "")
    return HostNotDrained(f"{drain.host.name} is not empty: {len(left)} of its VMs {what} ({names}).")
