"""What comes next for a machine. Pure: crash, restart of the agent, restart of the host and first boot share it."""

from dataclasses import dataclass
from enum import StrEnum

from nexus.protocol.machines import ExitReason, Power


class Move(StrEnum):
    REST = "rest"
    DISCARD = "discard"
    BOOT = "boot"
    """Prepare and launch the boot that is wished for, or the one that was begun and has no VMM."""
    ATTEND = "attend"
    """The VMM runs; have the guest ready before its deadline."""
    END = "end"
    """The boot is over and that is not recorded yet."""
    SHUT_DOWN = "shut_down"
    PAUSE = "pause"
    RESUME = "resume"
    APPLY = "apply"
    """Change in the running machine what can be changed there."""
    TAKE = "take"
    """Take a snapshot."""
    REFUSE = "refuse"
    """No snapshot can be taken of it while it stays as it is wished to be."""


@dataclass(frozen=True)
class Facts:
    """`goal` is ABSENT for a machine to be discarded, OFF where nothing was wished yet."""

    goal: Power
    wished_boot: int
    boot: int
    has_ended: bool
    is_launched: bool
    """The VMM last launched is the one that the boot asked for."""
    power: Power
    """ON, PAUSED or OFF, of the VMM."""
    exit: ExitReason | None
    """How that VMM ended."""
    was_ready: bool
    """The guest has answered during this boot."""
    host_restarted: bool
    """Since the boot was begun."""
    can_apply: bool = False
    """Something of the accepted definition that the running boot lacks can be changed in it."""
    is_snapshot_wanted: bool = False


def decide(facts: Facts) -> Move:
    if facts.goal is Power.ABSENT:
        return Move.DISCARD
    if facts.is_snapshot_wanted and _is_settled(facts):
        return Move.TAKE
    if facts.power is Power.OFF:
        return _while_off(facts)
    if facts.goal is Power.OFF or facts.wished_boot > facts.boot:
        return Move.SHUT_DOWN
    return _while_alive(facts)


def _is_settled(facts: Facts) -> bool:
    """Neither on its way up, nor to or from a pause, nor being found out to have ended."""
    if facts.power is Power.OFF:
        return facts.has_ended
    return facts.was_ready and facts.goal in (facts.power, Power.OFF)


def _while_off(facts: Facts) -> Move:
    if not facts.has_ended and _is_over(facts):
        return Move.END
    if facts.goal is Power.OFF:
        return Move.REST
    if facts.wished_boot > facts.boot or not facts.has_ended:
        return Move.BOOT
    return Move.REST


def _is_over(facts: Facts) -> bool:
    """A VMM that we ended ourselves before its guest was ready made room for another attempt of the same boot."""
    if facts.host_restarted or facts.goal is Power.OFF or facts.wished_boot > facts.boot:
        return True
    if not facts.is_launched:
        return False
    return facts.was_ready or facts.exit is not ExitReason.ASKED


def _while_alive(facts: Facts) -> Move:
    at_rest = Move.APPLY if facts.can_apply else Move.REST
    if facts.goal is Power.PAUSED and facts.power is Power.PAUSED:
        return Move.REFUSE if facts.is_snapshot_wanted else at_rest  # it was paused before its guest had come up
    if facts.goal is Power.PAUSED:
        return Move.PAUSE
    if facts.power is Power.PAUSED:
        return Move.RESUME
    return at_rest if facts.was_ready else Move.ATTEND
