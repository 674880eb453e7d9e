"""What the driver remembers of a machine on disk: which launch, in which jail, as which process, and how it ended.

Written before a process is given to the machine, after, and when it ended, each time atomically: a driver killed in
between knows what to look for, and every jail that no record names is nobody's.
"""

from datetime import datetime
from pathlib import Path
from uuid import UUID

from pydantic import Field, ValidationError

from nexus.agent.storage.files import write_atomically
from nexus.protocol.base import Message
from nexus.protocol.machines import ExitReason


class ExitRecord(Message):
    reason: ExitReason
    why: str
    at: datetime


class DriveRecord(Message):
    """What a drive of a running machine is called: by Firecracker, in the jail, and outside of it."""

    drive_id: str
    name: str
    read_only: bool
    path: Path


class VmmRecord(Message):
    """`jail`: None before one was found and after it was removed. `is_booted`: the guest was started in it."""

    launch: int
    host_boot_id: str
    jail: UUID | None = None
    uid: int = 0
    owner: int = 0
    """Whose the machine's disks are while it is off."""
    pid: int | None = None
    start_ticks: int | None = None
    started_at: datetime | None = None
    is_booted: bool = False
    wants_statistics: bool = False
    """Whether somebody asked for what the guest tells of its memory."""
    console_bytes: int | None = None
    """How much of its console is kept; None: as much as of other logs."""
    console_start: int = 0
    """How long the console's log was when it was launched."""
    memory_mib: int = 0
    devices: tuple[str, ...] | None = None
    """What its guest sees (`snapshots.layout`); None: it was launched before that was written down."""
    taps: tuple[str, ...] = ()
    """Of its interfaces, as the host's network has them."""
    is_restored: bool = False
    """Its guest goes on from a snapshot."""
    drives: dict[UUID, DriveRecord] = Field(default_factory=dict[UUID, DriveRecord])
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


def jails_in_use(machines: Path) -> set[UUID]:
    """Jails that machines' records name. Raises OSError for a record that is there and cannot be read: what it names
    must not be taken for nobody's."""
    found: set[UUID] = set()
    for path in machines.glob("*/vmm.json"):
        try:
            known = load(path)
        except ValidationError as foreign:
            raise OSError(f"{path} is not a record of this driver") from foreign
        if known is not None and known.jail is not None:
            found.add(known.jail)
    return found
