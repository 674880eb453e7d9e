"""A machine's definition as what Firecracker is told before boot. Pure: the same input gives the same bodies.

`Configuration` has the layout of Firecracker's own configuration file, which is what the golden files hold. Why:

* our own boot arguments, always: Firecracker's own would disable modules and the serial port. `reboot=k` makes a reset
  end the process (fact 19); there is no argument for PCI, which is off (fact 18).
* drives are `Writeback` unless told otherwise: its default acknowledges a flush that never happened (fact 21).
* no drive is the root device: our initramfs mounts, and drives stay in their order.
* serial output goes to standard output, limited there (fact 15): what a guest may write to the host's disk.
* a balloon of nothing that gives way when the guest runs out of memory, with statistics, which cannot be switched on
  later (fact 25). No hinting, no reporting (fact 26).
"""

from dataclasses import dataclass

from pydantic import Field

from nexus.agent.vmm.firecracker import bodies
from nexus.agent.vmm.firecracker.bodies import Body
from nexus.agent.vmm.firecracker.netns import tap_name
from nexus.agent.vmm.firecracker.places import INITRAMFS, KERNEL, METRICS, VSOCK_SOCKET
from nexus.agent.vmm.firecracker.resources import disk_name
from nexus.agent.vmm.port import Definition, Disk, VmmTrouble
from nexus.protocol.limits import RateLimiter, TokenBucket
from nexus.protocol.machines import CacheType, EntropyLimit, IoEngine

KERNEL_ARGS: tuple[str, ...] = (
    "console=ttyS0",
    "reboot=k",
    "panic=1",
    "quiet",
    "cryptomgr.notests",
    "systemd.getty_auto=no",
    "i8042.noaux",
    "i8042.nomux",
    "i8042.dumbkbd",
)
MOST_COMMAND_LINE_BYTES = 2048
MOST_DEVICES = 17
"""virtio-mmio devices on x86-64, since one interrupt line is VMClock's (fact 18)."""
OWN_DEVICES = 3
"""Balloon, entropy, vsock."""
GUEST_CID = 3
"""The same in every guest: each VMM has a vsock of its own."""
SERIAL_LIMIT = bodies.TokenBucket(size=32 << 10, refill_time=1000, one_time_burst=1 << 20)
ENTROPY_LIMIT = bodies.RateLimiter(
    bandwidth=bodies.TokenBucket(size=64 << 10, refill_time=1000, one_time_burst=1 << 20)
)
STATISTICS_INTERVAL_S = 5


class Configuration(Body):
    boot_source: bodies.BootSource = Field(serialization_alias="boot-source")
    drives: tuple[bodies.Drive, ...]
    machine_config: bodies.MachineConfig = Field(serialization_alias="machine-config")
    balloon: bodies.Balloon
    network_interfaces: tuple[bodies.NetworkInterface, ...] = Field(serialization_alias="network-interfaces")
    vsock: bodies.Vsock
    metrics: bodies.Metrics
    entropy: bodies.Entropy
    serial: bodies.Serial
    logger: bodies.Logger | None = None


@dataclass(frozen=True)
class Inside:
    """How things are called where the VMM is: `prefix` before the names of files, and its TAP devices in order."""

    prefix: str
    taps: tuple[str, ...]

    @classmethod
    def of(cls, definition: Definition, *, is_jailed: bool) -> "Inside":
        """In a jail: below its root, in its namespace. Else where it is started, with the host's own devices."""
        names = (tap_name(index) if is_jailed else nic.tap for index, nic in enumerate(definition.nics))
        return cls(cls.prefix_of(is_jailed=is_jailed), tuple(name for name in names if name is not None))

    @staticmethod
    def prefix_of(*, is_jailed: bool) -> str:
        return "/" if is_jailed else ""

    def path(self, name: str) -> str:
        return f"{self.prefix}{name}"


def configuration(definition: Definition, inside: Inside) -> Configuration:
    """Raises VmmTrouble for a machine that Firecracker cannot be."""
    _check(definition)
    return Configuration(
        boot_source=bodies.BootSource(
            kernel_image_path=inside.path(KERNEL),
            initrd_path=inside.path(INITRAMFS),
            boot_args=kernel_command_line(definition.boot_args),
        ),
        drives=tuple(_drive(index, disk, inside) for index, disk in enumerate(definition.disks)),
        machine_config=bodies.MachineConfig(vcpu_count=definition.vcpus, mem_size_mib=definition.memory_mib),
        balloon=bodies.Balloon(
            amount_mib=definition.balloon.amount_mib,
            deflate_on_oom=definition.balloon_deflates_on_oom,
            stats_polling_interval_s=definition.balloon.stats_s or STATISTICS_INTERVAL_S,
        ),
        network_interfaces=tuple(
            bodies.NetworkInterface(iface_id=iface_id(index), host_dev_name=tap, guest_mac=nic.mac)
            for index, (nic, tap) in enumerate(zip(definition.nics, inside.taps, strict=True))
        ),
        vsock=bodies.Vsock(guest_cid=GUEST_CID, uds_path=inside.path(VSOCK_SOCKET)),
        metrics=bodies.Metrics(metrics_path=inside.path(METRICS)),
        entropy=bodies.Entropy(rate_limiter=_entropy(definition.entropy_limit)),
        serial=bodies.Serial(rate_limiter=SERIAL_LIMIT),
        logger=bodies.Logger(level=definition.log_level.value) if definition.log_level is not None else None,
    )


def kernel_command_line(boot_args: str | None) -> str:
    """Raises VmmTrouble for one that is too long."""
    line = " ".join((*KERNEL_ARGS, *((boot_args,) if boot_args else ())))
    if len(line.encode()) >= MOST_COMMAND_LINE_BYTES:
        raise VmmTrouble(f"its boot arguments are too long: Firecracker takes {MOST_COMMAND_LINE_BYTES} bytes in all")
    return line


def iface_id(index: int) -> str:
    return f"eth{index}"


def limiter(wanted: RateLimiter | None) -> bodies.RateLimiter | None:
    """Ours is Firecracker's, but for buckets that are left out."""
    if wanted is None:
        return None
    return bodies.RateLimiter(bandwidth=_bucket(wanted.bandwidth), ops=_bucket(wanted.ops))


def new_limiter(wanted: RateLimiter | None) -> bodies.RateLimiter:
    """For an update, where a bucket that is left out would stay as it was: size 0 takes it away (fact 23)."""
    given = limiter(wanted) or bodies.RateLimiter()
    none = bodies.TokenBucket(size=0, refill_time=0)
    return bodies.RateLimiter(bandwidth=given.bandwidth or none, ops=given.ops or none)


def _entropy(wanted: EntropyLimit | None) -> bodies.RateLimiter:
    """Without a limit of its own a guest has one that it does not notice, for the sake of the others."""
    if wanted is None:
        return ENTROPY_LIMIT
    return bodies.RateLimiter(bandwidth=bodies.TokenBucket(size=wanted.size, refill_time=wanted.refill_time))


def _bucket(wanted: TokenBucket | None) -> bodies.TokenBucket | None:
    if wanted is None:
        return None
    return bodies.TokenBucket(size=wanted.size, refill_time=wanted.refill_time, one_time_burst=wanted.one_time_burst)


def _drive(index: int, disk: Disk, inside: Inside) -> bodies.Drive:
    return bodies.Drive(
        drive_id=disk.drive_id,
        is_root_device=False,
        is_read_only=disk.read_only,
        path_on_host=inside.path(disk_name(index)),
        cache_type="Unsafe" if disk.cache_type is CacheType.UNSAFE else "Writeback",
        io_engine="Async" if disk.io_engine is IoEngine.ASYNC else "Sync",
        rate_limiter=limiter(disk.rate_limiter),
    )


def _check(definition: Definition) -> None:
    if any(nic.tap is None for nic in definition.nics):
        raise VmmTrouble("Firecracker has no network stack of its own: interfaces need bridge mode (AGENT_NETWORK)")
    devices = OWN_DEVICES + len(definition.disks) + len(definition.nics)
    if devices > MOST_DEVICES:
        raise VmmTrouble(
            f"it has {len(definition.disks)} drives and {len(definition.nics)} interfaces: Firecracker has places for "
            f"{MOST_DEVICES - OWN_DEVICES} of both together"
        )
    for disk in definition.disks:
        if disk.cache_type is CacheType.WRITETHROUGH:
            raise VmmTrouble(f"drive {disk.drive_id}: Firecracker cannot write through, only Writeback or Unsafe")
