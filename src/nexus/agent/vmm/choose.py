"""Which hypervisor this host uses, and why."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexus.agent.settings import AgentSettings
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.fake import FakeVmm
from nexus.agent.vmm.firecracker import detect
from nexus.agent.vmm.firecracker.detect import NoFirecracker
from nexus.agent.vmm.port import Vmm
from nexus.agent.vmm.qemu import accel, zygotes
from nexus.agent.vmm.qemu.driver import QemuVmm
from nexus.agent.vmm.qemu.launcher import Places
from nexus.agent.vmm.qemu.zygote_driver import ZygoteVmm
from nexus.agent.vmm.qemu.zygote_making import ZygoteMaker
from nexus.agent.vmm.qemu.zygotes import ZygoteStore
from nexus.kit.clock import Clock

BINARY = "qemu-system-x86_64"
VERSION = re.compile(r"version (\d+(?:\.\d+)+)")


class NoHypervisor(Exception):
    """None that we can use is here; the message says what to install."""


@dataclass(frozen=True)
class Host:
    """What every driver is given: `sockets` is a short directory for them, `machines` what lasts."""

    machines: Path
    sockets: Path
    host_boot_id: str
    clock: Clock
    cgroups: Cgroups


async def choose_vmm(
    settings: AgentSettings, *, machines: Path, sockets: Path, host_boot_id: str, clock: Clock, cgroups: Cgroups
) -> Vmm:
    """Raises NoHypervisor, AcceleratorTrouble, OSError."""
    host = Host(machines, sockets, host_boot_id, clock, cgroups)
    if settings.vmm == "fake":
        return FakeVmm(machines=machines, clock=clock, boot_s=settings.fake_boot_s)
    if settings.vmm == "qemu":
        return await _qemu(settings, host, "")
    try:
        return await _firecracker(settings, host)
    except NoFirecracker as refused:
        if settings.vmm == "firecracker":
            raise NoHypervisor(f"AGENT_VMM demands firecracker, but {refused}") from refused
        why_not = f" Firecracker is there and is not used: {refused}." if detect.is_installed(settings) else ""
        return await _qemu(settings, host, why_not)


async def firecracker_kvm_refusal(settings: AgentSettings, *, host_boot_id: str) -> str | None:
    """Why Firecracker would have no KVM: proven with QEMU where that is installed, else asked of the kernel."""
    if settings.accel == "tcg":
        return "AGENT_ACCEL demands software emulation, which it has not"
    binary = shutil.which(BINARY)
    if binary is None:
        return accel.missing(settings.machine_uid_base) or detect.kvm_refusal()
    uid, cache = settings.machine_uid_base, settings.run_dir / "accelerator.json"
    return await accel.kvm_refusal(binary, qemu_version(binary), host_boot_id, uid, cache)


async def _firecracker(settings: AgentSettings, host: Host) -> Vmm:
    found = detect.find(settings, cgroups=host.cgroups)
    if (refusal := await firecracker_kvm_refusal(settings, host_boot_id=host.host_boot_id)) is not None:
        raise NoFirecracker(f"it needs KVM, and {refusal}")
    return await detect.make_driver(
        settings,
        found,
        machines=host.machines,
        host_boot_id=host.host_boot_id,
        clock=host.clock,
        cgroups=host.cgroups,
        why=f"Firecracker {found.release} with KVM, in a jail of its own per machine.",
    )


async def _qemu(settings: AgentSettings, host: Host, why_not: str) -> Vmm:
    """`why_not`: a sentence about what was passed over."""
    binary = shutil.which(BINARY)
    if binary is None:
        raise NoHypervisor(f"{BINARY} is not installed (Debian: apt-get install qemu-system-x86).{why_not}")
    version = qemu_version(binary)
    choice = await accel.choose(
        binary,
        wanted=settings.accel,
        qemu_version=version,
        host_boot_id=host.host_boot_id,
        uid=settings.machine_uid_base,
        cache=settings.run_dir / "accelerator.json",
    )
    driver: dict[str, Any] = {
        "binary": binary,
        "version": version,
        "accelerator": choice.accelerator,
        "why": f"{choice.why}{why_not}",
        "host_boot_id": host.host_boot_id,
        "cgroups": host.cgroups,
        "clock": host.clock,
    }
    store, maker = _zygotes(settings, host, driver)
    await maker.tidy()
    if not settings.zygotes or choice.accelerator.name != "tcg":  # elsewhere nobody has tried them
        await maker.close()
        store.clear()
        return QemuVmm(machines=host.machines, sockets=host.sockets, **driver)
    store.discard_stale()
    return ZygoteVmm(store=store, maker=maker, machines=host.machines, sockets=host.sockets, **driver)


def _zygotes(settings: AgentSettings, host: Host, driver: dict[str, Any]) -> tuple[ZygoteStore, ZygoteMaker]:
    facts = zygotes.host_facts(version=driver["version"], accelerator=driver["accelerator"], boot_id=host.host_boot_id)
    home = zygotes.home_of(settings.run_dir)
    store = ZygoteStore(home, facts)
    places = Places(home / "machine", host.sockets.with_name("z"))
    vmm = QemuVmm(machines=places.machines, sockets=places.sockets, **driver)
    return store, ZygoteMaker(store, vmm, places=places, uid=settings.machine_uid_base)


def qemu_version(binary: str) -> str:
    """As QEMU says it. Raises NoHypervisor for something else under that name."""
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    found = VERSION.search(said)
    if found is None:
        raise NoHypervisor(f"{binary} does not tell its version")
    return found[1]
