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
RUNNING, PAUSED, STOPPED, SUSPENDED, GONE = "running", "paused", "stopped", "suspended", "gone"
ERROR = "error"
COPIES = (Ask.INSTANTIATE, Ask.CLONE)
"""What makes VMs of others."""
_ENDS = {
    Ask.START: RUNNING,
    Ask.REBOOT: RUNNING,
    Ask.RESUME: RUNNING,
    Ask.PAUSE: PAUSED,
    Ask.STOP: STOPPED,
    Ask.SUSPEND: SUSPENDED,
    Ask.ROLLBACK: RUNNING,
    Ask.INSTANTIATE: RUNNING,
    Ask.CLONE: RUNNING,
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
    has_failed: bool = False
    """That operation."""
    snapshot_id: str | None = None
    """The one taken, deleted, gone back to, or begun from."""
    source_id: str | None = None
    """Of a VM that was made of another one: that one."""
    device: str | None = None
    """The drive or NIC that was added or removed."""
    bulk_verb: Ask | None = None
    """What was asked for in a bulk."""
    said: str = ""

    @property
    def end(self) -> str | None:
        """The state it leads to."""
        if self.ask is Ask.CREATE:
            return RUNNING if self.starts else STOPPED
        return _ENDS.get(self.bulk_verb or self.ask)

    @property
    def may_end(self) -> set[str]:
        """The states that may come of it: a VM that could not be suspended is what it was, and of one that could not
        be made something is there."""
        if self.end is None:
            return set()
        if self.ask is Ask.SUSPEND and (self.has_failed or self.outcome is not Outcome.ACCEPTED):
            return {SUSPENDED, RUNNING, PAUSED}
        return {self.end, ERROR} if self.ask in COPIES and self.has_failed else {self.end}


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
    possible = {state for entry in _last(wishes) for state in entry.may_end}
    if any(entry.end == GONE and entry.outcome is Outcome.UNKNOWN for entry in wishes):
        possible.add(GONE)
    return possible


def descriptions(entries: Iterable[Entry]) -> set[str]:
    """What one VM's description may be."""
    edits = [entry for entry in entries if entry.description is not None]
    certain = any(edit.outcome is Outcome.ACCEPTED for edit in edits)
    return {edit.description for edit in _last(edits) if edit.description is not None} | (set() if certain else {""})


def sizes(entries: Iterable[Entry]) -> set[int] | None:
    """How much memory one VM may be configured with, in MiB; None: what another one had, or it had once."""
    entries = [entry for entry in entries if entry.outcome is not Outcome.REFUSED]
    if any(entry.ask in (*COPIES, Ask.ROLLBACK) for entry in entries):
        return None
    changes = [entry for entry in entries if entry.memory_mib is not None]
    return {change.memory_mib for change in _last(changes) if change.memory_mib is not None}


def devices(entries: Iterable[Entry], *, added: Ask, removed: Ask) -> tuple[set[str], set[str]]:
    """The drives (or NICs) that one VM must have, and those that it may have."""
    must: set[str] = set()
    may: set[str] = set()
    told = list(entries)
    for entry in told:
        if entry.ask is added and entry.device is not None and entry.outcome is not Outcome.REFUSED:
            may.add(entry.device)
            if entry.outcome is Outcome.ACCEPTED:
                must.add(entry.device)
    for entry in told:
        if entry.ask is removed and entry.device is not None and entry.outcome is not Outcome.REFUSED:
            must.discard(entry.device)
            if entry.outcome is Outcome.ACCEPTED and not _may_follow(told, entry, added):
                may.discard(entry.device)
    return must, may


def _may_follow(entries: Iterable[Entry], removal: Entry, added: Ask) -> bool:
    """Whether the device may have been added after it was removed."""
    return any(
        entry.ask is added and entry.device == removal.device and entry.ended > removal.began for entry in entries
    )


def is_disturbed(entry: Entry, entries: Iterable[Entry]) -> bool:
    """Whether something else may have been done with its VM, or its snapshot, while it was carried out; or its VM never
    came to be, which is told of that."""
    about = {entry.vm_id, entry.source_id} - {None}
    return any(
        other is not entry
        and other.outcome is not Outcome.REFUSED
        and (other.ended > entry.began or (other.ask in COPIES and other.has_failed))
        and bool(about & {other.vm_id, other.source_id})
        for other in entries
    )
