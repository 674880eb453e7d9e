"""From a definition to a guest that runs: its files put in place, its configuration told, in order."""

import os
from dataclasses import dataclass
from pathlib import Path

from nexus.agent.vmm.firecracker import bodies, resources
from nexus.agent.vmm.firecracker.api import FirecrackerApi
from nexus.agent.vmm.firecracker.config import Configuration, Inside, new_limiter
from nexus.agent.vmm.firecracker.jails import Jailed
from nexus.agent.vmm.firecracker.places import LOG, MEMORY, STATE, Places, open_root
from nexus.agent.vmm.logs import KEEP_BYTES
from nexus.agent.vmm.port import Definition


@dataclass(frozen=True)
class Source:
    """What a guest goes on from: files of the snapshot, but for `memory`, which is a copy (`memories`)."""

    memory: Path
    state: Path
    is_linked: bool


def prepare(definition: Definition, jailed: Jailed, places: Places, source: Source | None = None) -> None:
    """Everything on the host that the machine consists of, in its jail. Blocking: call in a thread.

    Raises VmmTrouble, OSError."""
    carry_over(places.output(jailed.id), places.console(definition.id))
    places.keys(jailed.id).rename(places.console_input(definition.id))
    keep_log(places.root(jailed.id), places.vmm_log(definition.id))
    root, uid = places.root(jailed.id), jailed.uid
    if source is None:
        resources.put_in(definition, root, uid=uid)
    else:
        resources.put_in_saved(definition, root, uid=uid, memory=source.memory, state=source.state)


def carry_over(output: Path, console: Path) -> None:
    """Have the process's output, to which it appends, go on where the machine's console log ends: a byte of that keeps
    its offset for the machine's whole life. What is in front of what is kept is a hole."""
    fd = os.open(output, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        said = os.pread(fd, KEEP_BYTES, 0)
        size = console.stat().st_size if console.exists() else 0
        if size:
            start = max(0, size - KEEP_BYTES)
            with console.open("rb") as old:
                old.seek(start)
                kept = old.read(size - start)
            os.ftruncate(fd, 0)
            os.pwrite(fd, kept + said, start)
    finally:
        os.close(fd)
    output.rename(console)


def keep_log(root: Path, kept: Path) -> None:
    """Have the process's log among the machine's own files too, where it can be read and stays when the jail goes. No
    guest has run yet that could have put something else in its place."""
    kept.unlink(missing_ok=True)
    jail = open_root(root)
    try:
        os.link(LOG, kept, src_dir_fd=jail, follow_symlinks=False)
    finally:
        os.close(jail)


async def apply(api: FirecrackerApi, wanted: Configuration, *, cpu_template: bytes | None) -> None:
    """Tell a process that waits what its machine is; the guest does not run yet. Raises ApiTrouble."""
    await _apply_sinks(api, wanted)
    await api.put_machine_config(wanted.machine_config)
    if cpu_template is not None:
        await api.put_cpu_config(cpu_template)
    await api.put_boot_source(wanted.boot_source)
    for drive in wanted.drives:
        await api.put_drive(drive)
    for interface in wanted.network_interfaces:
        await api.put_network_interface(interface)
    await api.put_vsock(wanted.vsock)
    await api.put_balloon(wanted.balloon)
    await api.put_entropy(wanted.entropy)


async def load(
    api: FirecrackerApi, wanted: Configuration, definition: Definition, *, inside: Inside, patience_s: float
) -> None:
    """Have a guest that was saved in a process that was told nothing yet; it stands still. Raises ApiTrouble.

    Nothing may come before but where it logs, measures and prints, which is in no snapshot (facts 16 and 41). What the
    snapshot has of limits and of the balloon was another machine's, or of another time."""
    await _apply_sinks(api, wanted)
    await api.load_snapshot(
        bodies.SnapshotLoad(
            snapshot_path=inside.path(STATE),
            mem_backend=bodies.MemoryBackend(backend_type="File", backend_path=inside.path(MEMORY)),
            resume_vm=False,
            network_overrides=tuple(
                bodies.NetworkOverride(iface_id=nic.iface_id, host_dev_name=nic.host_dev_name)
                for nic in wanted.network_interfaces
            ),
            vsock_override=bodies.VsockOverride(uds_path=wanted.vsock.uds_path),
        ),
        patience_s=patience_s,
    )
    for disk in definition.disks:
        limits = new_limiter(disk.rate_limiter)
        await api.patch_drive(bodies.DriveUpdate(drive_id=disk.drive_id, rate_limiter=limits))
    await _adjust_balloon(api, wanted.balloon)


async def _adjust_balloon(api: FirecrackerApi, wanted: bodies.Balloon) -> None:
    """Only what differs: a guest without a driver for it has no balloon to adjust."""
    has = await api.balloon()
    if has.amount_mib != wanted.amount_mib:
        await api.patch_balloon(bodies.BalloonUpdate(amount_mib=wanted.amount_mib))
    if has.stats_polling_interval_s != wanted.stats_polling_interval_s:
        interval_s = wanted.stats_polling_interval_s
        await api.patch_balloon_statistics(bodies.BalloonStatsUpdate(stats_polling_interval_s=interval_s))


async def _apply_sinks(api: FirecrackerApi, wanted: Configuration) -> None:
    if wanted.logger is not None:
        await api.put_logger(wanted.logger)
    await api.put_metrics(wanted.metrics)
    await api.put_serial(wanted.serial)


def template(definition: Definition, *, host: bytes | None) -> bytes | None:
    """A custom CPU template as JSON: the machine's own, or else this host's; None for neither."""
    own = definition.cpu_config
    return own.model_dump_json(exclude_defaults=True).encode() if own is not None else host
