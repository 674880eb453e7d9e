"""Changing a machine that runs: what of a new definition its hypervisor and guest can take over without a restart.

Each `LivePart` is one such thing. Must stay true: a part changes nothing but what `apply` says the running boot has
then, it may be applied twice, and what cannot be applied stays pending until the next boot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from nexus.agent.machines.guest_link import GuestLink
from nexus.agent.machines.host import Host
from nexus.agent.machines.state import MachineState
from nexus.agent.vmm.port import VmmTrouble
from nexus.kit import log
from nexus.protocol.machines import MachineSpec, Power
from nexus.protocol.trouble import Trouble

_log = log.get("nexus.agent.machines")


@dataclass(frozen=True)
class Running:
    """A machine whose VMM runs, and what is wanted of it."""

    host: Host
    link: GuestLink
    uid: int | None
    """The VMM's; None: the agent's own."""
    power: Power
    has: MachineSpec
    """What the running boot has."""
    wanted: MachineSpec
    """The accepted definition."""


class LivePart(Protocol):
    """A part of a definition that can be changed while the machine runs."""

    def is_due(self, running: Running) -> bool:
        """Whether it differs and can be changed now. Pure."""
        ...

    async def apply(self, running: Running) -> MachineSpec:
        """Change it; the answer is what the running boot has then. Raises VmmTrouble, Trouble or OSError."""
        ...


class Applier:
    """Applies one machine's live parts. What was refused is not tried again with the same definition: it stays
    pending."""

    def __init__(self, host: Host, link: GuestLink, parts: Sequence[LivePart]) -> None:
        self._host = host
        self._link = link
        self._parts = parts
        self._refused: tuple[MachineSpec | None, list[LivePart]] = (None, [])

    def due(self, state: MachineState, power: Power) -> LivePart | None:
        """What to change next in the machine as it runs now."""
        if power is Power.OFF or state.discarding or state.running == state.spec:
            return None
        running, refused = self._of(state, power), self._refused_for(state.spec)
        return next((part for part in self._parts if part not in refused and part.is_due(running)), None)

    async def apply(self, part: LivePart, state: MachineState, power: Power) -> MachineSpec:
        """What the running boot has afterwards; as before, where hypervisor or guest refused."""
        try:
            return await part.apply(self._of(state, power))
        except (VmmTrouble, Trouble, OSError) as refused:
            _log.warning(
                "change_not_applied", machine_id=str(state.spec.id), part=type(part).__name__, why=str(refused)
            )
            self._refused = (state.spec, [*self._refused_for(state.spec), part])
            return state.running

    def _of(self, state: MachineState, power: Power) -> Running:
        uid = self._host.uid(state.slot)
        return Running(self._host, self._link, uid, power, has=state.running, wanted=state.spec)

    def _refused_for(self, spec: MachineSpec) -> list[LivePart]:
        known, parts = self._refused
        return parts if known == spec else []
