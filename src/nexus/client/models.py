"""What the API answers, as far as a client relies on it.

Mirrors the schemas of the manager's OpenAPI document (a drift test compares the names). Fields the client does not
know are kept, not dropped: a newer manager's answer passes through `-o json` whole.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict

from nexus.kit.problems import ProblemBody


def _without_prefix(value: object) -> object:
    return value.partition("/")[0] if isinstance(value, str) else value


Address = Annotated[str, BeforeValidator(_without_prefix)]
"""An IP address; PostgreSQL may write an inet as 10.0.0.2/32."""


class Answer(BaseModel):
    """Base of every model: frozen, and unknown fields are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")


class User(Answer):
    id: UUID
    username: str
    role: Literal["admin", "user", "viewer"]


class Login(Answer):
    """POST /v1/auth/login. `token` goes into the Authorization header of every later request."""

    token: str
    expires_at: datetime
    user: User


class Action(Answer):
    """What may be done with an object now; `refusal` says why not, and is None where it may."""

    verb: str
    refusal: str | None = None


class Usage(Answer):
    """What a VM used last; None: nobody knows. CPU and memory as its guest says, or else (`source`) its host."""

    at: datetime
    cpu_usage_percent: float
    memory_usage_percent: float | None
    memory_used_kb: int
    memory_total_kb: int
    network_in_bytes_per_s: float | None
    network_out_bytes_per_s: float | None
    disk_read_bytes_per_s: float | None
    disk_write_bytes_per_s: float | None
    source: str


class Vm(Answer):
    """`state` is what the hypervisor does; `guest` is whether the in-guest agent answers (booting, ready, absent).

    `why` says how it came to that state where nobody asked for it, `fault` what keeps its wish from coming true.
    """

    id: UUID
    name: str
    state: str
    guest: str
    why: str | None
    fault: str | None
    warnings: tuple[str, ...]
    stage: str | None
    description: str
    tags: tuple[str, ...]
    environment: str
    owner: str
    vcpu: int
    mem_mib: int
    disk_size_bytes: int | None
    kernel: str
    image: str
    restart_policy: str
    username: str
    host_id: UUID
    host_name: str
    guest_ip: Address | None
    pending_changes: tuple[str, ...] = ()
    started_at: datetime | None
    operation_id: UUID | None
    actions: tuple[Action, ...]
    created_at: datetime
    updated_at: datetime
    usage: Usage | None = None
    """In lists only."""


class Credentials(Answer):
    """GET /v1/vms/{id}/shell: who may sign in to the guest. `password` is None where none was set."""

    username: str
    password: str | None = None


class Image(Answer):
    """A file that VMs start from; `path` is where the manager has it."""

    id: UUID
    kind: str
    name: str
    description: str
    format: str
    sha256: str
    size_bytes: int
    path: str
    is_default: bool
    created_at: datetime
    updated_at: datetime


class SshKey(Answer):
    """A public SSH key; `public_key` is a line of authorized_keys, `fingerprint` as `ssh-keygen -l` prints it."""

    id: UUID
    name: str
    type: str
    bits: int
    comment: str
    fingerprint: str
    public_key: str
    created_at: datetime
    updated_at: datetime


class Bucket(Answer):
    """A limit: `size` tokens (bytes, or operations) per `refill_time` milliseconds."""

    size: int
    refill_time: int
    one_time_burst: int | None


class DriveLimiter(Answer):
    """Limits of what is read and written, together."""

    bandwidth: Bucket | None
    ops: Bucket | None


class NicLimiter(Answer):
    """Limits of what an interface receives, or sends."""

    bandwidth: Bucket


class Preset(Answer):
    """A rate limiter that has a name; `device` is drive or nic."""

    name: str
    device: str
    description: str
    rate_limiter: dict[str, Any]


class Drive(Answer):
    """A disk of a VM. `path_on_host` is None for a file of the VM's own; `is_pending`: the running VM does not have it,
    or not so, before its next start."""

    id: UUID
    drive_id: str
    role: str
    is_root_device: bool
    is_read_only: bool
    path_on_host: str | None
    image: str | None
    format: str
    size_bytes: int | None
    cache_type: str
    io_engine: str
    rate_limiter: DriveLimiter | None
    is_pending: bool
    created_at: datetime
    updated_at: datetime


class Nic(Answer):
    """An interface of a VM. `host_dev_name` is None where the host has no device of its own for it."""

    id: UUID
    iface_id: str
    host_dev_name: str | None
    guest_mac: str
    network: str
    address: Address | None
    rx_rate_limiter: NicLimiter | None
    tx_rate_limiter: NicLimiter | None
    is_pending: bool
    created_at: datetime
    updated_at: datetime


class JoinToken(Answer):
    """Lets one host join, once; `url` is where that host reaches the manager, as far as the manager knows."""

    id: UUID
    token: str
    expires_at: datetime
    url: str


class Amounts(Answer):
    vcpus: int
    memory_mib: int
    disk_bytes: int


class Host(Answer):
    """Amounts are the whole host's; `capacity` and `reserved` come only with a single host, not in lists."""

    id: UUID
    name: str
    state: str
    is_cordoned: bool
    address: str
    vmm: str
    vmm_version: str
    acceleration: str
    why_vmm: str
    offers: tuple[str, ...]
    agent_version: str
    vcpus: int
    memory_mib: int
    disk_bytes: int
    last_seen_at: datetime
    silent_since: datetime | None
    abandoned_at: datetime | None
    operation_id: UUID | None
    created_at: datetime
    updated_at: datetime
    capacity: Amounts | None = None
    reserved: Amounts | None = None


class Operation(Answer):
    """A promise about a change: `running` until it is kept (`done`), overtaken (`superseded`) or `failed`. `result`:
    what came of each, where it is about several things."""

    id: UUID
    verb: str
    status: Literal["running", "done", "superseded", "failed"]
    progress: int
    stage: str | None
    subject_kind: str
    subject_id: UUID
    subject_name: str
    error: ProblemBody | None
    result: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class Created(Answer):
    """Answer of a POST that makes something. `operation_id` is None where nothing is left to be done."""

    id: UUID
    operation_id: UUID | None = None


class Accepted(Answer):
    """Answer of a verb: recorded, and done once the operation is. `operation_id` is None where it is done already."""

    ok: bool = True
    operation_id: UUID | None = None


class Changed(Accepted):
    """Answer of a change to a VM's configuration. `applied`: now, next_start, or None where its host has not said yet;
    `pending_changes` is all that the running VM lacks."""

    applied: Literal["now", "next_start"] | None = None
    pending_changes: tuple[str, ...] = ()


class DriveChanged(Changed, Drive):
    """A drive that was added or changed."""


class DriveRemoved(Changed):
    """A drive that was removed; `data`: deleted or kept."""

    data: str


class NicChanged(Changed, Nic):
    """A NIC that was added or changed."""


class Abandoned(Accepted):
    """A host was given up; `vms`: how many VMs were lost with it."""

    vms: int


class Place(Answer):
    """A host that was looked at; `refusal` says why a VM cannot go there, and is None where it could."""

    host_id: UUID
    host_name: str
    refusal: str | None


class TriedOut(Answer):
    """Where a VM would go: to no host, where `host_id` is None."""

    host_id: UUID | None
    host_name: str | None
    hosts: tuple[Place, ...]


class Setting(Answer):
    """One of a VM's settings; its fields are those of its endpoint."""


class Metrics(Answer):
    """One sample of a machine; each figure with who measured it, and what both said."""

    at: datetime
    cpu_usage_percent: float | None = None
    memory_usage_percent: float | None = None
    memory_used_kb: int | None = None
    memory_total_kb: int | None = None
    network_in_bytes: int | None = None
    network_out_bytes: int | None = None
    disk_read_bytes: int | None = None
    disk_write_bytes: int | None = None
    network_in_bytes_per_s: float | None = None
    network_out_bytes_per_s: float | None = None
    disk_read_bytes_per_s: float | None = None
    disk_write_bytes_per_s: float | None = None
    sources: dict[str, str] = {}
    host: dict[str, object]
    guest: dict[str, object] | None = None


class Point(Answer):
    """What was used in one step of history."""

    at: datetime
    covered_s: float
    cpu_usage_percent: float
    cpu_usage_percent_max: float
    memory_usage_percent: float | None
    memory_used_kb: int
    memory_total_kb: int
    network_in_bytes_per_s: float | None
    network_out_bytes_per_s: float | None
    disk_read_bytes_per_s: float | None
    disk_write_bytes_per_s: float | None
    storage_used_bytes: int | None
    storage_total_bytes: int | None
    source: str


class History(Answer):
    """What was used over time. Steps in which nothing was measured have no point."""

    to: datetime
    step_s: int
    points: tuple[Point, ...]


class TemplateSpec(Answer):
    """The configuration of VMs made from a template."""

    vcpu: int
    mem_mib: int
    kernel_image_id: UUID
    rootfs_image_id: UUID
    username: str
    ssh_authorized_keys: tuple[str, ...]
    disk_size_bytes: int | None
    tags: tuple[str, ...]
    environment: str
    owner: str
    boot_args: str | None
    restart_policy: str


class Template(Answer):
    """A saved VM configuration; `usage_count` VMs have been made from it."""

    id: UUID
    name: str
    description: str
    spec: TemplateSpec
    vcpu: int
    mem_mib: int
    kernel: str
    image: str
    usage_count: int
    created_at: datetime
    updated_at: datetime


class Snapshot(Answer):
    """What a VM was at one moment. `vm_id` is None once that VM is deleted; `has_memory` and sizes are None until it is
    completed; `needed_by` are VMs that have yet to begin from it, and Diffs over it."""

    id: UUID
    name: str
    description: str
    vm_id: UUID | None
    vm_name: str
    is_imported: bool
    host_name: str
    snapshot_type: str
    state: str
    fault: str | None
    warning: str | None
    purpose: str
    parent_id: UUID | None
    has_memory: bool | None
    vcpu: int
    mem_mib: int
    size_bytes: int | None
    memory_bytes: int | None
    checksum: str | None
    paused_ms: int | None
    needed_by: tuple[str, ...]
    taken_at: datetime | None
    operation_id: UUID | None
    created_at: datetime
    updated_at: datetime


class TreeVm(Answer):
    """A VM that was made from a snapshot, or is a clone."""

    id: UUID
    name: str
    state: str
    disk_size_bytes: int


class TreeSnapshot(Answer):
    """A snapshot in its VM's tree. `is_current`: what the VM is now came after it."""

    id: UUID
    name: str
    parent_id: UUID | None
    state: str
    snapshot_type: str
    has_memory: bool | None
    size_bytes: int | None
    is_current: bool
    created_at: datetime
    vms: tuple[TreeVm, ...]


class SnapshotTree(Answer):
    """A VM's snapshots, each after its parent, and what was made of them."""

    vm_id: UUID
    vm_name: str
    size_bytes: int
    snapshots: tuple[TreeSnapshot, ...]
    clones: tuple[TreeVm, ...]


class NewClone(Answer):
    """A clone that was admitted, with the operation that brings it about."""

    id: UUID
    name: str
    operation_id: UUID


class Cloned(Created):
    """Answer of a clone: `operation_id` is over all of `items`."""

    items: tuple[NewClone, ...]


class Suspended(Accepted):
    """Answer of a suspend, with the snapshot that the VM is kept in."""

    snapshot_id: UUID


class BulkItem(Answer):
    """What became of one VM of a bulk: waiting, running, done, unchanged or failed."""

    vm_id: UUID
    name: str
    status: str
    operation_id: UUID | None
    error: ProblemBody | None


class Bulk(Answer):
    """One verb for many VMs."""

    id: UUID
    verb: str
    total: int
    items: tuple[BulkItem, ...]
    created_at: datetime


class BulkAccepted(Answer):
    """Answer of a bulk: recorded, and over once the operation is."""

    operation_id: UUID | None = None
    bulk: Bulk


class Terminal(Answer):
    """A terminal in a guest. `exit_code` is None while its program runs."""

    id: str
    argv: list[str]
    username: str
    opened_by: str
    opened_at: datetime
    idle_s: int
    is_attached: bool
    first_offset: int
    end_offset: int
    exit_code: int | None = None


class TerminalList(Answer):
    items: list[Terminal]


class TerminalOpened(Answer):
    id: str


class LogTail(Answer):
    """The end of a log: `text` begins at byte `offset` of `size_bytes`."""

    text: str
    offset: int
    size_bytes: int


class ConsoleChunk(Answer):
    """A piece of the serial console's log: `content` starts at byte `offset` of `size_bytes` written so far."""

    content: bytes
    offset: int
    size_bytes: int


class Happening(Answer):
    """An event, or (without a subject) a marker of the stream: hello, heartbeat, dropped."""

    type: str
    seq: int
    at: datetime | None = None
    subject_kind: str | None = None
    subject_id: UUID | None = None
    data: dict[str, object] = {}
    why: str | None = None
