"""A bulk and its items: one verb, many VMs, and what became of each."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from nexus.manager.access import Actor
from nexus.manager.subjects import Subject
from nexus.manager.vms.lifecycle import Verb

KIND = "bulk"
FLOW = "bulk"
MOST_ITEMS = 1000


class BulkVerb(StrEnum):
    """What can be asked of many VMs at once."""

    START = "start"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    DELETE = "delete"

    @property
    def verb(self) -> Verb:
        return Verb(self.value)


class ItemStatus(StrEnum):
    """What became of one VM of a bulk."""

    WAITING = "waiting"
    """Its turn has not come."""
    RUNNING = "running"
    """Wished for; its own operation says how it goes."""
    DONE = "done"
    UNCHANGED = "unchanged"
    """It was there already."""
    FAILED = "failed"
    """Refused, or it did not come true; its error says why."""


@dataclass(frozen=True, kw_only=True)
class Bulk:
    """`actor` is None once whoever asked is no user any more."""

    id: UUID
    project_id: UUID
    actor: Actor | None
    verb: BulkVerb
    grace_s: int
    waiting: int
    running: int
    failed: int
    total: int

    @property
    def subject(self) -> Subject:
        return subject_of(self.id, self.project_id, self.total)

    @property
    def percent(self) -> int:
        return 100 * (self.total - self.waiting - self.running) // self.total if self.total else 100


@dataclass(frozen=True)
class Turn:
    """The item whose turn it is."""

    position: int
    vm_id: UUID
    vm_name: str


def subject_of(bulk_id: UUID, project_id: UUID, total: int) -> Subject:
    return Subject(KIND, bulk_id, "1 VM" if total == 1 else f"{total} VMs", project_id)


Error = dict[str, Any]
"""A ProblemBody as JSON."""
