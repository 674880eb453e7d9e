"""Operations on the wire, and the answers of every route that opens one."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from nexus.kit.problems import ProblemBody
from nexus.manager.operations.models import Operation, Status

Wait = Annotated[
    float | None,
    Query(ge=0, le=60, description="Seconds to wait for the operation to finish before answering (at most 60)"),
]


class OperationBody(BaseModel):
    """What became of a wish. Follow it with `GET /v1/operations/{id}?wait=` until `status` is not `running`."""

    id: UUID = Field(description="Id of the operation")
    verb: str = Field(description="What was asked for: create, start, stop, delete …")
    subject_kind: str = Field(description="What it is about: vm, image …")
    subject_id: UUID = Field(description="The id of what it is about")
    subject_name: str = Field(description="Its name when the operation began")
    status: Status = Field(description="running, then done, failed, or superseded by a newer wish for the same object")
    progress: int = Field(ge=0, le=100, description="Percent")
    stage: str | None = Field(description="What is being done right now, in words")
    error: ProblemBody | None = Field(description="Why it failed, as the request would have been answered")
    result: dict[str, Any] | None = Field(
        description="What came of it so far, where it is about several things; drain: `vms`, with an outcome for each"
    )
    created_at: datetime = Field(description="When it was asked for")
    updated_at: datetime = Field(description="When anything here last changed")
    finished_at: datetime | None = Field(description="When it stopped running")
    request_id: str | None = Field(description="The request that asked for it; the logs carry it too")

    @classmethod
    def of(cls, operation: Operation) -> "OperationBody":
        return cls.model_validate(operation, from_attributes=True)


class Outcome(BaseModel):
    """What creating and acting have in common in their answers."""

    operation_id: UUID | None = Field(
        default=None, description="Follow this to see it come true; null when nothing was left to do"
    )
    operation: OperationBody | None = Field(default=None, description="The operation itself; only with ?wait")
    status: Status | None = Field(
        default=None, description="done, or running when the wait ended before the operation; only with ?wait"
    )


class Done(Outcome):
    """The answer of an action: it is recorded, and with ?wait also done unless `status` says running."""

    ok: Literal[True] = True


class Created(Outcome):
    """The answer of a create."""

    id: UUID = Field(description="The new object's id")
