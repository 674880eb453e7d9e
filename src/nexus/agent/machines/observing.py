"""What is said of a machine, from what is known of it. Pure."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from nexus.agent.machines.pending import pending
from nexus.agent.machines.state import MachineState
from nexus.agent.vmm.port import VmmState
from nexus.protocol.machines import GuestPhase, MachineSeen, Power


@dataclass(frozen=True)
class Glance:
    """`is_ready`: the guest answers now; `is_missed`: it does not, and has had time to come back."""

    state: MachineState
    vmm: VmmState
    is_gone: bool
    is_ready: bool
    is_missed: bool
    address: IPv4Address | None
    stage: str | None
    fault: str | None
    is_applying: bool = False
    warnings: tuple[str, ...] = ()

    def seen(self) -> MachineSeen:
        """Not numbered yet (seq 0)."""
        if self.is_gone:
            return MachineSeen(id=self.state.spec.id, seq=0, generation=0, power=Power.ABSENT)
        power, running = self._power(), self.state.running
        is_off = power is Power.OFF
        return MachineSeen(
            id=self.state.spec.id,
            seq=0,
            generation=self.state.generation,
            power=power,
            boot=self.state.boot,
            guest=self._phase(),
            address=self.address,
            stage=self.stage,
            fault=self.fault,
            exit=self.state.exit,
            started_at=self.vmm.started_at,
            warnings=() if is_off else self.warnings,
            pending=() if is_off else pending(running, self.state.spec),
            is_applying=self.is_applying and not is_off,
            vcpus=None if is_off else running.vcpus,
            memory_mib=None if is_off else running.memory_mib,
        )

    def _power(self) -> Power:
        """A VMM that has just ended is reported together with its reason, once that is recorded: an OFF without one
        could be read as a boot that never began."""
        has_vmm_ended = self.vmm.power is Power.OFF and self.state.is_launched(self.vmm.launch)
        return Power.ON if has_vmm_ended and not self.state.has_ended else self.vmm.power

    def _phase(self) -> GuestPhase:
        if self._power() is Power.OFF or not self.state.running.has_guest_agent:
            return GuestPhase.ABSENT
        if self.is_ready:
            return GuestPhase.READY
        if not self.state.was_ready:
            return GuestPhase.BOOTING
        is_back_soon = self.vmm.power is Power.PAUSED or (self.vmm.power is Power.ON and not self.is_missed)
        return GuestPhase.READY if is_back_soon else GuestPhase.ABSENT
