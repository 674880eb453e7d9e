"""How long a wish about a VM may take, and from when that counts.

Until its host has begun (a free boot slot, an image, the agent itself may have to be waited for) there is only the
patience for queues. From the host's first action on it is the verb's own time, longer where guests are emulated. The
database's clock decides, so that managers whose clocks differ agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from nexus.kit.db import Tx
from nexus.manager.flows import Flows
from nexus.manager.machines.lifecycle import Facts, Goal
from nexus.manager.operations import Operation, Operations
from nexus.manager.settings import ManagerSettings
from nexus.manager.vms.errors import VmOverdue
from nexus.manager.vms.lifecycle import Verb
from nexus.manager.vms.models import Vm
from nexus.protocol.machines import Power

CREATE = "create"
_ENDS_A_BOOT = (Verb.STOP, Verb.REBOOT)
"""Verbs for which a guest is first given the time to shut down that was asked for."""


@dataclass(frozen=True)
class Deadlines:
    """`each` is what a verb may take, in seconds, from its host's first action on, where guests run natively."""

    each: Mapping[str, float]
    queue_s: float
    emulation_factor: float

    @classmethod
    def of(cls, settings: ManagerSettings) -> "Deadlines":
        each = {
            CREATE: settings.create_deadline_s,
            Verb.START: settings.start_deadline_s,
            Verb.REBOOT: settings.reboot_deadline_s,
            Verb.STOP: settings.stop_deadline_s,
            Verb.PAUSE: settings.pause_deadline_s,
            Verb.RESUME: settings.resume_deadline_s,
            Verb.SUSPEND: settings.stop_deadline_s,
            Verb.ROLLBACK: settings.reboot_deadline_s,
            Verb.DELETE: settings.delete_deadline_s,
        }
        return cls(each, settings.queue_deadline_s, settings.emulation_factor)

    def seconds(self, *, is_emulated: bool, grace_s: int) -> dict[str, float]:
        """What each verb may take on such a host, where a guest is given `grace_s` to shut down."""
        factor = self.emulation_factor if is_emulated else 1
        return {
            str(verb): seconds * factor + (grace_s if verb in _ENDS_A_BOOT else 0)
            for verb, seconds in self.each.items()
        }


def has_begun(facts: Facts) -> bool:
    """Whether its host has begun to make the present wish true. (Of a deletion only the flow can tell.)"""
    if facts.goal is Goal.GONE or facts.seen_generation < facts.generation:
        return False
    return facts.goal is Goal.OFF or facts.is_current or facts.seen in (Power.ON, Power.PAUSED)


def goal_before(facts: Facts) -> Goal | None:
    """What to wish for again when a pause or a resume did not happen in time: what the machine still does."""
    if not facts.is_current:
        return None
    if facts.goal is Goal.PAUSED and facts.seen is Power.ON:
        return Goal.ON
    return Goal.PAUSED if facts.goal is Goal.ON and facts.seen is Power.PAUSED else None


def overdue(vm: Vm, operation: Operation) -> VmOverdue:
    """Why `operation` has failed, for its user."""
    facts = vm.machine.facts
    if vm.host.is_silent:
        return VmOverdue(
            f"Cannot {operation.verb} {vm.name} in time: its host {vm.host.name} has not been heard from.",
            suggestion="It is done when that host returns. If it is lost for good, an administrator can abandon it.",
        )
    how_far = facts.seen_fault or vm.machine.stage or f"it is {_NOW[facts.seen]}"
    if operation.begun_at is None or operation.deadline is None:
        return VmOverdue(f"Cannot {operation.verb} {vm.name} in time: host {vm.host.name} has not begun ({how_far}).")
    given_s = (operation.deadline - operation.begun_at).total_seconds()
    return VmOverdue(f"Cannot {operation.verb} {vm.name} in time: not done {given_s:g} s after it began ({how_far}).")


_NOW = {None: "not there yet", Power.ON: "on", Power.PAUSED: "paused", Power.OFF: "off", Power.ABSENT: "not there"}


class Timing:
    """Keeps the deadlines of VMs' operations, and of the flows that carry them out."""

    def __init__(self, flows: Flows, operations: Operations, deadlines: Deadlines) -> None:
        self._flows = flows
        self._operations = operations
        self._deadlines = deadlines

    @property
    def queue(self) -> timedelta:
        """How long a host may take to begin."""
        return timedelta(seconds=self._deadlines.queue_s)

    async def observed(self, tx: Tx, vm: Vm) -> None:
        """The VM as a host has just reported it: its operation's own time begins, if it has begun."""
        if has_begun(vm.machine.facts):
            await self.begun(tx, vm)

    async def begun(self, tx: Tx, vm: Vm) -> None:
        """Its host has begun: from now on it is the verb's own time."""
        within_s = self._deadlines.seconds(is_emulated=vm.host.is_emulated, grace_s=vm.machine.grace_s)
        generation = vm.machine.facts.generation
        deadline = await self._operations.begin(tx, vm.subject, generation=generation, within_s=within_s)
        if deadline is not None:
            await self.next(tx, vm, deadline)

    async def next(self, tx: Tx, vm: Vm, deadline: datetime | None) -> None:
        """Have the VM's flow told when this has passed."""
        await self._flows.limit(tx, vm.subject, deadline=deadline)
