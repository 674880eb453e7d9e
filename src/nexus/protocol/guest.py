"""What the host and the guest tell each other. The Go side mirrors these shapes in guest/ (see docs/protocol/guest.md).

`GuestConfig` reaches the guest as /nexus/config.json in a second cpio archive appended to the initramfs: no network,
no metadata service, the same on every hypervisor. Everything else is HTTP on streams of the guest channel.
"""

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface
from typing import Annotated, Any, Literal

from pydantic import Field

from nexus.protocol.base import Message
from nexus.protocol.machines import Hostname, MacAddress

# Root in a guest answers as it likes: figures that no machine has make it no answer, and its host's count instead.
Counter = Annotated[int, Field(ge=0, le=2**53)]
"""Since boot: what every reader of JSON holds exactly, and of MOST_DEVICES together what a database's column holds."""
Size = Annotated[int, Field(ge=0, le=2**50)]
"""Of what there is now; as much as can be averaged over a month (see `Amount` in `metrics`)."""
Measured = Annotated[float, Field(ge=0, le=2**50)]
MOST_DEVICES = 1000
"""Of a kind: whoever runs hundreds of containers has an interface for each."""


class MountSpec(Message):
    """A block device and the file system on it."""

    device: str = Field(description="/dev/vda …")
    fs: Literal["ext4", "squashfs"]
    read_only: bool = False


class GuestNic(Message):
    """An interface, found by its MAC. No address: it is only brought up."""

    mac: MacAddress
    address: IPv4Interface | None = None
    gateway: IPv4Address | None = None


class GuestAccount(Message):
    name: str = "root"
    password_hash: str | None = None
    ssh_authorized_keys: tuple[str, ...] = ()


class GuestMetadata(Message):
    """What the guest's agent serves over HTTP at `address`, port 80, inside the guest (docs/protocol/guest.md)."""

    data: dict[str, Any] = Field(default_factory=dict[str, Any], description="The whole tree")
    address: IPv4Address = IPv4Address("169.254.169.254")
    needs_token: bool = False
    is_plain: bool = False


class MetadataRequest(Message):
    """PUT /v1/metadata: serve this from now on; null: nothing any more."""

    metadata: GuestMetadata | None


class CloudInitSeed(Message):
    """What cloud-init's NoCloud data source finds below /var/lib/cloud/seed/nocloud."""

    instance_id: str
    user_data: str


class GuestConfig(Message):
    """Version 1 of the guest's configuration."""

    version: Literal[1] = 1
    mode: Literal["vm", "container"] = Field(default="vm", description="container: our init stays PID 1")
    root: MountSpec
    overlay: MountSpec | None = Field(default=None, description="Writable layer above a read-only root")
    init: str = "/sbin/init"
    hostname: Hostname
    machine_id: str = Field(pattern=r"^[0-9a-f]{32}$", description="For /etc/machine-id")
    user: GuestAccount = GuestAccount()
    nics: tuple[GuestNic, ...] = ()
    dns: tuple[IPv4Address, ...] = ()
    time_unix_ms: int | None = None
    waits: bool = Field(default=False, description="It waits for another configuration, see BeginRequest")
    metadata: GuestMetadata | None = Field(default=None, description="None: there is no metadata service")
    cloud_init: CloudInitSeed | None = None


class GuestHealth(Message):
    """GET /v1/health"""

    version: str
    protocol: int
    capabilities: tuple[str, ...] = ()
    boot_ms: int = Field(description="Milliseconds from kernel start to the agent being ready")
    warnings: tuple[str, ...] = Field(default=(), description="What of the configuration could not be applied")


class GuestDisk(Message):
    name: str = Field(description="Such as vda")
    read_bytes: Counter = Field(description="Read since boot")
    written_bytes: Counter = Field(description="Written since boot")


class GuestInterface(Message):
    name: str = Field(description="Such as eth0")
    mac: str = Field(description="Its MAC address")
    addresses: tuple[str, ...] = Field(default=(), description="Its addresses with prefix length")
    received_bytes: Counter = Field(description="Received since boot")
    sent_bytes: Counter = Field(description="Sent since boot")


class GuestMetrics(Message):
    """GET /v1/metrics: counters since boot except where said."""

    uptime_s: Measured = Field(description="Seconds since boot")
    cpu_percent: Measured = Field(description="Of all vCPUs together, since the previous call by anyone (0 to 100)")
    cpu_seconds: Measured = Field(description="CPU time used since boot")
    cpu_total_seconds: Measured | None = Field(
        default=None, description="CPU time of all its CPUs since boot, idle included; null: by an older agent"
    )
    memory_total_kib: Size = Field(description="Memory in KiB")
    memory_available_kib: Size = Field(description="Of it, what a new process could get")
    load_1: Measured = Field(description="Load average of one minute")
    load_5: Measured = Field(description="Of five minutes")
    load_15: Measured = Field(description="Of fifteen minutes")
    processes: Size = Field(description="How many there are")
    disks: tuple[GuestDisk, ...] = Field(default=(), max_length=MOST_DEVICES, description="Its disks")
    interfaces: tuple[GuestInterface, ...] = Field(default=(), max_length=MOST_DEVICES, description="Its interfaces")
    root_total_bytes: Size = Field(description="Size of its root file system")
    root_free_bytes: Size = Field(description="Free there for anybody")


class SessionKind(StrEnum):
    EXEC = "exec"
    PTY = "pty"


class TerminalSize(Message):
    cols: int = Field(ge=1, le=1000)
    rows: int = Field(ge=1, le=1000)


class SessionRequest(Message):
    """POST /v1/sessions: start a process. It lives on when the connection that watches it is lost."""

    kind: SessionKind
    argv: tuple[str, ...] = Field(default=(), description="Empty with kind pty: the user's login shell")
    user: str | None = Field(default=None, description="None: the VM's user from its configuration")
    cwd: str | None = Field(default=None, description="None: the user's home directory, or / if that is missing")
    env: dict[str, str] = Field(default_factory=dict)
    timeout_ms: int | None = Field(default=None, ge=1, description="The process group is killed after this long")
    size: TerminalSize | None = None
    opened_by: str = Field(default="", max_length=128, description="Whose it is, for whoever lists sessions")
    idle_ms: int = Field(default=0, ge=0, description="It is hung up when nothing was said for so long; 0: never")
    unwatched_ms: int = Field(default=0, ge=0, description="The same while nobody watches it; 0: no other limit")


class SessionOpened(Message):
    id: str


class SessionExit(Message):
    """How a session's process ended: `code` as a shell gives it (128 + signal number when killed)."""

    code: int
    signal: int | None = None
    timed_out: bool = False


class SessionSeen(Message):
    """One of GET /v1/sessions `{"items": […]}`."""

    id: str
    kind: SessionKind
    argv: tuple[str, ...] = ()
    user: str
    opened_by: str = ""
    age_ms: int = Field(default=0, description="Since it was opened")
    quiet_ms: int = Field(default=0, description="Since something last went in or out")
    pid: int
    first_offset: int = Field(description="The oldest output byte still kept")
    end_offset: int = Field(description="Output bytes so far")
    watched: bool
    exit: SessionExit | None = Field(default=None, description="None while the process runs")


class SessionsSeen(Message):
    """GET /v1/sessions"""

    items: tuple[SessionSeen, ...]


class Frame(StrEnum):
    """Names of the frame types on GET /v1/sessions/{id}/stream; see docs/protocol/guest.md for the bytes."""

    INPUT = "input"
    OUTPUT = "output"
    ERROR_OUTPUT = "error_output"
    RESIZE = "resize"
    END_OF_INPUT = "end_of_input"
    EXIT = "exit"
    ACK = "ack"
    """How many output bytes, counted from the session's first, have arrived at the watcher's end: a u64."""


FRAME_TYPES: dict[Frame, int] = {
    Frame.INPUT: 0,
    Frame.OUTPUT: 1,
    Frame.ERROR_OUTPUT: 2,
    Frame.RESIZE: 3,
    Frame.END_OF_INPUT: 4,
    Frame.EXIT: 5,
    Frame.ACK: 6,
}
FRAME_HEADER_BYTES = 5
"""One byte of type, then the payload's length as a big-endian u32."""
MAX_FRAME_BYTES = 64 * 1024


class Pipe(StrEnum):
    """What GET /v1/pipes/{pipe} with `Upgrade: nexus-pipe` leads to: bytes both ways, each ended by itself."""

    PORT = "port"
    """`?port=`: a TCP port on the guest's loopback."""
    PULL = "pull"
    """`?path=`: from the guest a tar archive of it."""
    PUSH = "push"
    """`?path=&user=`: to the guest a tar archive, from it one `Unpacked`."""


class Unpacked(Message):
    """What became of an archive pushed into the guest."""

    files: int = Field(ge=0, description="Entries written")
    bytes: int = Field(ge=0, description="Bytes of content written")
    error: str | None = Field(default=None, description="Why it ended there; None: all was written")


ERROR_RECORD = "NEXUS.error"
"""The pax record by which an archive from the guest says why it ends early; it then lacks a whole archive's end."""


class PowerAction(StrEnum):
    """POST /v1/power {"action": …}"""

    POWEROFF = "poweroff"
    REBOOT = "reboot"


class PowerRequest(Message):
    action: PowerAction
    force_after_ms: int | None = Field(default=None, ge=0, description="Overrule the init then; None: 120,000")


class TimeRequest(Message):
    """PUT /v1/time"""

    time_unix_ms: int


class Capability(StrEnum):
    """What `GuestHealth.capabilities` names of what an older agent may lack."""

    FREEZE = "freeze"
    IDENTITY = "identity"


class FreezeRequest(Message):
    """POST /v1/filesystems/freeze"""

    hold_ms: int = Field(ge=1, le=60_000, description="The guest thaws by itself after so long, by its own clock")


class FrozenSeen(Message):
    """What was frozen, by mount points; the file system with the machine's state is `/`."""

    frozen: tuple[str, ...]
    skipped: tuple[str, ...] = Field(default=(), description="Cannot be frozen, or are by somebody else")


class ThawSeen(Message):
    """POST /v1/filesystems/thaw"""

    held: bool = Field(description="Whether everything was frozen until now; false: it had thawed before, or never was")


class IdentityReason(StrEnum):
    """Why a guest goes on from a snapshot's memory."""

    CLONE = "clone"
    """As another machine than the one that was saved."""
    ROLLBACK = "rollback"
    """As the same, which was suspended, or goes back to what it was."""


class IdentityRequest(Message):
    """POST /v1/identity: what a restored guest is told first."""

    reason: IdentityReason
    config: GuestConfig | None = Field(description="Who it is from now on; for a clone, and for nothing else")
    entropy: str = Field(description="32 to 512 random bytes, in base64")
    time_unix_ms: int


class IdentitySeen(Message):
    """What of it the guest could not do."""

    warnings: tuple[str, ...] = ()


class BeginRequest(Message):
    """POST /v1/begin, to a zygote: a guest that has booted as far as nothing in it is of one machine only."""

    config: GuestConfig
    entropy: str = Field(description="At least 32 random bytes, in base64")


class WaitSeen(Message):
    """GET and POST /v1/begin"""
