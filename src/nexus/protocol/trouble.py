"""Troubles: errors between our own processes, named by what the catcher should do."""

from nexus.protocol.base import Message


class Trouble(Exception):
    """Something went wrong between two of our processes."""


class Retryable(Trouble):
    """Passing: unreachable, busy, timed out. Try again later."""


class Refused(Trouble):
    """Final: the other side understood and will not. The message says why, in words a user may read."""


class Gone(Trouble):
    """The thing named does not exist there (any more)."""


class TroubleBody(Message):
    """The body of an agent's error answer: 404 is Gone, 400, 409 and 422 are Refused, everything else Retryable."""

    error: str
    code: str = "trouble"
