"""How boots begin and end in what is remembered of them. Pure."""

from nexus.agent.machines.host import BOOT_ATTEMPTS
from nexus.agent.machines.state import MachineState
from nexus.agent.vmm.port import VmmState
from nexus.protocol.machines import ExitReason, Power

ORDERLY = (ExitReason.ASKED, ExitReason.GUEST_SHUTDOWN, ExitReason.GUEST_REBOOT)
CUT = "Its power was cut."


def begun(state: MachineState, vmm: VmmState, *, host_boot_id: str) -> dict[str, object] | None:
    """What changes in the state with the wished boot, or with another attempt of the one that was begun; None when that
    had enough attempts."""
    assert state.wish is not None
    update: dict[str, object] = {"nics": tuple({*state.nics, *(nic.id for nic in state.spec.nics)})}
    update |= {"booted": state.spec}
    if state.wish.boot > state.boot:
        update |= {"boot": state.wish.boot, "attempt": 1, "host_boot_id": host_boot_id}
        update |= {"launch": max(state.launch, vmm.launch) + 1}
    elif vmm.launch >= state.launch:
        if state.attempt >= BOOT_ATTEMPTS:
            return None
        update |= {"launch": vmm.launch + 1, "attempt": state.attempt + 1}
    return update


def begun_at_once(state: MachineState, *, host_boot_id: str) -> MachineState:
    """A machine that is new to this host, its first boot begun if it is to be on."""
    if state.wish is None or state.wish.power is Power.OFF or state.wish.boot < 1:
        return state
    return state.model_copy(update=begun(state, VmmState(Power.OFF), host_boot_id=host_boot_id))


def ending(state: MachineState, vmm: VmmState, *, host_boot_id: str) -> tuple[ExitReason, str]:
    """How the boot ended that is over, with a sentence for a user."""
    ended = vmm.exit if vmm.launch == state.launch else None
    if ended is None:
        if state.host_boot_id != host_boot_id:
            return ExitReason.HOST_REBOOTED, "The host restarted."
        return ExitReason.ASKED, "It was stopped before it had started."
    if _is_wanted(state) or ended.reason not in ORDERLY:
        return ended.reason, ended.why
    return ExitReason.ASKED, CUT if ended.reason is ExitReason.ASKED else "The guest shut down as asked."


def _is_wanted(state: MachineState) -> bool:
    """Whether the boot that is on is what was wished for."""
    wish = state.wish
    return wish is not None and wish.power is not Power.OFF and wish.boot <= state.boot
