"""Being asked to end (SIGTERM) as an exception: what a benchmark has begun, guests above all, is then cleaned up."""

import signal
from types import FrameType


def clean_up_when_asked_to_end() -> None:
    """From now on SIGTERM raises SystemExit in the main thread, once: whoever asks again does not break off the
    cleaning up."""
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)
