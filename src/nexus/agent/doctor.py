"""What this host can do for machines, found out by proof; `nexus doctor` prints it with its own findings."""

import shutil
import tempfile
from pathlib import Path

from nexus.agent import production
from nexus.agent.facts import host_boot_id
from nexus.agent.net.choose import choose_network
from nexus.agent.net.port import NetTrouble
from nexus.agent.settings import AgentSettings
from nexus.agent.storage.files import can_reflink
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.choose import BINARY, NoHypervisor, firecracker_kvm_refusal, qemu_version
from nexus.agent.vmm.firecracker import detect
from nexus.agent.vmm.qemu import accel, zygotes
from nexus.protocol.checkup import Checkup, Finding, Verdict
from nexus.protocol.hosts import Offer

QEMU_PACKAGE = "qemu-system-x86"
TOOLS = {"mke2fs": "e2fsprogs", "resize2fs": "e2fsprogs", "setpriv": "util-linux"}


async def examine(settings: AgentSettings, *, strict: bool = False) -> Checkup:
    """Takes seconds the first time, for a test guest may be run. `strict`: also what a production host must be."""
    return Checkup(
        findings=(
            *await _hypervisor(settings),
            *await _firecracker(settings),
            await _network(settings),
            _users(settings),
            _limits(),
            _tools(),
            _cloning(settings),
            *_zygotes(settings),
            *(await production.examine(settings) if strict else ()),
        )
    )


async def _hypervisor(settings: AgentSettings) -> tuple[Finding, ...]:
    binary = shutil.which(BINARY)
    if binary is None:
        fix = f"apt-get install --no-install-recommends {QEMU_PACKAGE}"
        return (Finding(name="hypervisor", verdict=Verdict.MISSING, found=f"no {BINARY}", fix=fix),)
    try:
        version = qemu_version(binary)
    except NoHypervisor as unusable:
        return (Finding(name="hypervisor", verdict=Verdict.MISSING, found=str(unusable), fix="reinstall QEMU"),)
    found = Finding(name="hypervisor", verdict=Verdict.OK, found=f"QEMU {version}")
    return found, await _acceleration(binary, version, settings)


async def _firecracker(settings: AgentSettings) -> tuple[Finding, ...]:
    """Nothing where it is neither there nor wanted."""
    if settings.vmm not in ("auto", "firecracker"):
        return ()
    if settings.vmm == "auto" and not detect.is_installed(settings):
        return ()
    unfit = Verdict.MISSING if settings.vmm == "firecracker" else Verdict.WARN
    try:
        found = detect.find(settings, cgroups=Cgroups())
    except detect.NoFirecracker as refused:
        fix = "see what `nexus doctor --strict` says, or set AGENT_VMM to qemu"
        return (Finding(name="Firecracker", verdict=unfit, found=f"not used: {refused}", fix=fix),)
    refusal = await firecracker_kvm_refusal(settings, host_boot_id=host_boot_id(settings.boot_id_file))
    if refusal is not None:
        fix = "see acceleration"
        return (Finding(name="Firecracker", verdict=unfit, found=f"not used, without KVM: {refusal}", fix=fix),)
    if found.programs.jailer is None:
        fix = "unset AGENT_FIRECRACKER_UNJAILED: without its jailer it is for development only"
        return (Finding(name="Firecracker", verdict=Verdict.WARN, found=f"{found.release}, unjailed", fix=fix),)
    return (Finding(name="Firecracker", verdict=Verdict.OK, found=f"{found.release}, used for machines"),)


async def _acceleration(binary: str, version: str, settings: AgentSettings) -> Finding:
    try:
        choice = await _choose(binary, version, settings)
    except accel.AcceleratorTrouble as refused:
        fix = "unset AGENT_ACCEL, or set it to auto"
        return Finding(name="acceleration", verdict=Verdict.MISSING, found=str(refused), fix=fix)
    if choice.accelerator.name == "kvm":
        return Finding(name="acceleration", verdict=Verdict.OK, found=choice.why)
    fix = "enable virtualization (VT-x, AMD-V) in the firmware or the hypervisor above"
    if accel.is_closed(settings.machine_uid_base):
        fix = "add this user to the group of /dev/kvm (usermod --append --groups kvm NAME), and sign in again"
    return Finding(name="acceleration", verdict=Verdict.WARN, found=choice.why, fix=fix)


async def _choose(binary: str, version: str, settings: AgentSettings) -> accel.Choice:
    with tempfile.TemporaryDirectory() as scratch:
        kept = settings.run_dir / "accelerator.json"
        return await accel.choose(
            binary,
            wanted=settings.accel,
            qemu_version=version,
            host_boot_id=host_boot_id(settings.boot_id_file),
            uid=settings.machine_uid_base,
            cache=kept if kept.parent.is_dir() else Path(scratch) / kept.name,
        )


async def _network(settings: AgentSettings) -> Finding:
    try:
        network = await choose_network(
            wanted=settings.network, restrict=settings.user_net_restrict, default_bridge=settings.bridge
        )
    except NetTrouble as refused:
        fix = "run the agent as root, or set AGENT_NETWORK to auto"
        return Finding(name="network", verdict=Verdict.MISSING, found=str(refused), fix=fix)
    is_full = Offer.BRIDGE in network.offers
    fix = None if is_full else "run the agent as root (or with CAP_NET_ADMIN) with nftables installed"
    return Finding(
        name="network",
        verdict=Verdict.OK if is_full else Verdict.WARN,
        found=f"{network.mode} mode. {network.why}",
        fix=fix,
    )


def _users(settings: AgentSettings) -> Finding:
    if settings.machine_uid_base is None:
        found = "all machines run under your own uid"
        return Finding(name="isolation", verdict=Verdict.WARN, found=found, fix="run the agent as root")
    found = f"each machine runs under a uid of its own, from {settings.machine_uid_base + 1}"
    return Finding(name="isolation", verdict=Verdict.OK, found=found)


def _limits() -> Finding:
    why_not = Cgroups().why_not
    if why_not is None:
        return Finding(name="limits", verdict=Verdict.OK, found="memory and CPU of each VMM, by cgroup v2")
    fix = "boot with a unified cgroup hierarchy, and run the agent as root or in a delegated unit"
    return Finding(name="limits", verdict=Verdict.WARN, found=f"none: {why_not}", fix=fix)


def _tools() -> Finding:
    missing = [name for name in TOOLS if shutil.which(name) is None]
    if not missing:
        return Finding(name="disk tools", verdict=Verdict.OK, found=", ".join(TOOLS))
    fix = f"apt-get install --no-install-recommends {' '.join(sorted({TOOLS[name] for name in missing}))}"
    return Finding(name="disk tools", verdict=Verdict.MISSING, found=f"no {', '.join(missing)}", fix=fix)


def _zygotes(settings: AgentSettings) -> tuple[Finding, ...]:
    """Nothing where there are none."""
    try:
        taken = zygotes.taken(settings.run_dir)
    except OSError as refused:
        fix = "run as the user that the agent runs as"
        return (Finding(name="zygotes", verdict=Verdict.WARN, found=f"not to be looked at: {refused}", fix=fix),)
    if not taken.count:
        return ()
    where = zygotes.home_of(settings.run_dir)
    found = f"{taken.count} of at most {zygotes.MOST_ZYGOTES}, {taken.disk_bytes >> 20} MiB in {where}"
    return (Finding(name="zygotes", verdict=Verdict.OK, found=found),)


def _cloning(settings: AgentSettings) -> Finding:
    """Not a fault: a sparse copy is only slower."""
    where = next(path for path in (settings.run_dir, *settings.run_dir.parents) if path.is_dir())
    if can_reflink(where):
        return Finding(name="disk cloning", verdict=Verdict.OK, found=f"by reflink in {where}")
    return Finding(name="disk cloning", verdict=Verdict.OK, found=f"by sparse copy ({where} has no reflinks)")
