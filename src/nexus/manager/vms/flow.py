"""How a VM gets to where it is wished to be: define, power, wait for its host's reports, settle.

`machines.lifecycle.decide` names the next step from wherever the machine is; this module only carries it out. Deleting
ignores faults and needs nothing but the host's word that nothing is left.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from uuid import UUID

from nexus.kit.db import Tx
from nexus.manager import audit, events
from nexus.manager.agents.client import Agent
from nexus.manager.agents.pool import Agents
from nexus.manager.drives import service as drives
from nexus.manager.flows import Flow, Next, finish, hop, in_tx, nap, on_agent
from nexus.manager.machines import service as machines
from nexus.manager.machines.lifecycle import FAULT_PATIENCE_S, Facts, Goal, Move, Verdict, conclude, decide
from nexus.manager.machines.service import Machines
from nexus.manager.networks import service as networks
from nexus.manager.nics import service as nics
from nexus.manager.operations import Operations
from nexus.manager.vms import repository, states
from nexus.manager.vms.deadlines import Timing, goal_before, overdue
from nexus.manager.vms.errors import VmFaulted, VmNotFound
from nexus.manager.vms.models import FLOW, Vm
from nexus.protocol.machines import Exit, MachineOrder, MachineSeen, Power, PowerWish
from nexus.protocol.trouble import Gone, Refused

LOOK_AGAIN_S = FAULT_PATIENCE_S + 1.0
"""Hosts report on their own; a report that got lost is made up for after this long, and a fault that stays is seen."""


_TAKES_TIME = (Move.DEFINE, Move.POWER, Move.WAIT)
"""Moves after which a wish's deadline still matters."""

PATIENCE_MS = 600
"""How long a host may take to answer with what came of an order: enough for what is done at once, for going on from a
snapshot and for a start from a zygote; a boot is reported when it has come so far."""


Settled = Callable[[Tx, Vm], Awaitable[None]]


@dataclass(frozen=True)
class Moving:
    """A VM with what its next step takes: the order, when that is to be sent."""

    vm: Vm
    order: MachineOrder | None = None

    @property
    def facts(self) -> Facts:
        return self.vm.machine.facts


class VmFlow(Flow[Moving]):
    name = FLOW

    def __init__(
        self, agents: Agents, machines: Machines, operations: Operations, timing: Timing, *, settled: Settled
    ) -> None:
        """`settled` is told, last in the transaction, of a VM that stands still or has begun from a snapshot as wished:
        something may wait for that."""
        self._agents = agents
        self._machines = machines
        self._operations = operations
        self._timing = timing
        self._settled = settled

    async def load(self, tx: Tx, subject_id: UUID) -> Moving | None:
        try:
            vm = await repository.lock(tx, subject_id, sees_only=None)
        except VmNotFound:
            return None
        needs_order = decide(vm.machine.facts) is Move.DEFINE
        return Moving(vm, await _order_of(tx, vm) if needs_order else None)

    def decide(self, facts: Moving) -> str | Next:
        move = decide(facts.facts)
        if move is Move.WAIT:
            waits_for = "its snapshot is being taken" if facts.facts.awaits_snapshot else "the guest is booting"
            return nap(LOOK_AGAIN_S, facts.facts.seen_fault or facts.vm.machine.stage or waits_for)
        return move.value

    async def absorb(self, tx: Tx, facts: Moving, found: object) -> None:
        if not isinstance(found, MachineSeen):
            raise TypeError(f"a VM's step found {found!r}")
        try:
            vm = await repository.lock(tx, facts.vm.id, sees_only=None)
        except VmNotFound:
            return
        if (machine := await self._machines.absorb(tx, vm.host, found)) is not None:
            vm = replace(vm, machine=machine)
        await states.refresh(tx, vm)
        if vm.machine.facts.goal is Goal.GONE:
            await self._timing.begun(tx, vm)  # an agent that removes it has answered
        elif decide(vm.machine.facts) in _TAKES_TIME:
            await self._timing.observed(tx, vm)

    @on_agent
    async def define(self, facts: Moving) -> Next:
        """Have the host know the machine's definition and what is wished of it. One that is older takes notice of the
        definition alone, and is told the rest by `power`."""
        if facts.order is None:
            return hop()
        return hop(found=await self._agent(facts).ensure_machine(facts.order))

    @on_agent
    async def power(self, facts: Moving) -> Next:
        """Have the hypervisor do what is wished, then wait for reports."""
        wanted, machine = facts.facts, facts.vm.machine
        try:
            seen = await self._agent(facts).ensure_power(machine.id, _wish_of(facts.vm))
        except Gone:
            return hop(found=await self._agent(facts).observe_machine(machine.id))
        if decide(_with(wanted, seen)) is Move.POWER:
            return nap(LOOK_AGAIN_S, seen.stage or "waiting for the host", seen)
        return hop(found=seen)

    @in_tx
    async def settle(self, tx: Tx, facts: Moving) -> Next:
        """The wish has come true: keep the promise."""
        if facts.facts.late:
            await machines.note_late(tx, facts.vm.machine.id, None)
        if facts.facts.goal is not Goal.OFF and facts.facts.restore_boot is not None:
            await machines.restored(tx, facts.vm.machine.id)
        await states.refresh(tx, facts.vm)
        await self._operations.settle(tx, facts.vm.subject, generation=facts.facts.generation)
        if facts.facts.goal is not Goal.ON or facts.facts.restore_boot is not None:
            await self._settled(tx, facts.vm)
        return finish()

    @in_tx
    async def conclude(self, tx: Tx, facts: Moving) -> Next:
        """A boot ended by itself: wish for what that means."""
        vm, ended = facts.vm, facts.facts.exit
        if ended is None:
            return hop()
        verdict = conclude(facts.facts.goal, ended, restart_policy=facts.facts.restart_policy)
        await _tell_end(tx, vm, ended, verdict)
        if verdict.boots_again:
            await machines.boot_again(tx, vm.machine.id, verdict.goal)
            await states.reread(tx, vm.id)
            return hop()
        if verdict.goal is facts.facts.goal:
            return await self._fail(tx, vm, verdict.fault or ended.why)
        problem = VmFaulted(f"{vm.name} went off: {verdict.why}")
        await self._operations.settle(tx, vm.subject, generation=facts.facts.generation, problem=problem)
        await machines.aim(tx, vm.machine.id, verdict.goal, fault=verdict.fault)
        await states.reread(tx, vm.id)
        return hop()

    @in_tx
    async def give_up(self, tx: Tx, facts: Moving) -> Next:
        """Something stands in the way that only a user can move: say so, and leave it."""
        return await self._fail(tx, facts.vm, facts.facts.obstacle or "it is not known why")

    @on_agent
    async def discard(self, facts: Moving) -> Next:
        """Have nothing left of it on its host."""
        seen = await self._agent(facts).discard_machine(facts.vm.machine.id)
        if seen.power is Power.ABSENT:
            return hop("erase")
        return nap(LOOK_AGAIN_S, seen.stage or "its host is removing it", seen)

    @in_tx
    async def erase(self, tx: Tx, facts: Moving) -> Next:
        """Its host has nothing left of it: remove the rows, keep the promise."""
        if facts.facts.goal is not Goal.GONE:
            return hop()
        vm = facts.vm
        await networks.give_back(tx, vm.machine.id)
        await machines.erase(tx, vm.machine.id)
        await self._operations.settle(tx, vm.subject, generation=facts.facts.generation)
        await events.emit(tx, type="vm.deleted", subject=vm.subject, owner_user_id=vm.created_by_user_id)
        return finish()

    async def refused(self, tx: Tx, facts: Moving, step: str, error: Refused) -> Next:
        if facts.facts.goal is Goal.GONE:
            return nap(LOOK_AGAIN_S, f"its host will not remove it yet: {error}")
        return await self._fail(tx, facts.vm, str(error))

    async def overdue(self, tx: Tx, facts: Moving) -> Next:
        """Some promise was not kept in time. The wish stays and is pursued, but the VM no longer counts as on its way
        there; only one that could not be paused or resumed is what it was."""
        vm = facts.vm
        late = await self._operations.late(tx, vm.subject)
        for operation in late:
            await self._operations.fail(tx, operation, overdue(vm, operation))
        await self._timing.next(tx, vm, await self._operations.first_due(tx, vm.subject))
        if late and (back := goal_before(vm.machine.facts)):
            await machines.aim(tx, vm.machine.id, back)
            await states.reread(tx, vm.id)
        elif late and late[-1].generation == vm.machine.facts.generation:
            await machines.note_late(tx, vm.machine.id, overdue(vm, late[-1]).error)
            await states.reread(tx, vm.id)
        return hop()

    async def _fail(self, tx: Tx, vm: Vm, obstacle: str) -> Next:
        await machines.note_fault(tx, vm.machine.id, obstacle)
        await states.reread(tx, vm.id)
        way_out = "Delete it." if vm.machine.facts.is_abandoned else "Start it again, or delete it."
        problem = VmFaulted(f"{vm.name} has failed: {obstacle}", suggestion=way_out)
        generation = vm.machine.facts.generation
        await self._operations.settle(tx, vm.subject, generation=generation, problem=problem)
        return finish()

    def _agent(self, facts: Moving) -> Agent:
        return self._agents.of(facts.vm.host)


async def _tell_end(tx: Tx, vm: Vm, ended: Exit, verdict: Verdict) -> None:
    """Say how a boot ended that was meant to go on: to whoever looks at the VM, to listeners, and on record."""
    await repository.note_why(tx, vm.id, verdict.why)
    details = {"boot": ended.boot, "reason": ended.reason, "why": ended.why, "boots_again": verdict.boots_again}
    await events.emit(tx, type="vm.ended", subject=vm.subject, owner_user_id=vm.created_by_user_id, data=details)
    await audit.write_as(tx, None, f"host {vm.host.name}", verb="end", subject=vm.subject, details=details)


def _with(facts: Facts, seen: MachineSeen) -> Facts:
    """The facts as they will be once `seen` is recorded."""
    return replace(
        facts,
        seen=seen.power,
        seen_guest=seen.guest,
        seen_generation=seen.generation or facts.seen_generation,
        seen_boot=seen.boot,
        seen_fault=seen.fault,
        exit=seen.exit,
        seen_applying=seen.is_applying,
    )


def _wish_of(vm: Vm) -> PowerWish:
    wanted = vm.machine.facts
    return PowerWish(
        generation=wanted.generation, power=wanted.goal.power, boot=wanted.boot, grace_s=vm.machine.grace_s
    )


async def _order_of(tx: Tx, vm: Vm) -> MachineOrder:
    definition = await repository.definition(tx, vm.id)
    return MachineOrder.model_validate(
        {
            "wish": _wish_of(vm),
            "patience_ms": PATIENCE_MS,
            **definition.settings,
            "id": vm.machine.id,
            "generation": vm.machine.facts.generation,
            "kernel_sha256": definition.kernel_sha256,
            "initramfs_sha256": definition.initramfs_sha256,
            "disks": await drives.specs(tx, vm.machine.id),
            "nics": await nics.specs(tx, vm.machine.id),
            "guest": definition.guest,
            "restore": vm.machine.restore,
        }
    )
