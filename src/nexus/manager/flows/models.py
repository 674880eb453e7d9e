"""What a step may say comes next."""

from dataclasses import dataclass
from uuid import UUID

DECIDE = "decide"
"""The step every flow starts with and every nap ends in: the engine asks `Flow.decide` which step is due."""


@dataclass(frozen=True)
class Hop:
    """Go on with `step` at once. `found` is what an `@on_agent` step brought home; see `Flow.absorb`."""

    step: str
    found: object = None


@dataclass(frozen=True)
class Nap:
    """Let go until `seconds` have passed or somebody wakes the flow; None: only a wake moves it."""

    seconds: float | None
    why: str
    found: object = None


@dataclass(frozen=True)
class Finish:
    """Nothing is left to do; the flow's row goes. A wake that came meanwhile keeps it and decides anew."""

    found: object = None


Next = Hop | Nap | Finish


def hop(step: str = DECIDE, found: object = None) -> Hop:
    """Continue with `step`; without one, decide anew from fresh facts."""
    return Hop(step, found)


def nap(seconds: float | None, why: str, found: object = None) -> Nap:
    """Wait, saying why in words a person may read: `nap(1, "guest is shutting down", seen)`."""
    return Nap(seconds, why, found)


def finish(found: object = None) -> Finish:
    return Finish(found)


@dataclass(frozen=True)
class Claim:
    """A flow that this process moves, as long as its lease holds."""

    subject_kind: str
    subject_id: UUID
    flow: str
    step: str
    lease: UUID
    attempts: int
    is_overdue: bool
