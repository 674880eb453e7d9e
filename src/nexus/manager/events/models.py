"""An event as it stands in the log, and what a reader wants to hear of."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from nexus.manager.access.models import Actor


@dataclass(frozen=True)
class Event:
    seq: int
    at: datetime
    type: str
    subject_kind: str
    subject_id: UUID
    data: dict[str, Any]
    project_id: UUID
    owner_user_id: UUID | None


@dataclass(frozen=True)
class Wanted:
    """Which events a reader asked for; empty means all. A type ending in a dot is a prefix: `vm.`."""

    types: tuple[str, ...] = ()
    subject_kind: str | None = None
    subject_id: UUID | None = None

    def includes(self, event: Event, actor: Actor) -> bool:
        """Whether the reader wants this event and may see it."""
        return (
            event.project_id == actor.project_id
            and (actor.sees_only is None or event.owner_user_id == actor.sees_only)
            and (not self.types or any(_matches(event.type, wanted) for wanted in self.types))
            and self.subject_kind in (None, event.subject_kind)
            and self.subject_id in (None, event.subject_id)
        )


def _matches(type_: str, wanted: str) -> bool:
    return type_.startswith(wanted) if wanted.endswith(".") else type_ == wanted
