"""What an agent's error answers mean to whoever called."""

from pydantic import ValidationError

from nexus.kit.problems import AgentTrouble, NotFound, Problem, WrongState
from nexus.protocol.trouble import Gone, Refused, Retryable, Trouble, TroubleBody

PASSED_ON: tuple[type[Problem], ...] = (NotFound, WrongState, AgentTrouble)
"""What `as_problem` may make of an agent's answer, for the description of routes that pass on to one."""
_REFUSED = (400, 409, 422)


def trouble_of(status: int, content: bytes) -> Trouble:
    """Read an error answer: 404 is Gone, 400, 409 and 422 are Refused, everything else Retryable."""
    try:
        error = TroubleBody.model_validate_json(content).error
    except ValidationError:
        error = f"the agent answered {status}"
    if status == 404:
        return Gone(error)
    return Refused(error) if status in _REFUSED else Retryable(error)


def as_problem(trouble: Trouble, *, wish: str) -> Problem:
    """Tell a client what became of a call that was passed through to its VM.

    `wish` completes "Cannot …", e.g. "run a command on web-1".
    """
    match trouble:
        case Gone():
            return NotFound(f"Cannot {wish}: {trouble}.", suggestion="See whether it still runs.")
        case Refused():
            return WrongState(f"Cannot {wish}: {trouble}.")
        case Retryable():
            return AgentTrouble(f"Cannot {wish}: {trouble}.", suggestion="Try again in a moment.")
        case _:
            return AgentTrouble(f"Cannot {wish}: {trouble}.")
