"""What a snapshot needs next: pure rules over what is wanted, how far it is, and what its VM does."""

from dataclasses import dataclass
from enum import StrEnum

from nexus.manager.machines.lifecycle import Facts as MachineFacts
from nexus.manager.machines.lifecycle import Goal, is_reached
from nexus.manager.snapshots.models import Purpose, SnapshotState


class Move(StrEnum):
    """What to do about a snapshot next; each is a step of the flow but the last two."""

    TAKE = "take"
    """Have its host take it."""
    RECEIVE = "receive"
    """See how far it has come in."""
    GIVE_UP = "give_up"
    """It cannot come to be: say why, and let its VM go on."""
    POWER_OFF = "power_off"
    """What the VM was is safe: suspend it."""
    SETTLE = "settle"
    """All that was promised is so."""
    DISCARD = "discard"
    """Have its host remove it."""
    ERASE = "erase"
    """Forget it: no host has anything of it."""
    WAIT = "wait"
    """For its host to know its VM as it is, its VM to stand still or be off, clones to run, or diffs to be gone."""
    REST = "rest"
    """Nothing is wanted of it."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    purpose: Purpose
    state: SnapshotState
    is_wanted: bool
    host_is_lost: bool = False
    is_promised: bool = True
    """Whether an operation still runs on it."""
    vm: MachineFacts | None = None
    """The machine of its VM; None: that is gone."""
    vm_generation: int | None = None
    """Which wish of its VM this goes with; any other is somebody's who wanted something else."""
    goes_after_diffs: bool = False
    """Whether diffs are over it that are going too."""
    is_imported: bool = False
    """Whether it comes as an archive, and has no VM."""
    clones_move: bool = False
    """Whether clones have yet to begin from it."""


def decide(facts: Facts) -> Move:
    """The next move for a snapshot."""
    if not facts.is_wanted:
        return Move.ERASE if facts.host_is_lost else Move.WAIT if facts.goes_after_diffs else Move.DISCARD
    if facts.state is SnapshotState.CREATING:
        return _while_creating(facts)
    if facts.state is not SnapshotState.COMPLETED or not facts.is_promised:
        return Move.REST
    if facts.purpose is Purpose.SUSPEND:
        return _while_suspending(facts)
    return Move.WAIT if facts.clones_move else Move.SETTLE


def _while_creating(facts: Facts) -> Move:
    if obstacle(facts) is not None:
        return Move.GIVE_UP
    if facts.is_imported:
        return Move.RECEIVE
    is_moving = facts.purpose is Purpose.SUSPEND and not (facts.vm and is_reached(facts.vm))
    return Move.WAIT if is_moving or not _is_told(facts) else Move.TAKE


def _is_told(facts: Facts) -> bool:
    """Whether its host knows the VM as it is now: what it takes is what is remembered of the VM."""
    return facts.vm is None or facts.vm.seen_generation >= facts.vm.generation


def _while_suspending(facts: Facts) -> Move:
    if facts.vm is not None and facts.vm.is_suspended:
        return Move.SETTLE if is_reached(facts.vm) else Move.GIVE_UP if facts.vm.obstacle else Move.WAIT
    return Move.GIVE_UP if obstacle(facts) else Move.POWER_OFF


def obstacle(facts: Facts) -> str | None:
    """Why it cannot come to be, if that is known."""
    if facts.host_is_lost:
        return "Its host was given up for lost."
    if facts.is_imported:
        return None
    if facts.vm is None or facts.vm.goal is Goal.GONE:
        return "The VM was deleted meanwhile."
    if facts.purpose is not Purpose.SUSPEND:
        return None
    if facts.vm.obstacle:
        return facts.vm.obstacle
    return "Something else was asked of the VM meanwhile." if facts.vm.generation != facts.vm_generation else None
