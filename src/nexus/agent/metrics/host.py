"""What this host uses, from /proc and the file system of the machines' disks."""

import os
import shutil
import time
from pathlib import Path
from typing import Any

import psutil

from nexus.agent.metrics.usage import Usage
from nexus.kit.clock import Clock
from nexus.protocol.metrics import Source

_IDLE = ("idle", "iowait")
_PART_OF_OTHERS = ("guest", "guest_nice")
"""Counted in user and nice already (proc(5))."""


class HostMeter:
    """Remembers its last reading. `disks`: a directory on the file system that holds the machines' disks."""

    def __init__(self, disks: Path, *, clock: Clock) -> None:
        self._disks = disks
        self._clock = clock
        self._last: tuple[float, float, float] | None = None

    def read(self) -> Usage | None:
        """What was used since the last call; None at the first."""
        times: dict[str, float] = _cpu_times()
        total = sum(seconds for name, seconds in times.items() if name not in _PART_OF_OTHERS)
        busy = total - sum(times.get(name, 0.0) for name in _IDLE)
        now_s = time.monotonic()
        last, self._last = self._last, (now_s, busy, total)
        if last is None or total <= last[2] or now_s <= last[0]:
            return None
        memory, storage = psutil.virtual_memory(), shutil.disk_usage(self._disks)
        return Usage(
            at=self._clock.now(),
            span_s=now_s - last[0],
            cpus=os.cpu_count() or 1,
            cpu_percent=round(min(100.0, max(0.0, 100 * (busy - last[1]) / (total - last[2]))), 2),
            cpu_source=Source.HOST,
            memory_used_kib=(memory.total - memory.available) // 1024,
            memory_total_kib=memory.total // 1024,
            storage=(storage.used, storage.total),
        )


def _cpu_times() -> dict[str, float]:
    times: Any = psutil.cpu_times()
    return times._asdict()
