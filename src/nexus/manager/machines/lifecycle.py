"""What a machine needs next: pure rules over what is wished and what was seen.

First boot, crash, host restart and deletion all pass through `decide`; there is no other path and no undo. Nothing here
knows a clock, a database or an agent, so that every combination can be put into a table and tested.
"""

from dataclasses import dataclass
from enum import StrEnum

from nexus.protocol.machines import Exit, ExitReason, GuestPhase, Power

FAULT_PATIENCE_S = 15
"""How long a host may report a fault, and try again, before the wish counts as failed."""


class Goal(StrEnum):
    """What a user wants of a machine."""

    ON = "on"
    PAUSED = "paused"
    OFF = "off"
    GONE = "gone"

    @property
    def power(self) -> Power:
        """The hypervisor's share of this goal."""
        return Power.ABSENT if self is Goal.GONE else Power(self.value)


class RestartPolicy(StrEnum):
    """What becomes of a running machine whose host restarted."""

    ALWAYS = "always"
    """It is started again."""
    NEVER = "never"
    """It stays off, and says why."""


class Move(StrEnum):
    """What to do about a machine next."""

    DEFINE = "define"
    """Send its definition: the host does not know this generation."""
    POWER = "power"
    """Send what the hypervisor should do."""
    WAIT = "wait"
    """Nothing to send: the snapshot it begins from is being taken, the boot is being prepared, the guest comes up, its
    host changes something in the running machine, or tries to get over a fault."""
    SETTLE = "settle"
    """The wish has come true."""
    CONCLUDE = "conclude"
    """A boot ended by itself: change the wish to what that means (`conclude`)."""
    GIVE_UP = "give_up"
    """A fault stands in the way; a user has to act."""
    DISCARD = "discard"
    """Remove it from its host."""
    ERASE = "erase"
    """Forget it: it has no host any more that could have anything of it."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The wish and the newest observation of one machine; see the table `machines` for each field."""

    goal: Goal
    generation: int = 1
    boot: int = 0
    restart_policy: RestartPolicy = RestartPolicy.NEVER
    fault: str | None = None
    seen: Power | None = None
    seen_guest: GuestPhase = GuestPhase.ABSENT
    seen_generation: int = 0
    seen_boot: int = 0
    seen_fault: str | None = None
    fault_persists: bool = False
    """Whether `seen_fault` has been there for `FAULT_PATIENCE_S`: until then its host may get over it by itself."""
    exit: Exit | None = None
    late: str | None = None
    """Why the wish counts as failed: it did not come true in time. It may still, and is pursued."""
    seen_applying: bool = False
    """Its host is changing something in the running machine."""
    is_abandoned: bool = False
    """Its host was given up; `fault` says so. Nothing of it can be reached, nor has to be."""
    restore_boot: int | None = None
    """The boot that begins from a snapshot."""
    restore_is_ready: bool = True
    """Whether that snapshot is complete."""
    restore_fault: str | None = None
    """Why it never will be."""

    @property
    def is_defined(self) -> bool:
        """Whether its host has ever confirmed a definition of it."""
        return self.seen is not None and self.seen_generation > 0

    @property
    def is_lost(self) -> bool:
        """Whether its host once had it and now says it does not."""
        return self.is_defined and self.seen is Power.ABSENT

    @property
    def is_current(self) -> bool:
        """Whether the boot that was asked for has begun (it may have ended since)."""
        return self.seen_boot >= self.boot

    @property
    def is_suspended(self) -> bool:
        """Whether its next boot, which nobody has asked for yet, goes on from a snapshot."""
        return self.restore_boot is not None and self.restore_boot > self.boot

    @property
    def is_unrestored(self) -> bool:
        """Whether its disks are not yet what the snapshot holds that it is to begin from."""
        return self.restore_boot is not None and self.seen_boot < self.restore_boot

    @property
    def awaits_snapshot(self) -> bool:
        """Whether the boot that was asked for cannot begin before a snapshot is complete."""
        is_wanted = self.goal in (Goal.ON, Goal.PAUSED) and not self.is_suspended
        return is_wanted and self.is_unrestored and not self.restore_is_ready

    @property
    def has_ended(self) -> bool:
        """Whether the boot that was asked for ended although it should run. One that has begun may still be off."""
        is_wanted = self.goal in (Goal.ON, Goal.PAUSED)
        return is_wanted and self.seen is Power.OFF and self.exit is not None and self.exit.boot >= self.boot > 0

    @property
    def has_fresh_fault(self) -> bool:
        """Whether its host has trouble with the present wish, and not one before."""
        return self.seen_fault is not None and self.seen_generation >= self.generation

    @property
    def obstacle(self) -> str | None:
        """Why the wish cannot come true, if that is known."""
        if self.fault:
            return self.fault
        if self.awaits_snapshot and self.restore_fault:
            return self.restore_fault
        if self.has_fresh_fault and self.fault_persists:
            return self.seen_fault
        return "Its host no longer has it; its disks are gone." if self.is_lost else None


def is_reached(facts: Facts) -> bool:
    """Whether the hypervisor does what is wished; the guest may still be booting."""
    if not facts.is_defined or facts.goal is Goal.GONE:
        return False
    if facts.goal is Goal.OFF:
        return facts.seen is Power.OFF
    return facts.seen is facts.goal.power and facts.is_current


def decide(facts: Facts) -> Move:
    """The next move for a machine."""
    if facts.goal is Goal.GONE:
        return Move.ERASE if facts.is_abandoned else Move.DISCARD
    if facts.is_abandoned:
        return Move.GIVE_UP
    if facts.has_ended and not facts.fault:
        return Move.CONCLUDE
    if facts.obstacle and not (facts.goal is Goal.OFF and is_reached(facts)):
        return Move.GIVE_UP
    if facts.awaits_snapshot:
        return Move.WAIT
    if facts.seen_generation < facts.generation or not facts.is_defined:
        return Move.DEFINE
    if is_reached(facts):
        is_booting = facts.goal is Goal.ON and facts.seen_guest is GuestPhase.BOOTING
        return Move.WAIT if is_booting or facts.seen_applying else Move.SETTLE
    is_preparing = facts.goal is Goal.ON and facts.seen is Power.OFF and facts.is_current
    return Move.WAIT if is_preparing or facts.has_fresh_fault else Move.POWER


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a boot that ended by itself means for the wish."""

    goal: Goal
    boots_again: bool = False
    fault: str | None = None
    why: str | None = None


_KILLED = (ExitReason.VMM_KILLED, ExitReason.GUEST_PANIC)
_FAILED = (ExitReason.VMM_FAILED, ExitReason.BOOT_TIMEOUT)


def conclude(goal: Goal, ended: Exit, *, restart_policy: RestartPolicy) -> Verdict:
    """Read the end of a boot that was meant to go on.

    A guest that reboots boots again, and is paused then if that was wished for meanwhile; so does a running machine
    whose host restarted, where its policy says so. A guest that powered itself off stays off, as does one whose VMM
    died under it (with a fault). A boot that never came up keeps its goal and has a fault.
    """
    comes_back = restart_policy is RestartPolicy.ALWAYS and goal is Goal.ON
    if ended.reason is ExitReason.GUEST_REBOOT or (ended.reason is ExitReason.HOST_REBOOTED and comes_back):
        return Verdict(goal=goal, boots_again=True, why=ended.why)
    if ended.reason in _FAILED:
        return Verdict(goal=goal, fault=ended.why, why=ended.why)
    if ended.reason in _KILLED:
        return Verdict(goal=Goal.OFF, fault=ended.why, why=ended.why)
    return Verdict(goal=Goal.OFF, why=ended.why)
