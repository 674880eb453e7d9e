"""What the agent asks of a hypervisor.

A driver runs one VMM process per machine, which outlives the agent. Every method may be called twice, and after a
crash of the agent at any instruction. Drivers keep no wishes: they do what they are told and observe what is.
Must stay true: nothing outside a driver's folder asks which hypervisor it is; what not all can do is declared in
`offers` and called through a Protocol of its own.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Protocol, runtime_checkable
from uuid import UUID

from nexus.agent.guest.transport import Transport
from nexus.protocol.balloons import BalloonSeen
from nexus.protocol.cpu import CpuConfig
from nexus.protocol.guest import GuestConfig
from nexus.protocol.hosts import Offer
from nexus.protocol.limits import RateLimiter
from nexus.protocol.machines import CacheType, EntropyLimit, ExitReason, IoEngine, LogLevel, Power


@dataclass(frozen=True)
class Disk:
    """A raw disk of a machine. `path` is a file that the agent owns or shares read-only, or one of the host's own:
    that is to be opened through no symbolic link (`storage.host_files.open_file`)."""

    id: UUID
    drive_id: str
    path: Path
    read_only: bool
    is_host_file: bool = False
    cache_type: CacheType = CacheType.WRITEBACK
    io_engine: IoEngine = IoEngine.SYNC
    rate_limiter: RateLimiter | None = None


@dataclass(frozen=True)
class Nic:
    """An interface: on `tap`, an existing device, or (None) on the hypervisor's own rootless stack."""

    mac: str
    tap: str | None
    restrict: bool = False
    """Rootless stack only: no packet leaves the machine."""
    network: IPv4Network | None = None
    """Rootless stack only: the addresses it uses; None: its own choice."""
    is_connected: bool = True
    """False: the guest has the device, and nothing is behind it."""


@dataclass(frozen=True)
class BalloonTarget:
    """Memory that the guest is to give back, and how often it is to tell of its memory (0: not at all)."""

    amount_mib: int = 0
    stats_s: int = 0


@dataclass(frozen=True)
class OwnGuest:
    """A guest with our agent: `initramfs` is the shared one, without this machine's configuration."""

    initramfs: Path
    config: GuestConfig
    attempt: int = 1
    """At this boot; earlier ones did not come up."""


@dataclass(frozen=True)
class Definition:
    """What a driver needs to launch a machine. Paths are absolute; the VMM runs under `uid` (None: our own)."""

    id: UUID
    vcpus: int
    memory_mib: int
    kernel: Path
    initramfs: Path
    boot_args: str | None
    disks: tuple[Disk, ...]
    nics: tuple[Nic, ...]
    uid: int | None
    balloon: BalloonTarget = BalloonTarget()
    balloon_deflates_on_oom: bool = True
    entropy_limit: EntropyLimit | None = None
    console_bytes: int | None = None
    log_level: LogLevel | None = None
    cpu_config: CpuConfig | None = None
    vsock_cid: int | None = None
    guest: OwnGuest | None = None
    """None: it is to boot as any machine would."""


@dataclass(frozen=True)
class VmmExit:
    """How a launch ended, as far as the hypervisor can tell."""

    reason: ExitReason
    why: str
    at: datetime


@dataclass(frozen=True)
class VmmState:
    """An observation. `launch` is the number last started (0: none), `exit` how it ended when `power` is OFF."""

    power: Power
    launch: int = 0
    pid: int | None = None
    started_at: datetime | None = None
    exit: VmmExit | None = None


@dataclass(frozen=True)
class VmmCounters:
    """What a VMM process used since it started."""

    cpu_seconds: float
    memory_rss_kib: int
    disk_read_bytes: int
    disk_written_bytes: int


class VmmTrouble(Exception):
    """The hypervisor could not do it; the message is a sentence for a user."""


Changed = Callable[[UUID], None]
"""Called when a machine's state may have changed by itself; whoever listens observes it."""


class Vmm(Protocol):
    """A hypervisor driver."""

    name: str
    version: str
    acceleration: str
    why: str
    offers: frozenset[Offer]

    def listen(self, changed: Changed) -> None:
        """Call `changed` from now on whenever a VMM ends or its guest stops."""
        ...

    async def define(self, definition: Definition) -> None:
        """Make what lasts from launch to launch (directories, logs). Raises VmmTrouble."""
        ...

    async def start(self, definition: Definition, *, launch: int) -> None:
        """Launch number `launch`, once: nothing if that was started before, whatever became of it.

        Numbers grow. Returns when the VMM executes the guest; raises VmmTrouble when that cannot be."""
        ...

    async def stop(self, machine: UUID) -> None:
        """Cut the power; nothing of the VMM runs when this returns."""
        ...

    async def pause(self, machine: UUID) -> None: ...

    async def resume(self, machine: UUID) -> None: ...

    async def observe(self, machine: UUID) -> VmmState:
        """What is, now. A launch that has ended keeps its `exit` until the next start or discard."""
        ...

    async def adopt(self, machine: UUID) -> VmmState:
        """Take up a machine after a restart of the agent, whatever happened in between."""
        ...

    async def discard(self, machine: UUID) -> None:
        """Leave nothing of the machine: no process, socket, cgroup or log."""
        ...

    def transport(self, machine: UUID) -> Transport:
        """The carrier of the guest channel, to be run while the machine is on."""
        ...

    def console(self, machine: UUID) -> Path:
        """The serial console's log; may be missing before the first boot."""
        ...

    def log(self, machine: UUID) -> Path:
        """What the hypervisor says; may be missing before the first boot."""
        ...

    async def counters(self, machine: UUID) -> VmmCounters | None:
        """What the VMM has used; None when it does not run."""
        ...

    async def close(self) -> None:
        """Let go of everything, leaving the guests running."""
        ...


@runtime_checkable
class Balloon(Protocol):
    """Drivers that offer `balloon`."""

    async def set_balloon(self, machine: UUID, target: BalloonTarget) -> None:
        """Have the running machine's guest give back, or get back, memory: it begins now and takes its time. Raises
        VmmTrouble."""
        ...

    async def balloon(self, machine: UUID) -> BalloonSeen:
        """How far the guest is, and what it tells of its memory. Raises VmmTrouble when it does not run."""
        ...


@runtime_checkable
class ConsoleLimit(Protocol):
    """Drivers that offer `console_limit`."""

    async def limit_console(self, machine: UUID, keep_bytes: int | None) -> None:
        """Keep about so much of the running machine's console from now on; None: the driver's default. Raises
        VmmTrouble."""
        ...


@runtime_checkable
class CtrlAltDel(Protocol):
    """Drivers that offer `ctrl_alt_del`."""

    async def ctrl_alt_del(self, machine: UUID) -> None:
        """Press the keys. Raises VmmTrouble when the machine does not run."""
        ...


@runtime_checkable
class ConsoleInput(Protocol):
    """Drivers that offer `console_input`."""

    def console_input(self, machine: UUID) -> Path:
        """A FIFO that the VMM reads for the serial console (`serial_input`)."""
        ...


@runtime_checkable
class DriveLimits(Protocol):
    """Drivers that offer `drive_limits`."""

    async def limit_drive(self, machine: UUID, drive: UUID, limiter: RateLimiter | None) -> None:
        """Have the running machine's drive limited so, with full buckets. Raises VmmTrouble."""
        ...


@runtime_checkable
class HotDrives(Protocol):
    """Drivers that offer `hot_drives`."""

    async def ensure_drive(self, machine: UUID, disk: Disk) -> None:
        """Have the running machine serve this disk, as an additional one, or in place of what that drive was served
        from before. Raises VmmTrouble, also when there is no place left for one more, or none of its kind."""
        ...

    async def grow_drive(self, machine: UUID, disk: Disk) -> None:
        """Have the running machine's guest know how large this disk's file is now. Raises VmmTrouble."""
        ...


@runtime_checkable
class Snapshots(Protocol):
    """Drivers that offer `snapshot`."""

    cpu: str
    """The CPU that guests see, as far as a guest's memory depends on it."""

    async def save(self, machine: UUID, into: Path) -> tuple[str, ...]:
        """Write memory and devices of a machine that is paused into files of its own in `into`; the answer names the
        devices, for `check` and `restore`. Afterwards, also when it was broken off, the machine is paused
        and able to go on as if nothing had happened. Raises VmmTrouble, OSError."""
        ...

    def check(self, definition: Definition, devices: tuple[str, ...]) -> None:
        """Raises VmmTrouble, with a sentence that names what differs, where a machine defined so cannot go on from
        what was saved with those devices."""
        ...

    def expecting(self, machine: UUID, source: Path) -> AbstractAsyncContextManager[None]:
        """For as long as the block lasts, be prepared for `restore` of this machine from `source`: what takes time may
        begin now. Nothing is refused before `restore`, which need not come."""
        ...

    async def restore(
        self, definition: Definition, *, launch: int, source: Path, devices: tuple[str, ...], is_linked: bool
    ) -> None:
        """As `start`, but the guest goes on from what `save` wrote into `source`, which is only read. Unless
        `is_linked` no interface of it has a link, until `connect`. Raises VmmTrouble."""
        ...

    async def connect(self, machine: UUID) -> None:
        """Give the running machine's interfaces their link. Raises VmmTrouble."""
        ...


@runtime_checkable
class Wires(Protocol):
    """Drivers whose VMMs have a network namespace each, and make themselves the devices that lead there."""

    async def ensure_wires(self, machine: UUID, taps: tuple[str, ...]) -> None:
        """Have devices of these names, one per interface, before the host's network looks for them, which then takes
        them as it finds them. Nothing for a machine that runs. Raises VmmTrouble."""
        ...
