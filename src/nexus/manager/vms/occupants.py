"""VMs as what is on a host that is being emptied (`hosts.draining.Occupants`)."""

from collections.abc import Sequence
from uuid import UUID

from nexus.kit.db import Tx
from nexus.manager.access import Actor
from nexus.manager.hosts.draining import Occupant
from nexus.manager.machines.lifecycle import Goal, is_reached
from nexus.manager.operations import Operation
from nexus.manager.vms import repository
from nexus.manager.vms.models import Vm
from nexus.manager.vms.service import Vms


class VmOccupants:
    def __init__(self, vms: Vms) -> None:
        self._vms = vms

    async def aboard(self, tx: Tx, host_id: UUID) -> Sequence[Occupant]:
        """In the order in which they may be locked one after another."""
        return [_occupant(vm) for vm in await repository.on_host(tx, host_id)]

    async def stop(self, tx: Tx, occupant: UUID, *, by: Actor | None, grace_s: int, why: str) -> Operation | None:
        return await self._vms.turn_off(tx, occupant, by=by, grace_s=grace_s, why=why)


def _occupant(vm: Vm) -> Occupant:
    facts = vm.machine.facts
    return Occupant(
        subject=vm.subject,
        is_wanted=facts.goal in (Goal.ON, Goal.PAUSED),
        is_off=facts.goal is Goal.OFF and is_reached(facts),
        is_leaving=facts.goal is Goal.GONE,
        fault=facts.obstacle,
    )
