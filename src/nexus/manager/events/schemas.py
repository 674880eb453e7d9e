"""Events on the wire."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from nexus.manager.events.models import Event


class EventBody(BaseModel):
    """Something that happened. Numbers follow each other without a gap, though not all are yours to see."""

    seq: int = Field(description="Its number; pass the last one seen as `since` to go on from there")
    at: datetime = Field(description="When it was committed")
    type: str = Field(description="noun.what: vm.created, vm.state_changed, operation.updated …")
    subject_kind: str = Field(description="What it happened to: vm, operation, host …")
    subject_id: UUID = Field(description="The id of what it happened to")
    data: dict[str, Any] = Field(description="What is worth knowing at once; fetch the object for the rest")

    @classmethod
    def of(cls, event: Event) -> "EventBody":
        return cls.model_validate(event, from_attributes=True)


class Marker(BaseModel):
    """What the stream says about itself, in the place of an event.

    `hello` comes first; `heartbeat` when nothing else has come for a while; `dropped` last, to a reader that is too
    slow, signed out, or told to come back because the manager stops."""

    type: str = Field(description="hello, heartbeat or dropped")
    seq: int = Field(description="Everything up to this number has been told, as far as it was wanted")
    why: str | None = Field(default=None, description="With dropped: the reason, and what to do")
