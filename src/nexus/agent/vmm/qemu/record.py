"""What the driver remembers of a machine on disk: what it launched, as which process, and how that ended.

Written before the VMM is spawned (without a pid), after (with it) and when it ended, each time atomically, so that a
driver killed in between knows what to look for.
"""

from datetime import datetime
from pathlib import Path

from nexus.agent.storage.files import write_atomically
from nexus.agent.vmm.port import BalloonTarget, Definition
from nexus.protocol.base import Message
from nexus.protocol.machines import ExitReason


class ExitRecord(Message):
    reason: ExitReason
    why: str
    at: datetime


class DeviceRecord(Message):
    """What of a running machine's devices QEMU cannot be asked for, or that is ours to do."""

    memory_mib: int
    balloon_mib: int = 0
    balloon_stats_s: int = 0
    console_bytes: int | None = None
    layout: tuple[str, ...] | None = None
    """What a guest sees of them (`snapshots.layout`). None: it was launched before there were snapshots."""

    @property
    def balloon(self) -> BalloonTarget:
        return BalloonTarget(self.balloon_mib, self.balloon_stats_s)

    @classmethod
    def of(cls, definition: Definition, *, layout: tuple[str, ...]) -> "DeviceRecord":
        return cls(
            memory_mib=definition.memory_mib,
            balloon_mib=definition.balloon.amount_mib,
            balloon_stats_s=definition.balloon.stats_s,
            console_bytes=definition.console_bytes,
            layout=layout,
        )


class VmmRecord(Message):
    """`host_boot_id`: the host's when the VMM was launched; another one means that it cannot be running. `console_from`
    and `log_from`: how long these logs were then; what is before was said by earlier boots."""

    launch: int
    host_boot_id: str
    uid: int
    pid: int | None = None
    start_ticks: int | None = None
    started_at: datetime | None = None
    console_from: int = 0
    log_from: int = 0
    devices: DeviceRecord | None = None
    """None: a release that had no balloon launched it."""
    exit: ExitRecord | None = None


def load(path: Path) -> VmmRecord | None:
    """None when nothing was ever launched."""
    try:
        return VmmRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None


def save(path: Path, record: VmmRecord) -> None:
    """Not synced to disk: after a crash of the host nothing of it is true any more anyway."""
    write_atomically(path, record.model_dump_json().encode(), durable=False)
