"""What can go wrong when waiting for an operation."""

from typing import Any

from nexus.kit.problems import Conflict, NotFound, Problem, ProblemBody
from nexus.manager.operations.models import Operation


class OperationNotFound(NotFound):
    code = "operation_not_found"


class Superseded(Conflict):
    """The wish that was waited for gave way to a newer one."""

    code = "superseded"


class OperationFailed(Problem):
    """The operation that was waited for failed: its own error, with the ids of what it was about."""

    def __init__(self, operation: Operation) -> None:
        stored: dict[str, Any] = operation.error or {}
        self._stored = ProblemBody.model_validate(stored)
        super().__init__(
            self._stored.error,
            suggestion=self._stored.suggestion,
            fault_message=self._stored.fault_message,
            subject_id=str(operation.subject_id),
            operation_id=str(operation.id),
        )

    def body(self, request_id: str | None) -> ProblemBody:
        told = {"request_id": request_id, "id": self.subject_id, "operation_id": self.operation_id}
        return self._stored.model_copy(update=told)
