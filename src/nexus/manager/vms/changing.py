"""Changing what a VM is: the one way in which its configuration, its drives and its NICs are changed.

The rows hold what is wanted. A change is one transaction: lock, check, write the rows, raise the machine's generation,
audit, event, operation; the flow then has the host know the new definition, as it does after any wish. The host
applies what it can to the running boot, and reports what that boot lacks (`machines.seen_pending`). So what an answer
says about a change, the host has said.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from nexus.kit.db import Db, Tx
from nexus.kit.versions import ANY, Expected
from nexus.manager import audit, events
from nexus.manager.access import Actor
from nexus.manager.flows import Flows
from nexus.manager.machines import service as machines
from nexus.manager.machines.lifecycle import Goal, is_reached
from nexus.manager.operations import Done, Operation, Operations
from nexus.manager.vms import listing, repository, states
from nexus.manager.vms.lifecycle import Verb
from nexus.manager.vms.models import FLOW, Vm
from nexus.manager.vms.service import require
from nexus.protocol.machines import Power

WITHIN = timedelta(minutes=10)
PATIENCE_S = 5.0
"""How long an answer waits for the host's report of the change."""
_LOOK_EVERY_S = 0.25


class Applied(StrEnum):
    """When a change takes effect."""

    NOW = "now"
    """The running boot has it."""
    NEXT_START = "next_start"
    """From the next start on; a reboot is one."""


class Changed(Done):
    """The answer of a change to a VM's configuration."""

    applied: Applied | None = Field(
        default=None,
        description="now: the running VM has it; next_start: it will when it is started or rebooted; "
        "null: its host has not said yet, see `pending_changes` of the VM",
    )
    pending_changes: list[str] = Field(
        default=[], description="All that the running VM lacks of its configuration, this change or an earlier one"
    )


@dataclass
class Change:
    """A change under way: whoever makes it writes the rows of `vm` within `tx`, and says what that changed."""

    tx: Tx
    vm: Vm
    names: set[str] = field(default_factory=set[str])
    """What the request is about, as hosts call it (`protocol.machines.PendingName`)."""
    is_one: bool = False
    """Whether anything differs from before."""
    details: dict[str, Any] = field(default_factory=dict[str, Any])
    """For the audit; no secrets."""
    operation: Operation | None = None

    def note(self, name: str, *, differs: bool = True) -> None:
        """Say what of the definition the request is about, and whether it changes it."""
        self.names.add(name)
        self.is_one = self.is_one or differs


class VmChanges:
    def __init__(self, db: Db, flows: Flows, operations: Operations) -> None:
        self._db = db
        self._flows = flows
        self._operations = operations

    @asynccontextmanager
    async def making(
        self, actor: Actor, vm_id: UUID, *, verb: str = Verb.CONFIGURE, expected: Expected = ANY
    ) -> AsyncGenerator[Change]:
        """A change to a locked VM, recorded and promised when the block ends. Audit and operation call it `verb`.

        Raises VmNotFound, Stale, or VmStateConflict where the VM's state allows no changes."""
        async with self._db.transaction() as tx:
            vm = await repository.lock(tx, vm_id, sees_only=actor.sees_only)
            await expected.require(lambda: listing.find_json(tx, vm_id, sees_only=actor.sees_only))
            require(vm, Verb.CONFIGURE)
            change = Change(tx, vm)
            yield change
            if change.is_one:
                change.operation = await self._record(change, actor, verb)

    async def answer(self, actor: Actor, change: Change, *, wait: float | None) -> Changed:
        """The answer to a change that has been committed: waits for the host's report of it, and with `wait` for the
        operation, as every action does."""
        done = await self._operations.done(change.operation, wait=wait)
        seen = await self._reported(actor, change)
        return Changed(
            operation_id=done.operation_id,
            operation=done.operation,
            status=done.status,
            applied=_applied(seen, change),
            pending_changes=sorted(seen.machine.pending),
        )

    async def _record(self, change: Change, actor: Actor, verb: str) -> Operation | None:
        tx, vm = change.tx, change.vm
        generation = await machines.amend(tx, vm.machine.id)
        details = {"changed": sorted(change.names), **change.details}
        await audit.write(tx, actor, verb=verb, subject=vm.subject, details=details)
        await events.emit(tx, type="vm.updated", subject=vm.subject, owner_user_id=vm.created_by_user_id)
        if _has_failed(vm):
            return None
        await states.reread(tx, vm.id)
        await self._flows.open(tx, flow=FLOW, subject=vm.subject, within=WITHIN)
        return await self._operations.open(
            tx, vm.subject, verb=verb, generation=generation, actor=actor, within=WITHIN, replaces=False
        )

    async def _reported(self, actor: Actor, change: Change) -> Vm:
        """The VM once its host has said what became of the change, or as it is when patience ends."""
        left_s = PATIENCE_S
        while True:
            vm = await repository.find(self._db, change.vm.id, sees_only=actor.sees_only) or change.vm
            if change.operation is None or left_s <= 0 or _applied(vm, change) is not None:
                return vm
            ended = await self._operations.wait(change.operation.id, seconds=_LOOK_EVERY_S)
            left_s = 0 if ended.is_finished else left_s - _LOOK_EVERY_S


def _has_failed(vm: Vm) -> bool:
    """Nothing is done about a VM that has failed until somebody starts it: then its host is told everything."""
    facts = vm.machine.facts
    is_off = facts.goal is Goal.OFF and is_reached(facts)
    return facts.is_lost or (facts.fault is not None and not is_off)


def _applied(vm: Vm, change: Change) -> Applied | None:
    facts = vm.machine.facts
    if facts.goal is Goal.OFF or _has_failed(vm):
        return Applied.NEXT_START
    generation = change.operation.generation if change.operation else facts.generation
    is_reported = facts.seen in (Power.ON, Power.PAUSED) and facts.seen_generation >= generation
    if not is_reported or facts.seen_applying:
        return None
    return Applied.NEXT_START if change.names & vm.machine.pending else Applied.NOW
