"""Which hypervisor this host uses, and why."""

import re
import shutil
import subprocess
from pathlib import Path

from nexus.agent.settings import AgentSettings
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.fake import FakeVmm
from nexus.agent.vmm.port import Vmm
from nexus.agent.vmm.qemu import accel
from nexus.agent.vmm.qemu.driver import QemuVmm
from nexus.kit.clock import Clock

BINARY = "qemu-system-x86_64"
VERSION = re.compile(r"version (\d+(?:\.\d+)+)")


class NoHypervisor(Exception):
    """None that we can use is here; the message says what to install."""


async def choose_vmm(
    settings: AgentSettings, *, machines: Path, sockets: Path, host_boot_id: str, clock: Clock, cgroups: Cgroups
) -> Vmm:
    """Raises NoHypervisor, AcceleratorTrouble."""
    if settings.vmm == "fake":
        return FakeVmm(machines=machines, clock=clock, boot_s=settings.fake_boot_s)
    binary = shutil.which(BINARY)
    if binary is None:
        raise NoHypervisor(f"{BINARY} is not installed (Debian: apt-get install qemu-system-x86)")
    version = qemu_version(binary)
    choice = await accel.choose(
        binary,
        wanted=settings.accel,
        qemu_version=version,
        host_boot_id=host_boot_id,
        uid=settings.machine_uid_base,
        cache=settings.run_dir / "accelerator.json",
    )
    return QemuVmm(
        binary=binary,
        version=version,
        accelerator=choice.accelerator,
        why=choice.why,
        machines=machines,
        sockets=sockets,
        host_boot_id=host_boot_id,
        cgroups=cgroups,
        clock=clock,
    )


def qemu_version(binary: str) -> str:
    """As QEMU says it. Raises NoHypervisor for something else under that name."""
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    found = VERSION.search(said)
    if found is None:
        raise NoHypervisor(f"{binary} does not tell its version")
    return found[1]
