"""A machine's definition as a QEMU command line. Pure: the same input gives the same list, held by golden files.

Files reach QEMU as descriptors it inherits, so that the VMM's uid needs no way to the data directory and no path can be
mistaken for an option. How disks are served: `drives`. Why each option is there:

* `tsc_early_khz … tsc=reliable` (software emulation only): an emulated guest must not calibrate its clock on a busy
  host, or it can hang for ever; its TSC is the host's.
* `reboot=t panic=-1` with `-action reboot=shutdown,shutdown=pause`: a guest that powers off, resets or panics leaves
  a paused VMM behind, so that the reason is still there for an agent that was away; `-trace` puts into QEMU's log
  which of the two it was.
* `tb-size`: the translation cache's default takes a quarter of a gigabyte per machine.
* `i8042`: the keyboard controller, for ctrl-alt-del.
* one virtio-serial port carries the guest channel; each further one would cost the guest 4 MiB.
* what is to go on in memory (`-incoming`) has its kernel there already: reading one would cost a fifth of QEMU's start,
  and its size in memory.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network
from uuid import UUID

from nexus.agent.vmm.qemu import balloon, drives
from nexus.agent.vmm.qemu.drives import DiskPlan
from nexus.protocol.machines import EntropyLimit

KERNEL_ARGS: tuple[str, ...] = (
    "console=ttyS0",
    "reboot=t",
    "panic=-1",
    "quiet",
    "cryptomgr.notests",
    "systemd.getty_auto=no",
)
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
SHUTDOWN_TRACE = "qemu_system_shutdown_request"
TB_SIZE_MIB = 128
CHANNEL_PORT = "nexus.mux"
INCOMING = ("-S", "-incoming", "defer", "-global", "migration.send-configuration=off")
SUPPRESS_DESCRIPTION = ",suppress-vmdesc=on"
"""Devices are loaded from what `xen-save-devices-state` wrote, which has neither of these sections."""
OTHER_DEVICES = 3
"""Virtio devices besides disks and interfaces: entropy, guest channel, balloon."""


@dataclass(frozen=True)
class Accelerator:
    """`tsc_khz`: the host's, for `tcg`; None for `kvm`, where kvm-clock serves."""

    name: str
    tsc_khz: int | None


@dataclass(frozen=True)
class NicPlan:
    mac: str
    tap_fd: int | None
    restrict: bool
    network: IPv4Network | None = None
    is_connected: bool = True


@dataclass(frozen=True)
class Plan:
    """One launch: the definition with its files opened. Numbers are descriptors the VMM inherits."""

    machine: UUID
    launch: int
    vcpus: int
    memory_mib: int
    kernel_fd: int
    initramfs_fd: int
    boot_args: str | None
    disks: tuple[DiskPlan, ...]
    disk_fds: tuple[int, ...]
    """Of each disk, what its `fdset` is made of."""
    nics: tuple[NicPlan, ...]
    qmp_fd: int
    channel_fd: int
    balloon_deflates_on_oom: bool = True
    entropy_limit: EntropyLimit | None = None
    spare: int = 0
    """Places for disks to come."""
    memory_fd: int | None = None
    """Its memory, where something is to go on in that: it waits for the state of its devices. None: it boots."""

    @property
    def is_incoming(self) -> bool:
        return self.memory_fd is not None


def command(binary: str, plan: Plan, accelerator: Accelerator) -> list[str]:
    """The argument list; serial output goes to standard output, QEMU's own messages to standard error."""
    return [
        binary,
        "-name",
        process_name(plan.machine, plan.launch),
        "-uuid",
        str(plan.machine),
        *_base(plan, accelerator),
        *(_kernel(plan, accelerator) if not plan.is_incoming else ()),
        *_disks(plan),
        *[part for index, nic in enumerate(plan.nics) for part in _nic(index, nic)],
        *_channels(plan),
        *("-action", "reboot=shutdown,shutdown=pause,panic=pause"),
        *("-trace", SHUTDOWN_TRACE),
        *("-sandbox", SANDBOX),
        *(INCOMING if plan.is_incoming else ()),
    ]


def process_name(machine: UUID, launch: int) -> str:
    """What `-name` says: by it a VMM is found again whose pid was never recorded."""
    return f"nexus-{machine}-{launch}"


def kernel_command_line(boot_args: str | None, accelerator: Accelerator) -> str:
    words = list(KERNEL_ARGS)
    if accelerator.tsc_khz is not None:
        words += [f"tsc_early_khz={accelerator.tsc_khz}", "tsc=reliable"]
    if boot_args:
        words.append(boot_args)
    return " ".join(words)


def _base(plan: Plan, accelerator: Accelerator) -> list[str]:
    accel = f"tcg,tb-size={TB_SIZE_MIB}" if accelerator.name == "tcg" else accelerator.name
    return [
        *("-M", f"microvm,memory-backend=mem{SUPPRESS_DESCRIPTION if plan.is_incoming else ''}"),
        *("-accel", accel),
        *("-cpu", cpu_model(accelerator)),
        *("-smp", str(plan.vcpus)),
        *("-m", f"{plan.memory_mib}M"),
        *("-object", _memory(plan)),
        *("-nodefaults", "-no-user-config", "-nographic"),
        *("-device", _entropy(plan.entropy_limit)),
        *balloon.device(deflates_on_oom=plan.balloon_deflates_on_oom),
        *("-device", "i8042"),
    ]


def _memory(plan: Plan) -> str:
    if plan.memory_fd is None:
        return f"memory-backend-memfd,id=mem,size={plan.memory_mib}M,share=on"
    return f"memory-backend-file,id=mem,size={plan.memory_mib}M,share=on,mem-path={_inherited(plan.memory_fd)}"


def cpu_model(accelerator: Accelerator) -> str:
    return "max" if accelerator.name == "tcg" else "host"


def _entropy(limit: EntropyLimit | None) -> str:
    limits = "" if limit is None else f",max-bytes={limit.size},period={limit.refill_time}"
    return f"virtio-rng-device{limits}"


def _kernel(plan: Plan, accelerator: Accelerator) -> list[str]:
    return [
        *("-kernel", _inherited(plan.kernel_fd)),
        *("-initrd", _inherited(plan.initramfs_fd)),
        *("-append", kernel_command_line(plan.boot_args, accelerator)),
    ]


def _disks(plan: Plan) -> list[str]:
    sets = [
        part
        for disk, fd in zip(plan.disks, plan.disk_fds, strict=True)
        for part in ("-add-fd", f"fd={fd},set={disk.fdset}")
    ]
    return [*sets, *drives.arguments(plan.disks, spare=plan.spare)]


def _nic(index: int, nic: NicPlan) -> list[str]:
    device = f"id=nic{index},mac={nic.mac}"
    if not nic.is_connected:
        return ["-device", f"virtio-net-device,{device}"]
    if nic.tap_fd is not None:
        backend = f"tap,id=net{index},fd={nic.tap_fd}"
    else:
        network = f",net={nic.network}" if nic.network is not None else ""
        backend = f"user,id=net{index},restrict={'on' if nic.restrict else 'off'}{network}"
    return ["-netdev", backend, "-device", f"virtio-net-device,netdev=net{index},{device}"]


def _channels(plan: Plan) -> list[str]:
    return [
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
        *("-chardev", f"socket,id=qmp,fd={plan.qmp_fd},server=on,wait=off", "-mon", "chardev=qmp,mode=control"),
        *("-device", "virtio-serial-device,max_ports=2"),
        *("-chardev", f"socket,id=channel,fd={plan.channel_fd},server=on,wait=off"),
        *("-device", f"virtserialport,chardev=channel,name={CHANNEL_PORT},nr=1"),
    ]


def _inherited(fd: int) -> str:
    return f"/proc/self/fd/{fd}"
