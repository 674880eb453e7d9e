"""A clock that is wrong, for one process of a chaos run; the machine's own is never touched."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class SkewedClock:
    """The machine's clock, off by `skew` (`nexus.kit.clock.Clock`)."""

    skew: timedelta

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skew
