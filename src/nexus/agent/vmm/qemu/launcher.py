"""Turns a definition into a running QEMU: opens its files, binds its sockets, launches the command line."""

import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO
from uuid import UUID

from nexus.agent.net.tap import open_tap
from nexus.agent.privilege import identity
from nexus.agent.storage.host_files import open_file
from nexus.agent.vmm.port import Definition, Disk, Nic
from nexus.agent.vmm.process import ProcessId, launch
from nexus.agent.vmm.qemu.accel import kvm_group
from nexus.agent.vmm.qemu.config import Accelerator, NicPlan, Plan, command
from nexus.agent.vmm.qemu.drives import DiskPlan, node_name
from nexus.agent.vmm.serial_input import make_fifo


@dataclass(frozen=True)
class Places:
    """Where a machine's things are: what lasts below `machines`, sockets below `sockets`."""

    machines: Path
    sockets: Path

    def home(self, machine: UUID) -> Path:
        return self.machines / str(machine)

    def record(self, machine: UUID) -> Path:
        return self.home(machine) / "vmm.json"

    def console(self, machine: UUID) -> Path:
        return self.home(machine) / "console.log"

    def vmm_log(self, machine: UUID) -> Path:
        return self.home(machine) / "vmm.log"

    def socket_dir(self, machine: UUID) -> Path:
        return self.sockets / str(machine)

    def monitor(self, machine: UUID) -> Path:
        return self.socket_dir(machine) / "qmp.sock"

    def channel(self, machine: UUID) -> Path:
        return self.socket_dir(machine) / "mux.sock"

    def early_channel(self, machine: UUID) -> Path:
        """Where the channel is until the guest runs: nobody is to use it before. One that is still there tells that
        whoever was restoring the machine has gone before that."""
        return self.socket_dir(machine) / "mux.early"

    def console_input(self, machine: UUID) -> Path:
        return self.socket_dir(machine) / "console.in"


def launch_qemu(
    definition: Definition,
    *,
    number: int,
    binary: str,
    accelerator: Accelerator,
    places: Places,
    spare: int,
    memory_fd: int | None = None,
) -> ProcessId:
    """`spare`: places for disks to come. `memory_fd`: the memory of a guest that goes on and waits for its devices.
    Raises OSError. Its sockets listen when this returns: connecting never has to be tried twice."""
    with ExitStack() as opened:
        for channel in (places.early_channel(definition.id), places.channel(definition.id)):
            channel.unlink(missing_ok=True)
        channel = places.channel(definition.id) if memory_fd is None else places.early_channel(definition.id)
        plan = replace(_plan(definition, number, places, channel, opened), spare=spare, memory_fd=memory_fd)
        out = opened.enter_context(_appending(places.console(definition.id)))
        err = opened.enter_context(_appending(places.vmm_log(definition.id)))
        fds = (
            plan.kernel_fd,
            plan.initramfs_fd,
            plan.qmp_fd,
            plan.channel_fd,
            *plan.disk_fds,
            *(nic.tap_fd for nic in plan.nics if nic.tap_fd is not None),
            *((memory_fd,) if memory_fd is not None else ()),
        )
        group = kvm_group() if accelerator.name == "kvm" else None
        argv = [*identity(definition.uid, group=group), *command(binary, plan, accelerator)]
        keys = make_fifo(places.console_input(definition.id))
        opened.callback(os.close, keys)
        return launch(argv, fds=fds, out=out, err=err, stdin=keys)


def _plan(definition: Definition, number: int, places: Places, channel: Path, opened: ExitStack) -> Plan:
    disk_fds = tuple(_open_disk(disk, opened) for disk in definition.disks)
    return Plan(
        machine=definition.id,
        launch=number,
        vcpus=definition.vcpus,
        memory_mib=definition.memory_mib,
        kernel_fd=_open_path(definition.kernel, opened),
        initramfs_fd=_open_path(definition.initramfs, opened),
        boot_args=definition.boot_args,
        disks=tuple(disk_plan(disk, fd, fdset=fd) for disk, fd in zip(definition.disks, disk_fds, strict=True)),
        disk_fds=disk_fds,
        nics=tuple(_nic_plan(nic, opened) for nic in definition.nics),
        qmp_fd=_listen(places.monitor(definition.id), opened),
        channel_fd=_listen(channel, opened),
        balloon_deflates_on_oom=definition.balloon_deflates_on_oom,
        entropy_limit=definition.entropy_limit,
    )


def disk_plan(disk: Disk, fd: int, *, fdset: int) -> DiskPlan:
    """A disk whose file, which we have open as `fd`, QEMU is given as this descriptor set."""
    return DiskPlan(
        drive_id=disk.drive_id,
        node=node_name(disk.id, os.fstat(fd)),
        fdset=fdset,
        read_only=disk.read_only,
        cache_type=disk.cache_type,
        io_engine=disk.io_engine,
        rate_limiter=disk.rate_limiter,
    )


def open_disk(disk: Disk) -> int:
    """A descriptor of a disk's file, as QEMU will use it. Raises OSError."""
    flags = os.O_RDONLY if disk.read_only else os.O_RDWR
    if disk.is_host_file:
        return open_file(disk.path, flags)
    return os.open(disk.path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)


def _open_disk(disk: Disk, opened: ExitStack) -> int:
    fd = open_disk(disk)
    opened.callback(os.close, fd)
    return fd


def _open_path(path: Path, opened: ExitStack) -> int:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    opened.callback(os.close, fd)
    return fd


def _nic_plan(nic: Nic, opened: ExitStack) -> NicPlan:
    return NicPlan(nic.mac, _open_tap(nic, opened), nic.restrict, nic.network, nic.is_connected)


def _open_tap(nic: Nic, opened: ExitStack) -> int | None:
    if nic.tap is None:
        return None
    fd = open_tap(nic.tap)
    opened.callback(os.close, fd)
    return fd


def _listen(path: Path, opened: ExitStack) -> int:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    opened.callback(listener.close)
    listener.bind(str(path))
    listener.listen(4)
    return listener.fileno()


def _appending(path: Path) -> IO[bytes]:
    return path.open("ab", buffering=0)
