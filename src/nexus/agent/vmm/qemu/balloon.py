"""QEMU's balloon through its monitor: docs/virtio-balloon-stats.txt and qapi/machine.json of QEMU name what is used.

QEMU counts the other way round: its balloon's value is the memory that the guest keeps.
"""

from typing import Any

from nexus.agent.vmm.port import BalloonTarget
from nexus.agent.vmm.qemu.qmp import Qmp
from nexus.protocol.balloons import BalloonSeen, BalloonStats

DEVICE = "balloon0"
_PATH = f"/machine/peripheral/{DEVICE}"
MIB = 1 << 20
NOT_TOLD = 2**64 - 1
"""What QEMU says of a number that the guest has not told (-1)."""

_STATS = {
    "stat-swap-in": "swap_in",
    "stat-swap-out": "swap_out",
    "stat-major-faults": "major_faults",
    "stat-minor-faults": "minor_faults",
    "stat-free-memory": "free_memory",
    "stat-total-memory": "total_memory",
    "stat-available-memory": "available_memory",
    "stat-disk-caches": "disk_caches",
    "stat-htlb-pgalloc": "hugetlb_allocations",
    "stat-htlb-pgfail": "hugetlb_failures",
}


def device(*, deflates_on_oom: bool) -> list[str]:
    return ["-device", f"virtio-balloon-device,id={DEVICE},deflate-on-oom={'on' if deflates_on_oom else 'off'}"]


async def set_target(qmp: Qmp, target: BalloonTarget, *, memory_mib: int) -> None:
    """Raises QmpTrouble."""
    await qmp.execute("balloon", value=(memory_mib - target.amount_mib) * MIB)
    await qmp.execute("qom-set", path=_PATH, property="guest-stats-polling-interval", value=target.stats_s)


async def look(qmp: Qmp, target: BalloonTarget, *, memory_mib: int) -> BalloonSeen:
    """Raises QmpTrouble."""
    kept: dict[str, Any] = await qmp.execute("query-balloon")
    told: dict[str, Any] = await qmp.execute("qom-get", path=_PATH, property="guest-stats")
    return BalloonSeen(
        target_mib=target.amount_mib,
        actual_mib=memory_mib - round(kept["actual"] / MIB),
        stats=read_stats(told) if target.stats_s else None,
    )


def read_stats(told: dict[str, Any]) -> BalloonStats | None:
    """What QEMU has of the guest's numbers; None before the guest has told any."""
    if not told.get("last-update"):
        return None
    numbers: dict[str, int] = told["stats"]
    return BalloonStats.model_validate(
        {name: numbers[key] for key, name in _STATS.items() if 0 <= numbers.get(key, -1) < NOT_TOLD}
    )
