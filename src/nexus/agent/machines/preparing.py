"""Everything a boot needs on this host, made or found: images, disks, network, the guest's configuration; and the
removal of it all."""

import asyncio
import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from nexus.agent.machines import state as states
from nexus.agent.machines.guest_config import guest_config, write_initramfs
from nexus.agent.machines.host import Host
from nexus.agent.machines.state import MachineState
from nexus.agent.net.port import Attachment
from nexus.agent.storage.disks import DiskStore
from nexus.agent.vmm.port import BalloonTarget, Definition, Disk, Nic, OwnGuest, Wires
from nexus.kit.durable import sync_directory
from nexus.protocol.guest import GuestConfig
from nexus.protocol.machines import MachineSpec, Power

DISKS = "disks"
Say = Callable[[str], None]


def make_home(host: Host, state: MachineState) -> None:
    """The directory of a machine that is new to this host, with its state in it; all of that, names too, is on disk
    when this returns. Raises OSError."""
    home = host.home(state.spec.id)
    home.mkdir(mode=0o700, exist_ok=True)
    (home / DISKS).mkdir(mode=0o700, exist_ok=True)
    states.forget_ready(home)
    states.save(home, state)
    sync_directory(home.parent)


async def fetch_images(host: Host, spec: MachineSpec, say: Say) -> None:
    """Have every image that `spec` names on this host. Raises StorageTrouble."""
    for sha256 in _images(spec):
        await host.images.ensure(sha256, say)


def is_at_hand(host: Host, spec: MachineSpec) -> bool:
    """Whether a boot would wait neither for images nor for its turn."""
    return not host.boot_slots.locked() and all(host.images.has(sha256) for sha256 in _images(spec))


def _images(spec: MachineSpec) -> tuple[str, ...]:
    of_disks = (disk.image_sha256 for disk in spec.disks if disk.image_sha256 is not None)
    return (spec.kernel_sha256, spec.initramfs_sha256, *of_disks)


async def prepare(host: Host, state: MachineState, say: Say, *, goes_on: bool = False) -> Definition:
    """`goes_on`: it is not to boot but to go on in its memory. Then its disks are made otherwise, before the definition
    is used, and what its kernel was given at the start is of no use.

    Raises StorageTrouble, NetTrouble, SpecTrouble, VmmTrouble or OSError; may be repeated after any of them."""
    spec = state.running
    uid = host.uid(state.slot)
    kernel = await host.images.ensure(spec.kernel_sha256, say)
    base = await host.images.ensure(spec.initramfs_sha256, say)
    disks = await _disks(host, spec, uid, say, makes_disks=not goes_on)
    attachments = {nic.id: host.network.attachment(nic, position) for position, nic in enumerate(spec.nics)}
    taps = tuple(made.tap for made in attachments.values() if made.tap is not None)
    if taps and isinstance(host.vmm, Wires):
        await host.vmm.ensure_wires(spec.id, taps)
    for nic in spec.nics:
        await host.network.ensure(nic, uid=uid)
    config = None
    if spec.has_guest_agent:
        config = guest_config(spec, attachments, time_unix_ms=int(host.clock.now().timestamp() * 1000))
    return Definition(
        id=spec.id,
        vcpus=spec.vcpus,
        memory_mib=spec.memory_mib,
        kernel=kernel,
        initramfs=base if goes_on else await _initramfs(host, spec, base, config, uid),
        boot_args=spec.boot_args,
        disks=disks,
        nics=tuple(_nic(nic.mac, attachments[nic.id]) for nic in spec.nics),
        uid=uid,
        balloon=BalloonTarget(spec.balloon_mib, spec.balloon_stats_s),
        balloon_deflates_on_oom=spec.balloon_deflates_on_oom,
        entropy_limit=spec.entropy_limit,
        console_bytes=spec.console_bytes,
        log_level=spec.log_level,
        cpu_config=spec.cpu_config,
        vsock_cid=spec.vsock_cid,
        guest=OwnGuest(base, config, state.attempt) if config is not None else None,
    )


async def _initramfs(host: Host, spec: MachineSpec, base: Path, config: GuestConfig | None, uid: int | None) -> Path:
    """Ours with the guest's configuration behind it; a user's own as it is, for it is no business of ours."""
    if config is None:
        return base
    path = host.home(spec.id) / "initramfs"
    await asyncio.to_thread(write_initramfs, base, config, path, uid=uid)
    return path


def disk_store(host: Host, machine: UUID, uid: int | None) -> DiskStore:
    return DiskStore(host.home(machine) / DISKS, uid=uid, host_files=host.host_files)


def _nic(mac: str, attachment: Attachment) -> Nic:
    network = attachment.address.network if attachment.tap is None and attachment.address is not None else None
    return Nic(mac, attachment.tap, attachment.restrict, network)


async def _disks(host: Host, spec: MachineSpec, uid: int | None, say: Say, *, makes_disks: bool) -> tuple[Disk, ...]:
    store = disk_store(host, spec.id, uid)
    store.discard_others({disk.id for disk in spec.disks})
    host.host_files.release(spec.id)
    made: list[Disk] = []
    for disk in spec.disks:
        image = await host.images.ensure(disk.image_sha256, say) if disk.image_sha256 else None
        made.append(await store.ensure(disk, image) if makes_disks else store.as_is(disk, image))
        claim(host, spec.id, made[-1])
    return tuple(made)


def claim(host: Host, machine: UUID, disk: Disk) -> None:
    """Keep other machines from a file of the host's own. Raises StorageTrouble."""
    if disk.is_host_file:
        host.host_files.claim(machine, disk.path, writes=not disk.read_only)


def reclaim(host: Host, spec: MachineSpec) -> None:
    """Note what a machine that was found running uses of the host's own files."""
    for disk in spec.disks:
        if disk.path_on_host is not None:
            host.host_files.claim(spec.id, Path(disk.path_on_host), writes=not disk.read_only)


async def tidy(host: Host, state: MachineState, power: Power) -> None:
    """Remove what a machine still has of disks and interfaces that its definition has no more, once it is off."""
    if power is not Power.OFF:
        return
    host.host_files.release(state.spec.id)
    store = disk_store(host, state.spec.id, host.uid(state.slot))
    await asyncio.to_thread(store.discard_others, {disk.id for disk in state.spec.disks})
    for nic in set(state.nics) - {nic.id for nic in state.spec.nics}:
        await host.network.discard(nic)


def remove_files(host: Host, machine: UUID) -> None:
    """Everything of a machine on disk; machine.json last, so that what breaks off is taken up again."""
    shutil.rmtree(host.sockets / str(machine), ignore_errors=True)
    home = host.home(machine)
    for path in list(home.iterdir()) if home.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != states.FILE:
            path.unlink()
    (home / states.FILE).unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        home.rmdir()
