"""What was used, added up in minutes of the clock, and kept until the manager has it.

A manager that is away for less than an hour misses no minute. Longer than that is not kept: it would not take it.
"""

import math
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import ValidationError

from nexus.agent.metrics.usage import Usage
from nexus.kit import log
from nexus.protocol.metrics import MachineMinute, Source

_log = log.get("nexus.agent.metrics")

MINUTE = timedelta(minutes=1)
OPEN_FOR = timedelta(seconds=75)
"""A minute is closed so long after it began: a sample that ends in the next one may belong to it."""
KEPT_FOR = timedelta(minutes=55)
MOST_KEPT = 60_000


@dataclass
class _Sum:
    span_s: float = 0.0
    guest_s: float = 0.0
    cpu_s: float = 0.0
    cpus: int = 1
    cpu_max_percent: float = 0.0
    memory_s_kib: float = 0.0
    memory_total_kib: int = 0
    net: tuple[int, int] | None = None
    disk: tuple[int, int] | None = None
    storage: tuple[int, int] | None = None

    def add(self, usage: Usage) -> None:
        self.span_s += usage.span_s
        self.guest_s += usage.span_s if usage.cpu_source is Source.GUEST else 0.0
        self.cpu_s += usage.cpu_percent / 100 * usage.cpus * usage.span_s
        self.cpus = usage.cpus
        self.cpu_max_percent = max(self.cpu_max_percent, usage.cpu_percent)
        self.memory_s_kib += usage.memory_used_kib * usage.span_s
        self.memory_total_kib = usage.memory_total_kib
        self.net = _added(self.net, usage.net)
        self.disk = _added(self.disk, usage.disk)
        self.storage = usage.storage or self.storage

    def minute(self, source: UUID, at: datetime) -> MachineMinute:
        span_ms = max(1, round(1000 * self.span_s))
        return MachineMinute(
            id=source,
            at=at,
            span_ms=span_ms,
            guest_ms=min(span_ms, round(1000 * self.guest_s)),
            cpu_ms=round(1000 * self.cpu_s),
            cpus=self.cpus,
            cpu_max_percent=self.cpu_max_percent,
            memory_used_kib=round(self.memory_s_kib / self.span_s),
            memory_total_kib=self.memory_total_kib,
            net_in_bytes=self.net[0] if self.net else None,
            net_out_bytes=self.net[1] if self.net else None,
            disk_read_bytes=self.disk[0] if self.disk else None,
            disk_write_bytes=self.disk[1] if self.disk else None,
            storage_used_bytes=self.storage[0] if self.storage else None,
            storage_total_bytes=self.storage[1] if self.storage else None,
        )


class Minutes:
    """Minutes of machines, or of the host, that are open or wait to be delivered."""

    def __init__(self) -> None:
        self._open: dict[tuple[datetime, UUID], _Sum] = {}
        self._closed: deque[MachineMinute] = deque(maxlen=MOST_KEPT)

    def add(self, source: UUID, usage: Usage) -> None:
        """Count it to the minute in which the middle of its span lies."""
        middle = usage.at - timedelta(seconds=usage.span_s / 2)
        self._open.setdefault((_minute_of(middle), source), _Sum()).add(usage)

    def close(self, *, now: datetime) -> None:
        """Have minutes that are over wait for delivery, and forget what nobody would take any more."""
        for key in [key for key in self._open if key[0] + OPEN_FOR <= now]:
            self._close(*key, self._open.pop(key))
        while self._closed and self._closed[0].at + KEPT_FOR < now:
            self._closed.popleft()

    def _close(self, at: datetime, source: UUID, sums: _Sum) -> None:
        """A guest whose counters swing adds up to what no machine can do, and what nobody would take."""
        try:
            self._closed.append(sums.minute(source, at))
        except ValidationError as unfit:
            why = "; ".join(f"{error['loc'][0]}: {error['msg']}" for error in unfit.errors())
            _log.warning("minute_dropped", source=str(source), at=at.isoformat(), why=why)

    def waiting(self, most: int) -> tuple[MachineMinute, ...]:
        """The oldest that wait; they wait on until `delivered`."""
        return tuple(self._closed[place] for place in range(min(most, len(self._closed))))

    def delivered(self, count: int) -> None:
        """The oldest `count` have arrived."""
        for _ in range(min(count, len(self._closed))):
            self._closed.popleft()


def _minute_of(moment: datetime) -> datetime:
    return datetime.fromtimestamp(math.floor(moment.timestamp() / 60) * 60, UTC)


def _added(sums: tuple[int, int] | None, more: tuple[int, int] | None) -> tuple[int, int] | None:
    if sums is None or more is None:
        return sums or more
    return sums[0] + more[0], sums[1] + more[1]
