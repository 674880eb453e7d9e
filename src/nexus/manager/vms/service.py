"""What users do with VMs that exist: look, edit, and wish for another state.

A verb is checked, written down as a wish with a new generation, and promised by an operation, all in one transaction;
the flow makes it true.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from nexus.kit.db import Db, Tx
from nexus.kit.envelopes import item_json
from nexus.kit.paging import Page
from nexus.kit.seal import Seal
from nexus.kit.versions import ANY, Expected
from nexus.manager import audit, events
from nexus.manager.access import Actor
from nexus.manager.flows import Flows
from nexus.manager.hosts.placement import Amounts
from nexus.manager.hosts.service import Hosts
from nexus.manager.machines import service as machines
from nexus.manager.machines.lifecycle import Goal
from nexus.manager.operations import Operation, Operations
from nexus.manager.vms import listing, repository, states
from nexus.manager.vms.deadlines import Timing
from nexus.manager.vms.errors import VmNotFound, VmStateConflict
from nexus.manager.vms.lifecycle import ENDS_IN, Refusal, State, Verb, refusal, wording
from nexus.manager.vms.listing import Wanted
from nexus.manager.vms.models import FLOW, Vm, password_purpose
from nexus.manager.vms.schemas import PatchVm, ShellCredentials


@dataclass(frozen=True, kw_only=True)
class _Wish:
    """What a verb wishes for."""

    goal: Goal
    boots_again: bool = False


_WISHES = {
    Verb.START: _Wish(goal=Goal.ON, boots_again=True),
    Verb.REBOOT: _Wish(goal=Goal.ON, boots_again=True),
    Verb.STOP: _Wish(goal=Goal.OFF),
    Verb.PAUSE: _Wish(goal=Goal.PAUSED),
    Verb.RESUME: _Wish(goal=Goal.ON),
    Verb.SUSPEND: _Wish(goal=Goal.OFF),
    Verb.ROLLBACK: _Wish(goal=Goal.ON, boots_again=True),
    Verb.DELETE: _Wish(goal=Goal.GONE),
}
_REBOOT_GRACE_S = 30
_NEEDS_ITS_DISKS = (Verb.SUSPEND, Verb.SNAPSHOT, Verb.CLONE, Verb.CONFIGURE)
"""Verbs that are about the VM as it is now."""


class Vms:
    def __init__(
        self, db: Db, hosts: Hosts, flows: Flows, operations: Operations, *, seal: Seal, timing: Timing
    ) -> None:
        self._db = db
        self._hosts = hosts
        self._flows = flows
        self._operations = operations
        self._seal = seal
        self._timing = timing

    async def list(self, actor: Actor, page: Page, wanted: Wanted) -> bytes:
        return await listing.list_json(self._db, page, wanted, project_id=actor.project_id, sees_only=actor.sees_only)

    async def get(self, actor: Actor, vm_id: UUID) -> bytes:
        """The answer `{"item": …}`. Raises VmNotFound."""
        item = await listing.find_json(self._db, vm_id, sees_only=actor.sees_only)
        if item is None:
            raise VmNotFound
        return item_json(item)

    async def edit(self, actor: Actor, vm_id: UUID, changes: PatchVm, *, expected: Expected = ANY) -> None:
        """Change what a VM is called and labelled, and whether it comes back with its host. A new name is the guest's
        hostname from its next boot on."""
        given = changes.model_dump(exclude_unset=True)
        async with self._db.transaction() as tx:
            vm = await self._lock(tx, actor, vm_id, expected)
            await repository.edit(tx, vm_id, given)
            if changes.restart_policy is not None:
                await machines.set_restart_policy(tx, vm.machine.id, changes.restart_policy)
            await audit.write(tx, actor, verb="edit", subject=vm.subject, details=given)
            await events.emit(tx, type="vm.updated", subject=vm.subject, owner_user_id=vm.created_by_user_id)

    async def credentials(self, actor: Actor, vm_id: UUID) -> ShellCredentials:
        """Who may log in to the guest; that somebody looked is on record."""
        async with self._db.transaction() as tx:
            vm = await repository.lock(tx, vm_id, sees_only=actor.sees_only)
            sealed = await repository.sealed_password(tx, vm_id)
            await audit.write(tx, actor, verb="read-password", subject=vm.subject)
        password = self._seal.unseal(sealed, purpose=password_purpose(vm_id)) if sealed else None
        return ShellCredentials(username=vm.username, password=password)

    async def start(self, actor: Actor, vm_id: UUID, *, expected: Expected = ANY) -> Operation:
        return await self._wish(actor, vm_id, Verb.START, expected)

    async def stop(self, actor: Actor, vm_id: UUID, *, grace_s: int, expected: Expected = ANY) -> Operation:
        """Shut it down; its power is cut when the guest has not gone after `grace_s`."""
        return await self._wish(actor, vm_id, Verb.STOP, expected, grace_s=grace_s)

    async def turn_off(self, tx: Tx, vm_id: UUID, *, by: Actor | None, grace_s: int, why: str) -> Operation | None:
        """Stop it because of something else, which `why` tells whoever looks at the VM. No `by`: the platform itself.
        None: there is nothing to stop, or no such VM."""
        try:
            vm = await repository.lock(tx, vm_id, sees_only=None)
        except VmNotFound:
            return None
        if vm.machine.facts.goal not in (Goal.ON, Goal.PAUSED):
            return None
        return await self._record(tx, by, vm, Verb.STOP, grace_s=grace_s, why=why)

    async def pause(self, actor: Actor, vm_id: UUID, *, expected: Expected = ANY) -> Operation:
        return await self._wish(actor, vm_id, Verb.PAUSE, expected)

    async def resume(self, actor: Actor, vm_id: UUID, *, expected: Expected = ANY) -> Operation:
        return await self._wish(actor, vm_id, Verb.RESUME, expected)

    async def reboot(self, actor: Actor, vm_id: UUID, *, expected: Expected = ANY) -> Operation:
        """One more boot; a guest that runs is shut down for it first."""
        return await self._wish(actor, vm_id, Verb.REBOOT, expected, grace_s=_REBOOT_GRACE_S)

    async def suspend(self, tx: Tx, by: Actor | None, vm: Vm, snapshot_id: UUID) -> Operation:
        """Cut the power of a locked VM that stands still; it is to go on from a snapshot of that moment."""
        await machines.restore(tx, vm.machine.id, snapshot_id)
        return await self._record(tx, by, vm, Verb.SUSPEND, grace_s=0)

    async def let_go_on(self, tx: Tx, by: Actor | None, vm: Vm, *, why: str) -> Operation:
        """Have a locked VM run again that was to stand still for something that came to nothing."""
        return await self._record(tx, by, vm, Verb.RESUME, why=why)

    async def roll_back(
        self,
        tx: Tx,
        actor: Actor,
        vm: Vm,
        snapshot_id: UUID,
        settings: Mapping[str, Any],
        *,
        composing_bytes: int,
    ) -> Operation:
        """Have a locked VM, configured by these settings (`machines.models.SETTINGS`), go on from a snapshot, whatever
        it does now; its host needs `composing_bytes` of disk until it has. Raises NoRoom."""
        need = Amounts(vcpus=settings["vcpus"], memory_mib=settings["memory_mib"], disk_bytes=composing_bytes)
        await self._hosts.reserve(
            tx, need, wish=wording(Verb.ROLLBACK, vm.name), on=[vm.host.id], besides=vm.machine.id
        )
        await machines.configure(tx, vm.machine.id, settings)
        await machines.restore(tx, vm.machine.id, snapshot_id)
        await repository.note_snapshot(tx, vm.id, snapshot_id)
        return await self._record(tx, actor, vm, Verb.ROLLBACK, grace_s=0)

    async def delete(self, actor: Actor, vm_id: UUID, *, expected: Expected = ANY) -> Operation | None:
        """Remove it and all that belongs to it, from whatever state. While that is under way, the operation that does
        it is the answer again, or a new one where that has failed."""
        async with self._db.transaction() as tx:
            return await self._remove(tx, actor, await self._lock(tx, actor, vm_id, expected))

    async def bring(
        self, tx: Tx, actor: Actor, vm_id: UUID, verb: Verb, *, grace_s: int | None = None
    ) -> Operation | None:
        """Wish for a verb, as part of the caller's change; None: the VM is already where it leads. Of several VMs each
        takes a transaction of its own: their locks have no order. Raises what the verb raises."""
        vm = await repository.lock(tx, vm_id, sees_only=actor.sees_only)
        if vm.state is ENDS_IN.get(verb):
            return None
        if verb is Verb.DELETE:
            return await self._remove(tx, actor, vm)
        return await self._want(tx, actor, vm, verb, grace_s=grace_s if verb is Verb.STOP else None)

    async def _remove(self, tx: Tx, actor: Actor, vm: Vm) -> Operation | None:
        if vm.machine.facts.goal is not Goal.GONE:
            return await self._record(tx, actor, vm, Verb.DELETE)
        running = await self._operations.running(tx, vm.subject, verb=Verb.DELETE)
        generation = vm.machine.facts.generation
        return running or await self._promise(tx, actor, vm, Verb.DELETE, generation=generation)

    async def matching(self, tx: Tx, actor: Actor, wanted: Wanted, *, limit: int) -> Sequence[UUID]:
        """The ids of the VMs that a list would hold, by name; at most `limit`."""
        return await listing.ids(tx, wanted, project_id=actor.project_id, sees_only=actor.sees_only, limit=limit)

    async def _lock(self, tx: Tx, actor: Actor, vm_id: UUID, expected: Expected) -> Vm:
        """The VM, to be changed. Raises VmNotFound, or Stale when it is not what the actor has seen."""
        return await lock(tx, vm_id, sees_only=actor.sees_only, expected=expected)

    async def _wish(
        self, actor: Actor, vm_id: UUID, verb: Verb, expected: Expected, *, grace_s: int | None = None
    ) -> Operation:
        async with self._db.transaction() as tx:
            vm = await self._lock(tx, actor, vm_id, expected)
            return await self._want(tx, actor, vm, verb, grace_s=grace_s)

    async def _want(self, tx: Tx, actor: Actor, vm: Vm, verb: Verb, *, grace_s: int | None) -> Operation:
        require(vm, verb)
        if _wish_of(vm, verb).boots_again and vm.machine.facts.goal not in (Goal.ON, Goal.PAUSED):
            await self._reserve(tx, vm, verb)
        if verb is Verb.STOP and (vm.machine.facts.is_suspended or vm.state is State.ERROR):
            await machines.forget_memory(tx, vm.machine.id)
        return await self._record(tx, actor, vm, verb, grace_s=grace_s)

    async def _reserve(self, tx: Tx, vm: Vm, verb: Verb) -> None:
        need = Amounts(vcpus=vm.machine.vcpus, memory_mib=vm.machine.memory_mib)
        await self._hosts.reserve(tx, need, wish=f"{verb} {vm.name}", on=[vm.host.id], besides=vm.machine.id)

    async def _record(
        self, tx: Tx, actor: Actor | None, vm: Vm, verb: Verb, *, grace_s: int | None = None, why: str | None = None
    ) -> Operation:
        wish = _wish_of(vm, verb)
        generation = await machines.aim(tx, vm.machine.id, wish.goal, boots_again=wish.boots_again, grace_s=grace_s)
        await repository.note_why(tx, vm.id, why)
        await states.reread(tx, vm.id)
        await audit.write(tx, actor, verb=verb, subject=vm.subject, details={"why": why} if why else None)
        return await self._promise(tx, actor, vm, verb, generation=generation)

    async def _promise(self, tx: Tx, actor: Actor | None, vm: Vm, verb: Verb, *, generation: int) -> Operation:
        await self._flows.open(tx, flow=FLOW, subject=vm.subject, within=self._timing.queue)
        return await self._operations.open(
            tx, vm.subject, verb=verb, generation=generation, actor=actor, within=self._timing.queue
        )


def _wish_of(vm: Vm, verb: Verb) -> _Wish:
    """What a verb wishes for: one that is suspended resumes with a boot."""
    if verb is Verb.RESUME and vm.state is State.SUSPENDED:
        return _WISHES[Verb.START]
    return _WISHES[verb]


async def lock(tx: Tx, vm_id: UUID, *, sees_only: UUID | None, expected: Expected = ANY) -> Vm:
    """The VM, locked until `tx` ends. Raises VmNotFound, also for one that is not the asker's (`Actor.sees_only`), or
    Stale when it is not what the asker has seen."""
    vm = await repository.lock(tx, vm_id, sees_only=sees_only)
    await expected.require(lambda: listing.find_json(tx, vm_id, sees_only=sees_only))
    return vm


async def is_taken(tx: Tx, project_id: UUID, name: str) -> bool:
    """Whether a VM has this name, in whatever case."""
    return await repository.is_taken(tx, project_id, name)


async def note_snapshot(tx: Tx, vm_id: UUID, snapshot_id: UUID) -> None:
    """Record what was last taken of a VM, which the next one follows."""
    await repository.note_snapshot(tx, vm_id, snapshot_id)


async def of_machines(tx: Tx, machine_ids: Sequence[UUID]) -> list[Vm]:
    """The VMs that are these machines, which are locked already."""
    return await repository.of_machines(tx, machine_ids)


def require(vm: Vm, verb: Verb) -> None:
    """Raise VmStateConflict unless the VM's state allows `verb`."""
    refused = refusal(verb, vm.state, vm.circumstances)
    if refused is None and verb in _NEEDS_ITS_DISKS and vm.machine.facts.is_unrestored:
        refused = Refusal(verb, "it is to begin from a snapshot and has not yet", "Have it run first.")
    if refused is not None:
        raise VmStateConflict(refused, name=vm.name, fault=vm.machine.facts.obstacle or vm.machine.facts.late)
