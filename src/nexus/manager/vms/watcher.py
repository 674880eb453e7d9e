"""What news about machines mean for VMs: a state to store, progress to tell, a flow to wake."""

from collections.abc import Sequence
from uuid import UUID

from nexus.kit.db import Tx
from nexus.manager import audit, events
from nexus.manager.flows import Flows
from nexus.manager.machines.lifecycle import Move, decide
from nexus.manager.machines.models import Change
from nexus.manager.operations import Operations
from nexus.manager.vms import repository, states
from nexus.manager.vms.deadlines import Timing
from nexus.manager.vms.models import FLOW, Vm

_FOR_WHO_WAITS = (Move.WAIT, Move.SETTLE, Move.GIVE_UP)
"""Moves that only concern a flow that is under way; the others start one."""


class VmWatcher:
    """Watches machines for VMs (`machines.service.Watcher`)."""

    def __init__(self, flows: Flows, operations: Operations, timing: Timing) -> None:
        self._flows = flows
        self._operations = operations
        self._timing = timing

    async def noticed(self, tx: Tx, changes: Sequence[Change]) -> None:
        shows = {change.machine_id: change.shows for change in changes}
        for vm in await repository.of_machines(tx, list(shows)):
            await states.refresh(tx, vm)
            if shows[vm.machine.id]:
                await events.emit(tx, type="vm.updated", subject=vm.subject, owner_user_id=vm.created_by_user_id)
            if decide(vm.machine.facts) is not Move.SETTLE:
                await self._timing.observed(tx, vm)
            await self._operations.progress(
                tx, vm.subject, generation=vm.machine.facts.generation, stage=vm.machine.stage
            )
            await self._wake(tx, vm)

    async def written_off(self, tx: Tx, machine_ids: Sequence[UUID], *, why: str) -> None:
        for vm in await repository.of_machines(tx, machine_ids):
            details = {"why": why}
            await repository.note_why(tx, vm.id, why)
            await states.refresh(tx, vm)
            await events.emit(tx, type="vm.lost", subject=vm.subject, owner_user_id=vm.created_by_user_id, data=details)
            await audit.write_as(tx, None, f"host {vm.host.name}", verb="lose", subject=vm.subject, details=details)
            await self._flows.open(tx, flow=FLOW, subject=vm.subject)

    async def _wake(self, tx: Tx, vm: Vm) -> None:
        facts = vm.machine.facts
        is_news = facts.is_lost and facts.fault is None
        if decide(facts) is Move.WAIT and not facts.seen_fault:
            return  # a flow that waits already would only wait on
        if decide(facts) in _FOR_WHO_WAITS and not is_news:
            await self._flows.wake(tx, vm.subject)
        else:
            await self._flows.open(tx, flow=FLOW, subject=vm.subject)
