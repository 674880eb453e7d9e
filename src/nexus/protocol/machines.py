"""Machines as manager and agent speak of them.

The manager sends what should be (`MachineSpec`, `PowerWish`), each with the generation it belongs to; the agent
refuses an older generation than it has seen (`Refused`, code `stale_generation`) and answers with what is
(`MachineSeen`). Every request may be sent twice.

*Boots* are counted, not commanded: `PowerWish(power=ON, boot=3)` means "the third boot has happened". A machine whose
third boot has ended by itself (the guest powered off, the VMM was killed) stays off however often that wish is
repeated; the manager asks for boot 4 when it wants it on again. So a start can neither be lost nor happen twice.
"""

from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from nexus.kit.fields import MOST_INT4, MOST_INT8, Int4, Int8, Line, Text
from nexus.protocol.base import Message
from nexus.protocol.cpu import CpuConfig
from nexus.protocol.limits import RateLimiter

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
MacAddress = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")]
DeviceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,64}$")]
Told = Annotated[Text, StringConstraints(max_length=16384)]
"""What one side tells about something, for a person to read."""
MOST_VCPUS = 32
MOST_USER_DATA = 64 << 10
"""Characters."""
Hostname = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class Power(StrEnum):
    """What a machine's hypervisor does with it. ABSENT: this host has no such machine."""

    ON = "on"
    PAUSED = "paused"
    OFF = "off"
    ABSENT = "absent"


class GuestPhase(StrEnum):
    """Whether the in-guest agent answers. ABSENT: off, or the boot has no agent (a kernel with its own initramfs)."""

    BOOTING = "booting"
    READY = "ready"
    ABSENT = "absent"


class ExitReason(StrEnum):
    """Why the last boot ended."""

    ASKED = "asked"
    """We stopped it."""
    GUEST_SHUTDOWN = "guest_shutdown"
    """The guest powered itself off."""
    GUEST_REBOOT = "guest_reboot"
    """The guest asked for a reset; the manager answers with the next boot."""
    GUEST_PANIC = "guest_panic"
    VMM_KILLED = "vmm_killed"
    """The VMM ended by a signal that was not ours."""
    VMM_FAILED = "vmm_failed"
    """The VMM ended with an error, or could not be started."""
    HOST_REBOOTED = "host_rebooted"
    BOOT_TIMEOUT = "boot_timeout"
    """The guest did not come up before the agent's boot deadline, retries included."""


class DiskFormat(StrEnum):
    """What an image or disk holds. A squashfs is always a read-only base below an overlay."""

    SQUASHFS = "squashfs"
    EXT4 = "ext4"
    RAW = "raw"


class DiskRole(StrEnum):
    ROOT = "root"
    """Writable root file system, cloned from its image (ext4), or the read-only base (squashfs) below an overlay."""
    OVERLAY = "overlay"
    """The writable layer of a machine whose root is a read-only base."""
    DATA = "data"


class CacheType(StrEnum):
    """What becomes of what a guest has written before it asks for it to be kept; the names are Firecracker's."""

    UNSAFE = "Unsafe"
    """The host writes when it likes, even when the guest asked: for data that may be lost with the host."""
    WRITEBACK = "Writeback"
    """On disk when the guest asks for it, as with any disk that has a cache."""
    WRITETHROUGH = "Writethrough"
    """On disk with every write."""


class IoEngine(StrEnum):
    """How a hypervisor reads and writes a disk's file; the names are Firecracker's."""

    SYNC = "Sync"
    """By threads that wait."""
    ASYNC = "Async"
    """By io_uring."""


HostPath = Annotated[Line, StringConstraints(pattern=r"^/[^\x00]{0,1023}$")]
"""An absolute path on a host; whether it may be used is that host's to say (AGENT_DRIVE_ROOTS)."""


class DiskSpec(Message):
    """One disk. Disks appear in the guest as vda, vdb … in the order of `MachineSpec.disks`; one that was added while
    the machine ran comes after those it was started with."""

    id: UUID
    drive_id: DeviceName
    role: DiskRole
    format: DiskFormat
    image_sha256: Sha256 | None = Field(default=None, description="Content to start from; None: an empty disk")
    size_bytes: int | None = Field(
        default=None, ge=1, le=MOST_INT8, description="Grown to this; None: the image's own size"
    )
    read_only: bool = False
    path_on_host: HostPath | None = Field(
        default=None, description="A file of the host's own instead of one of the machine's; it is never removed"
    )
    cache_type: CacheType = CacheType.WRITEBACK
    io_engine: IoEngine = IoEngine.SYNC
    rate_limiter: RateLimiter | None = Field(default=None, description="Of reading and writing together")


class NetworkSpec(Message):
    """A network as the host must provide it. In user mode (no CAP_NET_ADMIN) bridge and addresses are not used."""

    id: UUID
    bridge: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,14}$")] = "fcbr0"
    gateway: IPv4Interface = Field(description="The host's address on the bridge, with prefix length")
    nat: bool = True


class NicSpec(Message):
    """One interface. `address` is what the guest is given in bridge mode; in user mode the agent chooses."""

    id: UUID
    iface_id: DeviceName
    mac: MacAddress
    network: NetworkSpec
    address: IPv4Interface | None = None
    dns: tuple[IPv4Address, ...] = Field(default=(), description="Name servers; empty: those of the host")
    rx_rate_limiter: RateLimiter | None = Field(default=None, description="Of what the guest receives")
    tx_rate_limiter: RateLimiter | None = Field(default=None, description="Of what the guest sends")


class GuestUser(Message):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")] = "root"
    password_hash: Annotated[str, StringConstraints(pattern=r"^[!-9;-~]{1,255}$")] | None = Field(
        default=None, description="crypt(5), SHA-512; None: login by password is locked"
    )
    ssh_authorized_keys: tuple[Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$")], ...] = ()


class GuestSpec(Message):
    """Who the guest is once it runs."""

    hostname: Hostname
    user: GuestUser = GuestUser()
    init: Annotated[str, StringConstraints(pattern=r"^/[!-~]{1,254}$")] = "/sbin/init"


class EntropyLimit(Message):
    """How much randomness a guest may draw: `size` bytes in `refill_time` milliseconds."""

    size: int = Field(ge=1, le=MOST_INT4, description="Bytes")
    refill_time: int = Field(ge=1, le=MOST_INT4, description="Milliseconds")


class LogLevel(StrEnum):
    """How much a hypervisor writes into its log; the names are Firecracker's."""

    OFF = "Off"
    ERROR = "Error"
    WARNING = "Warning"
    INFO = "Info"
    DEBUG = "Debug"
    TRACE = "Trace"


class MetadataSpec(Message):
    """What the metadata service in a guest answers (docs/protocol/guest.md)."""

    data: dict[str, Any] = Field(default_factory=dict[str, Any], description="The tree, besides what is always there")
    address: IPv4Address = IPv4Address("169.254.169.254")
    needs_token: bool = Field(default=False, description="Whether only those who fetch a token first are answered")
    is_plain: bool = Field(default=False, description="Text whatever is asked for, as EC2 answers")


class RestoreSpec(Message):
    """How a machine comes to be what a snapshot of this host holds: the first boot that is begun with a number of at
    least `boot` starts from it, memory and all where it holds memory; the machine's disks are made of it before. Later
    boots are ordinary ones of those disks."""

    snapshot: UUID = Field(description="A snapshot that this host has, of any machine")
    boot: int = Field(ge=1, le=MOST_INT4, description="The boot that begins from it")


LEAST_CONSOLE_BYTES = 64 << 10
MOST_CONSOLE_BYTES = 256 << 20


class MachineSpec(Message):
    """Everything an agent needs to define a machine. Content is named by digest; where files live is the agent's."""

    id: UUID
    generation: int = Field(ge=1, le=MOST_INT8)
    vcpus: int = Field(ge=1, le=MOST_VCPUS)
    memory_mib: int = Field(ge=128, le=MOST_INT4)
    kernel_sha256: Sha256
    initramfs_sha256: Sha256
    boot_args: Line | None = Field(
        default=None, max_length=1024, description="Appended to the driver's own kernel command line"
    )
    disks: tuple[DiskSpec, ...]
    nics: tuple[NicSpec, ...] = ()
    guest: GuestSpec
    has_guest_agent: bool = Field(default=True, description="False: the initramfs is a user's own, without our agent")
    balloon_mib: Int4 = Field(default=0, description="Memory that the guest is to give back, in MiB")
    balloon_deflates_on_oom: bool = Field(default=True, description="Whether a guest short of memory takes it back")
    balloon_stats_s: int = Field(
        default=0, ge=0, le=3600, description="How often the guest tells of its memory, in seconds; 0: not at all"
    )
    entropy_limit: EntropyLimit | None = None
    console_bytes: int | None = Field(
        default=None,
        ge=LEAST_CONSOLE_BYTES,
        le=MOST_CONSOLE_BYTES,
        description="How much of the serial console's log is kept at least; None: as much as the agent likes",
    )
    log_level: LogLevel | None = Field(default=None, description="Of the hypervisor's own log; None: its default")
    cpu_config: CpuConfig | None = None
    vsock_cid: int | None = Field(default=None, ge=3, le=2**32 - 2, description="Of a vsock for the guest's own use")
    metadata: MetadataSpec | None = Field(default=None, description="None: there is no metadata service")
    user_data: str | None = Field(default=None, max_length=MOST_USER_DATA, description="For cloud-init")
    restore: RestoreSpec | None = Field(default=None, description="A snapshot that a boot is to begin from")


class PowerWish(Message):
    """What the hypervisor should do. `boot` counts boots (see the module); `grace_s` only matters for OFF."""

    generation: int = Field(ge=1, le=MOST_INT8)
    power: Power
    boot: Int4
    grace_s: int = Field(default=30, ge=0, le=600, description="Seconds for an orderly shutdown before power is cut")


class MachineOrder(MachineSpec):
    """A definition with what the hypervisor should do with it, so that one request says both."""

    wish: PowerWish | None = Field(default=None, description="None: the wish that was accepted last stays")
    patience_ms: int = Field(
        default=0, ge=0, le=5000, description="How long the answer may wait for the machine to be as wished, and rest"
    )


class Exit(Message):
    """How the last boot ended, with a sentence a user may read."""

    boot: Int4 = Field(description="Which boot ended")
    reason: ExitReason = Field(description="Why it ended")
    why: Told = Field(description="The same in a sentence for a user")
    at: datetime = Field(description="When it ended")


PendingName = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}(\.[A-Za-z0-9_]{1,64})?$")]
"""A part of a definition that a running boot may lack: `vcpus`, `boot_args`, `drives.data`, `nics.eth1` …"""


MOST_WARNINGS, LONGEST_WARNING = 16, 300
GuestWarning = Annotated[Line, StringConstraints(max_length=LONGEST_WARNING)]
"""A sentence of a guest about itself: whoever is root there may have written it."""


class MachineSeen(Message):
    """An observation of one machine. Of two, the newer has the greater (`host boot_id` changes: any) `seq`."""

    id: UUID = Field(description="The machine's id")
    seq: Int8 = Field(description="Grows with every observation this agent makes of any machine")
    generation: Int8 = Field(description="The newest generation the agent has accepted; 0 when ABSENT")
    power: Power = Field(description="What its hypervisor does")
    boot: Int4 = Field(default=0, description="Boots begun so far")
    guest: GuestPhase = Field(default=GuestPhase.ABSENT, description="Whether the agent in its guest answers")
    address: IPv4Address | None = Field(default=None, description="The guest's first address")
    stage: Told | None = Field(default=None, description="What is being done right now: 'fetching image', 'booting' …")
    fault: Told | None = Field(default=None, description="What prevents the wish from coming true, for a user to read")
    exit: Exit | None = Field(default=None, description="How the last boot ended; None while the first one runs")
    started_at: datetime | None = Field(default=None, description="When its VMM was started; None while it is off")
    warnings: tuple[GuestWarning, ...] = Field(
        default=(), max_length=MOST_WARNINGS, description="What of its configuration the running guest could not apply"
    )
    pending: tuple[PendingName, ...] = Field(
        default=(), description="What of the accepted definition the running boot does not have; empty while it is off"
    )
    is_applying: bool = Field(default=False, description="Some of `pending` is being changed in the running machine")
    vcpus: Int4 | None = Field(default=None, description="Virtual CPUs of the running boot; None while it is off")
    memory_mib: Int4 | None = Field(default=None, description="Memory of the running boot; None while it is off")


class HostSideMetrics(Message):
    """A machine seen from its host: counters since the VMM started except where said."""

    cpu_seconds: float = Field(description="CPU time of its VMM")
    cpu_percent: float | None = Field(
        default=None, description="Of one core, since the sample before; may pass 100. Null in the first one of a boot"
    )
    memory_rss_kib: int = Field(description="Memory its VMM holds, in KiB")
    disk_read_bytes: int = Field(description="Read from its disks")
    disk_written_bytes: int = Field(description="Written to its disks")
    net_received_bytes: int | None = Field(default=None, description="By the guest; None where the host cannot see it")
    net_sent_bytes: int | None = Field(default=None, description="By the guest; None where the host cannot see it")
