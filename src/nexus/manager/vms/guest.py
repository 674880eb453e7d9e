"""What is passed through to a VM's host or guest: nothing of it is a wish, so nothing of it is kept.

Who opened a shell or ran a command is on record, with the command's words; what went in and came out is not.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from nexus.kit.db import Db
from nexus.manager import audit
from nexus.manager.access import Actor
from nexus.manager.agents.client import Agent
from nexus.manager.agents.pool import Agents
from nexus.manager.agents.troubles import as_problem
from nexus.manager.following import Log
from nexus.manager.vms import repository
from nexus.manager.vms.errors import VmLost, VmNotFound
from nexus.manager.vms.lifecycle import Verb, wording
from nexus.manager.vms.models import Vm
from nexus.manager.vms.service import require
from nexus.protocol.guest import SessionRequest
from nexus.protocol.metrics import MachineMetrics
from nexus.protocol.trouble import Trouble


@dataclass(frozen=True)
class Reached:
    """A VM and the agent of its host."""

    vm: Vm
    agent: Agent


class Guests:
    def __init__(self, db: Db, agents: Agents) -> None:
        self._db = db
        self._agents = agents

    async def reach(self, actor: Actor, vm_id: UUID, *, verb: Verb | None = None) -> Reached:
        """The VM and its host's agent. Raises VmNotFound, VmLost, and VmStateConflict if its state does not allow
        `verb`."""
        vm = await repository.find(self._db, vm_id, sees_only=actor.sees_only)
        if vm is None:
            raise VmNotFound
        if verb is not None:
            require(vm, verb)
        if vm.machine.facts.is_abandoned:
            raise VmLost(vm.name)
        return Reached(vm, self._agents.of(vm.host))

    async def send_ctrl_alt_del(self, actor: Actor, vm_id: UUID) -> None:
        reached = await self.reach(actor, vm_id, verb=Verb.CTRL_ALT_DEL)
        async with told(wording(Verb.CTRL_ALT_DEL, reached.vm.name)):
            await reached.agent.send_ctrl_alt_del(reached.vm.machine.id)
        await self.record(actor, reached.vm, Verb.CTRL_ALT_DEL, {})

    async def console(self, actor: Actor, vm_id: UUID) -> Log:
        """The serial console's log."""
        reached = await self.reach(actor, vm_id)
        return reached.agent.console_log(reached.vm.machine.id)

    async def metrics(self, actor: Actor, vm_id: UUID) -> MachineMetrics:
        """One sample, taken now."""
        reached = await self.reach(actor, vm_id)
        async with told(f"read the metrics of {reached.vm.name}"):
            return await reached.agent.observe_metrics(reached.vm.machine.id)

    async def open_session(self, actor: Actor, reached: Reached, verb: Verb, request: SessionRequest) -> str:
        """Start a shell or command in the guest, on record; the answer is the session's id. Raises Trouble."""
        details: dict[str, Any] = {"argv": list(request.argv)} if request.argv else {}
        if request.user is not None:
            details["user"] = request.user
        await self.record(actor, reached.vm, verb, details)
        return await reached.agent.start_session(reached.vm.machine.id, request)

    async def record(self, actor: Actor, vm: Vm, verb: str, details: dict[str, Any]) -> None:
        """Put on record what is passed through, before it is."""
        async with self._db.transaction() as tx:
            await audit.write(tx, actor, verb=verb, subject=vm.subject, details=details)


@asynccontextmanager
async def told(wish: str) -> AsyncGenerator[None]:
    """Turn a Trouble with the agent or guest into a Problem; `wish` completes its sentence "Cannot …"."""
    try:
        yield
    except Trouble as trouble:
        raise as_problem(trouble, wish=wish) from trouble
