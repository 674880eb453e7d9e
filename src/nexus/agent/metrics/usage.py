"""From counters to use: what was used between two readings. Pure.

Counters are whole numbers, or seconds as doubles (exact to a microsecond after a century), and only their differences
are ever divided: a machine's CPU is as right after a year as after a minute. A counter that went back began anew with
whatever it counts, so that all it says now was used since; a boot's counters begin with its VMM.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from nexus.protocol.guest import GuestMetrics
from nexus.protocol.metrics import Source

_N = TypeVar("_N", int, float)

YOUNG_S = 15.0
"""A boot first seen at this age is counted from its beginning; before an older one's first reading nothing is known."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A machine's counters at one moment: of `boot`, whose VMM was started `age_s` ago. `clock_s` is monotonic. Traffic
    is None where the host cannot see it."""

    at: datetime
    clock_s: float
    boot: int
    age_s: float
    vcpus: int
    memory_kib: int
    cpu_s: float
    rss_kib: int
    disk_read_bytes: int
    disk_write_bytes: int
    net_in_bytes: int | None = None
    net_out_bytes: int | None = None
    guest: GuestMetrics | None = None

    @property
    def net_source(self) -> Source | None:
        if self.net_in_bytes is not None:
            return Source.HOST
        return Source.GUEST if self.guest is not None else None

    @property
    def traffic(self) -> tuple[int, int] | None:
        """(received, sent) since the boot."""
        if self.net_in_bytes is not None and self.net_out_bytes is not None:
            return self.net_in_bytes, self.net_out_bytes
        if self.guest is None:
            return None
        each = self.guest.interfaces
        return sum(one.received_bytes for one in each), sum(one.sent_bytes for one in each)

    @property
    def memory(self) -> tuple[int, int, Source]:
        """(used KiB, total KiB, who says so)"""
        if self.guest is not None and self.guest.memory_total_kib > 0:
            total = self.guest.memory_total_kib
            return max(0, total - self.guest.memory_available_kib), total, Source.GUEST
        return min(self.rss_kib, self.memory_kib), self.memory_kib, Source.HOST


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What was used in the `span_s` seconds that ended `at`; CPU in per cent of all `cpus` together."""

    at: datetime
    span_s: float
    cpus: int
    cpu_percent: float
    cpu_source: Source
    vmm_cpu_percent: float = 0.0
    """Of one core, and of the VMM: what the guest costs its host."""
    memory_used_kib: int
    memory_total_kib: int
    net: tuple[int, int] | None = None
    disk: tuple[int, int] | None = None
    storage: tuple[int, int] | None = None
    """(used, total) bytes of the root file system."""


def between(earlier: Reading | None, later: Reading) -> Usage | None:
    """What was used from one reading to the next; None where too little is known to say."""
    if earlier is not None and earlier.boot != later.boot:
        earlier = None
    if earlier is None and later.age_s > YOUNG_S:
        return None
    span_s = later.age_s if earlier is None else later.clock_s - earlier.clock_s
    if span_s <= 0:
        return None
    percent, source = _cpu(earlier, later, span_s)
    used, total, _ = later.memory
    return Usage(
        at=later.at,
        span_s=span_s,
        cpus=later.vcpus,
        cpu_percent=percent,
        cpu_source=source,
        vmm_cpu_percent=round(100 * _vmm_cpu_s(earlier, later) / span_s, 1),
        memory_used_kib=used,
        memory_total_kib=total,
        net=_net(earlier, later),
        disk=(
            _grown(earlier.disk_read_bytes if earlier else 0, later.disk_read_bytes),
            _grown(earlier.disk_write_bytes if earlier else 0, later.disk_write_bytes),
        ),
        storage=_storage(later.guest),
    )


def _cpu(earlier: Reading | None, later: Reading, span_s: float) -> tuple[float, Source]:
    """As a part of what the guest counted where it was asked twice: a guest that gets less time than it wants (emulated
    on a busy host, it misses ticks of its clock) is busy all the same."""
    before, now = earlier.guest if earlier else None, later.guest
    if before is not None and now is not None:
        if now.uptime_s < before.uptime_s:
            before = None  # it has restarted: all it counts is since then
        had_s = _had_s(now, later.vcpus) - (_had_s(before, later.vcpus) if before else 0.0)
        used_s = _grown(before.cpu_seconds if before else 0.0, now.cpu_seconds)
        if had_s > 0:
            return _percent(used_s, had_s), Source.GUEST
    return _percent(_vmm_cpu_s(earlier, later), span_s * later.vcpus), Source.HOST


def _had_s(guest: GuestMetrics, vcpus: int) -> float:
    """Seconds of CPU that it could have used since its boot, by its own count."""
    return guest.cpu_total_seconds if guest.cpu_total_seconds is not None else guest.uptime_s * vcpus


def _vmm_cpu_s(earlier: Reading | None, later: Reading) -> float:
    return _grown(earlier.cpu_s if earlier else 0.0, later.cpu_s)


def _net(earlier: Reading | None, later: Reading) -> tuple[int, int] | None:
    now, before = later.traffic, earlier.traffic if earlier else (0, 0)
    if now is None or before is None or (earlier and earlier.net_source is not later.net_source):
        return None
    return _grown(before[0], now[0]), _grown(before[1], now[1])


def _storage(guest: GuestMetrics | None) -> tuple[int, int] | None:
    if guest is None or guest.root_total_bytes <= 0:
        return None
    return max(0, guest.root_total_bytes - guest.root_free_bytes), guest.root_total_bytes


def _percent(used: float, of: float) -> float:
    return round(min(100.0, max(0.0, 100 * used / of)), 2)


def _grown(before: _N, now: _N) -> _N:
    return now - before if now >= before else now
