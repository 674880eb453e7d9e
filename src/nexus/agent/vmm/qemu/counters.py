"""What a VMM process has used: CPU and memory from /proc, disk traffic from QEMU."""

import os
from pathlib import Path
from typing import Any

from nexus.agent.vmm.port import VmmCounters
from nexus.agent.vmm.qemu.qmp import Qmp

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


async def read_counters(pid: int, qmp: Qmp) -> VmmCounters:
    """Raises FileNotFoundError or ProcessLookupError when the process is gone, QmpTrouble when QEMU is silent."""
    cpu_seconds, memory_rss_kib = _process(pid)
    stats: list[dict[str, Any]] = await qmp.execute("query-blockstats")
    return VmmCounters(
        cpu_seconds=cpu_seconds,
        memory_rss_kib=memory_rss_kib,
        disk_read_bytes=sum(disk["stats"]["rd_bytes"] for disk in stats),
        disk_written_bytes=sum(disk["stats"]["wr_bytes"] for disk in stats),
    )


def _process(pid: int) -> tuple[float, int]:
    """(CPU seconds, resident KiB)"""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    resident_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND, resident_pages * PAGE_KIB
