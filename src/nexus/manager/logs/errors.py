"""What can be wrong with a request about logs."""

from nexus.kit.problems import InvalidField, WrongState


class LogSubjectMissing(InvalidField):
    code = "log_subject_missing"


class LogNotKept(WrongState):
    code = "log_not_kept"

    def __init__(self) -> None:
        super().__init__(
            "Cannot show the manager's log: it does not know of a file that it is kept in.",
            suggestion="Look where its service sends standard error, or set MANAGER_LOG_FILE.",
        )
