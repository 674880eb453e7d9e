"""Time as a dependency, so that a test or a chaos run can skew one process's clock without touching the machine's."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, in UTC and aware of it."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)
