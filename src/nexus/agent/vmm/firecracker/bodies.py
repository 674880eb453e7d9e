"""What is sent to and read from Firecracker's API (1.16), one model a body, with the names of its description.

Only what we use has a field here; what Firecracker answers beyond that is not looked at.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Body(BaseModel):
    """Something to send; fields that are None are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def json_bytes(self) -> bytes:
        return self.model_dump_json(exclude_none=True, by_alias=True).encode()


class Answer(BaseModel):
    """Something Firecracker says."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class TokenBucket(Body):
    """`size` tokens, filled again over `refill_time` ms; `one_time_burst` more, once. Zero disables (fact 23)."""

    size: int
    refill_time: int
    one_time_burst: int | None = None


class RateLimiter(Body):
    bandwidth: TokenBucket | None = None
    ops: TokenBucket | None = None


class BootSource(Body):
    kernel_image_path: str
    initrd_path: str | None = None
    boot_args: str | None = None


class MachineConfig(Body):
    vcpu_count: int
    mem_size_mib: int
    smt: bool = False
    track_dirty_pages: bool = False
    huge_pages: Literal["None", "2M"] = "None"


class MachineConfigUpdate(Body):
    """A partial update of the machine configuration, before boot."""

    vcpu_count: int | None = None
    mem_size_mib: int | None = None
    smt: bool | None = None
    track_dirty_pages: bool | None = None


class Drive(Body):
    drive_id: str
    is_root_device: bool
    is_read_only: bool
    path_on_host: str
    cache_type: Literal["Unsafe", "Writeback"]
    io_engine: Literal["Sync", "Async"]
    rate_limiter: RateLimiter | None = None


class DriveUpdate(Body):
    drive_id: str
    path_on_host: str | None = None
    rate_limiter: RateLimiter | None = None


class NetworkInterface(Body):
    iface_id: str
    host_dev_name: str
    guest_mac: str
    mtu: int | None = None
    rx_rate_limiter: RateLimiter | None = None
    tx_rate_limiter: RateLimiter | None = None


class NetworkInterfaceUpdate(Body):
    iface_id: str
    rx_rate_limiter: RateLimiter | None = None
    tx_rate_limiter: RateLimiter | None = None


class Vsock(Body):
    guest_cid: int
    uds_path: str


class Balloon(Body):
    amount_mib: int
    deflate_on_oom: bool
    stats_polling_interval_s: int
    free_page_reporting: bool = False


class BalloonUpdate(Body):
    amount_mib: int


class BalloonStatsUpdate(Body):
    stats_polling_interval_s: int


class BalloonHintingStart(Body):
    acknowledge_on_stop: bool


class Entropy(Body):
    rate_limiter: RateLimiter | None = None


class Serial(Body):
    """Without a path the serial port writes to standard output."""

    serial_out_path: str | None = None
    rate_limiter: TokenBucket | None = None


class Logger(Body):
    log_path: str | None = None
    level: Literal["Error", "Warning", "Info", "Debug", "Trace", "Off"] | None = None
    show_level: bool | None = None


class Metrics(Body):
    metrics_path: str


class MmdsConfig(Body):
    network_interfaces: tuple[str, ...]
    version: Literal["V2"] = "V2"
    ipv4_address: str | None = None
    imds_compat: bool | None = None


class MemoryHotplug(Body):
    total_size_mib: int
    slot_size_mib: int
    block_size_mib: int


class MemoryHotplugUpdate(Body):
    requested_size_mib: int


class Pmem(Body):
    id: str
    path_on_host: str
    root_device: bool = False
    read_only: bool = True


class PmemUpdate(Body):
    id: str
    rate_limiter: RateLimiter | None = None


class Action(Body):
    action_type: Literal["InstanceStart", "SendCtrlAltDel", "FlushMetrics"]


class VmState(Body):
    state: Literal["Paused", "Resumed"]


class SnapshotCreate(Body):
    snapshot_path: str
    mem_file_path: str
    snapshot_type: Literal["Full", "Diff"]


class MemoryBackend(Body):
    backend_type: Literal["File", "Uffd"]
    backend_path: str


class NetworkOverride(Body):
    iface_id: str
    host_dev_name: str


class VsockOverride(Body):
    uds_path: str


class SnapshotLoad(Body):
    snapshot_path: str
    mem_backend: MemoryBackend
    track_dirty_pages: bool = False
    resume_vm: bool
    network_overrides: tuple[NetworkOverride, ...] | None = None
    vsock_override: VsockOverride | None = None
    clock_realtime: bool | None = None


class InstanceInfo(Answer):
    id: str
    state: Literal["Not started", "Running", "Paused"]
    vmm_version: str


class Version(Answer):
    firecracker_version: str


class BalloonConfig(Answer):
    amount_mib: int
    deflate_on_oom: bool
    stats_polling_interval_s: int = 0


class BalloonStats(Answer):
    """Memory in bytes is what the guest says, an indication only (fact 25)."""

    target_mib: int
    actual_mib: int
    swap_in: int | None = None
    swap_out: int | None = None
    major_faults: int | None = None
    minor_faults: int | None = None
    free_memory: int | None = None
    total_memory: int | None = None
    available_memory: int | None = None
    disk_caches: int | None = None
    hugetlb_allocations: int | None = None
    hugetlb_failures: int | None = None


class BalloonHintingStatus(Answer):
    host_cmd: int
    guest_cmd: int | None = None


class MemoryHotplugStatus(Answer):
    total_size_mib: int
    plugged_size_mib: int
    requested_size_mib: int


class MachineConfigSeen(Answer):
    vcpu_count: int
    mem_size_mib: int


class VmConfig(Answer):
    machine: MachineConfigSeen = Field(alias="machine-config")


class Fault(Answer):
    fault_message: str
