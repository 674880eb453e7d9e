"""From a definition to a guest that runs: its files put in place, its configuration told, in order."""

import os
from pathlib import Path

from nexus.agent.vmm.firecracker import resources
from nexus.agent.vmm.firecracker.api import FirecrackerApi
from nexus.agent.vmm.firecracker.config import Configuration
from nexus.agent.vmm.firecracker.jails import Jailed
from nexus.agent.vmm.firecracker.places import LOG, Places, open_root
from nexus.agent.vmm.logs import KEEP_BYTES
from nexus.agent.vmm.port import Definition


def prepare(definition: Definition, jailed: Jailed, places: Places) -> None:
    """Everything on the host that the machine consists of, in its jail. Blocking: call in a thread.

    Raises VmmTrouble, OSError."""
    carry_over(places.output(jailed.id), places.console(definition.id))
    places.keys(jailed.id).rename(places.console_input(definition.id))
    keep_log(places.root(jailed.id), places.vmm_log(definition.id))
    resources.put_in(definition, places.root(jailed.id), uid=jailed.uid)


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
    if wanted.logger is not None:
        await api.put_logger(wanted.logger)
    await api.put_metrics(wanted.metrics)
    await api.put_serial(wanted.serial)
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


def template(definition: Definition, *, host: bytes | None) -> bytes | None:
    """A custom CPU template as JSON: the machine's own, or else this host's; None for neither."""
    own = definition.cpu_config
    return own.model_dump_json(exclude_defaults=True).encode() if own is not None else host
