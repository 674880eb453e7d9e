"""What may be true at the end, from what was asked and answered: pure rules.

An answer of success says that a wish was recorded. Of two wishes the later counts; which was later is known only where
one was answered before the other was sent. A request whose answer was lost may have been carried out or not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from tests.chaos.plan import Ask


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """The answer was lost, and nobody asked again."""


TOLD_WITHIN_S = 240.0
RUNNING, PAUSED, STOPPED, GONE = "running", "paused", "stopped", "gone"
_ENDS = {
    Ask.START: RUNNING,
    Ask.REBOOT: RUNNING,
    Ask.RESUME: RUNNING,
    Ask.PAUSE: PAUSED,
    Ask.STOP: STOPPED,
    Ask.DELETE: GONE,
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One request and its outcome. `ended`: from when on nothing more comes of it."""

    number: int
    name: str
    ask: Ask
    began: float
    ended: float
    outcome: Outcome
    vm_id: str | None = None
    starts: bool = True
    """Of a create."""
    description: str | None = None
    """Of an edit: what it sets."""
    memory_mib: int | None = None
    """Of a create or a change of size: what it sets."""
    operation_id: str | None = None
    said: str = ""

    @property
    def end(self) -> str | None:
        """The state it leads to."""
        if self.ask is Ask.CREATE:
            return RUNNING if self.starts else STOPPED
        return _ENDS.get(self.ask)


@dataclass(frozen=True)
class GuestEnd:
    """A guest that was made to end by itself. It may be off from then on, until a wish is made by somebody who may have
    been told: within `TOLD_WITHIN_S` its host reports, and a manager draws its conclusion."""

    name: str
    """The VM's."""
    at: float

    @property
    def entry(self) -> Entry:
        """The same as a wish of which nobody knows whether it was recorded."""
        ended = self.at + TOLD_WITHIN_S
        return Entry(number=0, name="", ask=Ask.STOP, began=self.at, ended=ended, outcome=Outcome.UNKNOWN)

    def may_break(self, entry: Entry) -> bool:
        """Whether what was promised to this request may have failed for it."""
        return entry.began - TOLD_WITHIN_S < self.at < entry.ended + TOLD_WITHIN_S


def _last(entries: Sequence[Entry]) -> list[Entry]:
    """Those that may have been carried out after all others."""
    counted = [entry for entry in entries if entry.outcome is not Outcome.REFUSED]
    newest = max((entry.began for entry in counted if entry.outcome is Outcome.ACCEPTED), default=-inf)
    return [entry for entry in counted if entry.ended > newest]


def ends(entries: Iterable[Entry], *, ended: Iterable[GuestEnd] = ()) -> set[str]:
    """The states in which one VM may come to rest. `ended`: the times its guest was made to end by itself."""
    wishes = [entry for entry in entries if entry.end is not None] + [end.entry for end in ended]
    if any(entry.end == GONE and entry.outcome is Outcome.ACCEPTED for entry in wishes):
        return {GONE}
    possible = {entry.end for entry in _last(wishes) if entry.end is not None}
    if any(entry.end == GONE and entry.outcome is Outcome.UNKNOWN for entry in wishes):
        possible.add(GONE)
    return possible


def descriptions(entries: Iterable[Entry]) -> set[str]:
    """What one VM's description may be."""
    edits = [entry for entry in entries if entry.description is not None]
    certain = any(edit.outcome is Outcome.ACCEPTED for edit in edits)
    return {edit.description for edit in _last(edits) if edit.description is not None} | (set() if certain else {""})


def sizes(entries: Iterable[Entry]) -> set[int]:
    """How much memory one VM may be configured with, in MiB."""
    changes = [entry for entry in entries if entry.memory_mib is not None]
    return {change.memory_mib for change in _last(changes) if change.memory_mib is not None}
