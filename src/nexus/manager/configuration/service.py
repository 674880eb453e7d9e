"""Changing a VM's size."""

from dataclasses import dataclass
from uuid import UUID

from nexus.kit.db import Db
from nexus.kit.versions import ANY, Expected
from nexus.manager.access import Actor
from nexus.manager.configuration import repository
from nexus.manager.configuration.schemas import MachineConfigBody
from nexus.manager.hosts.placement import Amounts
from nexus.manager.hosts.service import Hosts
from nexus.manager.machines import service as machines
from nexus.manager.machines.lifecycle import Goal
from nexus.manager.vms.changing import Change, VmChanges
from nexus.manager.vms.errors import VmNotFound


@dataclass(frozen=True, kw_only=True)
class Size:
    """What of a VM's size is wanted; None: as it is."""

    vcpus: int | None
    memory_mib: int | None


class Configuration:
    def __init__(self, db: Db, hosts: Hosts, changes: VmChanges) -> None:
        self._db = db
        self._hosts = hosts
        self._changes = changes

    async def size(self, actor: Actor, vm_id: UUID) -> MachineConfigBody:
        """Raises VmNotFound."""
        found = await repository.find_size(self._db, vm_id, sees_only=actor.sees_only)
        if found is None:
            raise VmNotFound
        return found

    async def resize(self, actor: Actor, vm_id: UUID, size: Size, *, expected: Expected = ANY) -> Change:
        """Give a VM another size from its next start on. Raises NoRoom where its host has not that much left."""
        async with self._changes.making(actor, vm_id, expected=expected) as change:
            machine = change.vm.machine
            vcpus, memory_mib = size.vcpus or machine.vcpus, size.memory_mib or machine.memory_mib
            if size.vcpus is not None:
                change.note("vcpus", differs=vcpus != machine.vcpus)
            if size.memory_mib is not None:
                change.note("memory_mib", differs=memory_mib != machine.memory_mib)
            change.details |= {"vcpu": vcpus, "mem_mib": memory_mib}
            if change.is_one:
                await self._reserve(change, vcpus=vcpus, memory_mib=memory_mib)
                await machines.set_size(change.tx, machine.id, vcpus=vcpus, memory_mib=memory_mib)
        return change

    async def _reserve(self, change: Change, *, vcpus: int, memory_mib: int) -> None:
        """Take what a VM that runs, or is meant to, needs more than before. One that is off is given room by its
        start."""
        vm, machine = change.vm, change.vm.machine
        if machine.facts.goal not in (Goal.ON, Goal.PAUSED):
            return
        need = Amounts(
            vcpus=vcpus if vcpus > machine.vcpus else 0,
            memory_mib=memory_mib if memory_mib > machine.memory_mib else 0,
        )
        if need != Amounts():
            await self._hosts.reserve(change.tx, need, wish=f"enlarge {vm.name}", on=[vm.host.id], besides=machine.id)
