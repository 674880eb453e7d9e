"""An operation: a promise about one generation of a subject, and what became of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class Status(StrEnum):
    """RUNNING until the flow settles it. SUPERSEDED: a newer wish took its place before it came true."""

    RUNNING = "running"
    DONE = "done"
    SUPERSEDED = "superseded"
    FAILED = "failed"


@dataclass(frozen=True)
class Operation:
    """A row of `operations`; `error` is a ProblemBody as JSON, `result` what came of one over several things."""

    id: UUID
    project_id: UUID
    created_by_user_id: UUID | None
    subject_kind: str
    subject_id: UUID
    subject_name: str
    verb: str
    generation: int
    status: Status
    progress: int
    stage: str | None
    error: dict[str, Any] | None
    result: dict[str, Any] | None
    request_id: str | None
    deadline: datetime | None
    begun_at: datetime | None
    """When its host's first action was, for verbs whose time counts from there."""
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None

    @property
    def is_finished(self) -> bool:
        return self.status is not Status.RUNNING
