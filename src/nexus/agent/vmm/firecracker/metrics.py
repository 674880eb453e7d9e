"""What a VMM has used: CPU and memory from /proc, disk traffic from Firecracker's metrics.

Firecracker appends a line of JSON every minute and when told to, each with what happened since the line before. So
they are summed up, and what was summed is in a file beside the sum before it is freed: a restarted agent goes on from
there (fact 16).

What must stay true: sums never go back. So whoever reads or frees goes on from the sum before, one at a time.
"""

import json
import os
import threading
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from nexus.agent.storage.files import write_atomically
from nexus.agent.vmm import logs
from nexus.agent.vmm.firecracker.places import METRICS, open_file
from nexus.protocol.base import Message

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
MOST_LINE_BYTES = 1 << 20
KEEP_BYTES = 1 << 18


class Totals(Message):
    """`offset`: bytes of the metrics that are in the sums."""

    offset: int = 0
    disk_read_bytes: int = 0
    disk_written_bytes: int = 0


class MetricsFile:
    """Of one process, for all threads that ask. `root`: of the jail; `kept`: where the sums are kept."""

    def __init__(self, root: Path, kept: Path) -> None:
        self._root = root
        self._kept = kept
        self._totals: Totals | None = None
        self._turn = threading.Lock()

    def read(self) -> Totals:
        """Everything up to now. Raises OSError."""
        fd = open_file(self._root, METRICS)
        try:
            with self._turn:
                return self._sum_up(fd)
        finally:
            os.close(fd)

    def trim(self) -> None:
        """Free what has been summed, once it is much. Raises OSError."""
        fd = open_file(self._root, METRICS, os.O_RDWR)
        try:
            with self._turn:
                if os.fstat(fd).st_blocks * 512 > 2 * KEEP_BYTES:
                    summed = self._sum_up(fd)
                    self._keep(summed)
                    logs.free_head(fd, summed.offset)
                    self._keep(self._sum_up(fd))  # of a file that was emptied instead, from its beginning again
        finally:
            os.close(fd)

    def _sum_up(self, fd: int) -> Totals:
        totals = self._totals or self._known()
        if os.fstat(fd).st_size < totals.offset:  # emptied, where no holes can be punched
            totals = totals.model_copy(update={"offset": 0})
        while lines := _whole_lines(fd, totals.offset):
            totals = _sum(totals, lines)
        self._totals = totals
        return totals

    def _known(self) -> Totals:
        try:
            return Totals.model_validate_json(self._kept.read_bytes())
        except (FileNotFoundError, ValidationError):
            return Totals()

    def _keep(self, totals: Totals) -> None:
        write_atomically(self._kept, totals.model_dump_json().encode(), durable=False)


def process_usage(pid: int) -> tuple[float, int]:
    """(CPU seconds, resident KiB). Raises FileNotFoundError or ProcessLookupError."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    resident_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND, resident_pages * PAGE_KIB


def _whole_lines(fd: int, offset: int) -> bytes:
    data = os.pread(fd, MOST_LINE_BYTES, offset)
    end = data.rfind(b"\n") + 1
    if end == 0 and len(data) == MOST_LINE_BYTES:
        return data  # no line of Firecracker's: passed over
    return data[:end]


def _sum(totals: Totals, lines: bytes) -> Totals:
    read, written = totals.disk_read_bytes, totals.disk_written_bytes
    for line in lines.splitlines():
        block = _block(line)
        read += _count(block, "read_bytes")
        written += _count(block, "write_bytes")
    return Totals(offset=totals.offset + len(lines), disk_read_bytes=read, disk_written_bytes=written)


def _block(line: bytes) -> dict[str, Any]:
    """The sum over all drives; empty for anything that is no line of metrics."""
    try:
        said = cast(object, json.loads(line))
    except (ValueError, RecursionError):
        return {}
    block = cast(dict[str, object], said).get("block") if isinstance(said, dict) else None
    return cast(dict[str, Any], block) if isinstance(block, dict) else {}


def _count(block: dict[str, Any], name: str) -> int:
    value = block.get(name, 0)
    return value if isinstance(value, int) and 0 <= value < 1 << 62 else 0
