"""Problems: errors meant for the person or program that asked.

A Problem is made from facts and writes its own sentence: the object, the obstacle, the way out. It carries its HTTP
status and a stable `code`, and looks the same on every route (`ProblemBody`).
"""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, Field


class ProblemBody(BaseModel):
    """What every error answer holds, on every route."""

    error: str = Field(description="What went wrong, in one sentence that names the object")
    suggestion: str | None = Field(default=None, description="What to do about it")
    fault_message: str | None = Field(default=None, description="The cause in more detail, where there is one")
    status: int = Field(description="The HTTP status, repeated for clients that only see the body")
    code: str = Field(description="A stable name for this kind of error, to branch on")
    request_id: str | None = Field(default=None, description="Quote this when asking for help; the logs carry it too")
    id: str | None = Field(default=None, description="The object concerned, when the error ends a wait on it")
    operation_id: str | None = Field(default=None, description="The failed operation, when the error ends a wait on it")


class Problem(Exception):
    """An error with an answer. Subclasses fix `status` and `code`; the message is the `error` sentence."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"

    def __init__(
        self,
        error: str,
        *,
        suggestion: str | None = None,
        fault_message: str | None = None,
        subject_id: str | None = None,
        operation_id: str | None = None,
    ) -> None:
        super().__init__(error)
        self.error = error
        self.suggestion = suggestion
        self.fault_message = fault_message
        self.subject_id = subject_id
        self.operation_id = operation_id
        self.headers: Mapping[str, str] = {}
        """What the answer's header says besides."""

    def body(self, request_id: str | None) -> ProblemBody:
        return ProblemBody(
            error=self.error,
            suggestion=self.suggestion,
            fault_message=self.fault_message,
            status=self.status,
            code=self.code,
            request_id=request_id,
            id=self.subject_id,
            operation_id=self.operation_id,
        )


class Malformed(Problem):
    status, code = 400, "malformed"


class NotSignedIn(Problem):
    status, code = 401, "not_signed_in"


class NotAllowed(Problem):
    status, code = 403, "not_allowed"


class NotFound(Problem):
    status, code = 404, "not_found"


class Conflict(Problem):
    status, code = 409, "conflict"


class NameTaken(Conflict):
    code = "name_taken"


class WrongState(Conflict):
    code = "wrong_state"


class InvalidField(Problem):
    status, code = 422, "invalid_field"


class AgentTrouble(Problem):
    status, code = 502, "agent_trouble"


class NoCapacity(Problem):
    status, code = 503, "no_capacity"
