"""Errors as a person at a terminal meets them: the sentence, what to do about it, the request id; and an exit code.

Exit codes: 0 done; 1 the platform refused or failed; 2 the command line was wrong; 125 the CLI itself could not do its
work (manager out of reach, unreadable configuration, a bug); 130 interrupted. `vm exec` and `vm shell` end with the
guest's own code, and with 125 for everything else.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus.client.errors import ApiError

REFUSED = 1
USAGE = 2
OWN_FAILURE = 125
INTERRUPTED = 130


class CliFailure(Exception):
    """Something that stops a command, with the exit code it ends with."""

    def __init__(self, error: str, *, suggestion: str | None = None, exit_code: int = OWN_FAILURE) -> None:
        super().__init__(error)
        self.error = error
        self.suggestion = suggestion
        self.exit_code = exit_code


@dataclass(frozen=True)
class Report:
    """What to print for an error, one line each, and the exit code."""

    lines: tuple[str, ...]
    exit_code: int


def report(error: Exception) -> Report | None:
    """How to tell this error; None for one that is no part of the CLI's contract, which makes it a bug."""
    if isinstance(error, CliFailure):
        return _told(error.error, error.suggestion, exit_code=error.exit_code)
    # Imported here: by now the client has been in use, or there was no such error.
    from nexus.client.errors import ApiError, UnexpectedAnswer, Unreachable

    if isinstance(error, ApiError):
        return _refusal(error)
    if isinstance(error, Unreachable):
        way_out = "Is it running? `make up` or `nexus up` starts one on this machine; NEXUS_URL names another."
        return _told(str(error), way_out, exit_code=OWN_FAILURE)
    if isinstance(error, UnexpectedAnswer):
        return _told(str(error), "Check the URL with `nexus context list`.", exit_code=OWN_FAILURE)
    return None


def _refusal(error: "ApiError") -> Report:
    problem = error.problem
    suggestion = problem.suggestion
    if problem.status == 401 and problem.code == "not_signed_in":
        suggestion = "Sign in with `nexus login`."
    if problem.code == "invalid_field":  # about what was typed: where that stood in the request helps nobody
        return _told(problem.error, suggestion, exit_code=REFUSED)
    details = [problem.fault_message] if problem.fault_message and problem.fault_message != problem.error else []
    if problem.request_id:
        details.append(f"request {problem.request_id}")
    return _told(problem.error, suggestion, *details, exit_code=REFUSED)


def _told(error: str, suggestion: str | None, *details: str, exit_code: int) -> Report:
    lines = [f"Error: {error}", *([suggestion] if suggestion else []), *(f"({detail})" for detail in details)]
    return Report(tuple(lines), exit_code)
