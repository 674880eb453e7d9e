"""Whether Firecracker can run guests on this host, found out before it is chosen; and the driver for it.

Must stay true: without its jailer it runs only where the development setting says so.
"""

import fcntl
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from nexus.agent.settings import AgentSettings
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.firecracker import version
from nexus.agent.vmm.firecracker.driver import FirecrackerVmm
from nexus.agent.vmm.firecracker.jailer import Programs
from nexus.agent.vmm.firecracker.jails import Jails
from nexus.agent.vmm.firecracker.places import Places
from nexus.agent.vmm.firecracker.running import Patience
from nexus.agent.vmm.firecracker.uids import Uids
from nexus.agent.vmm.firecracker.version import Release, VersionTrouble
from nexus.kit.clock import Clock

FIRST_JAIL_UID = 1_000_000
"""Beyond AGENT_UID_BASE: far from the uids that machines of other drivers run under."""
KVM = Path("/dev/kvm")
KVM_GET_API_VERSION, KVM_CREATE_VM = 0xAE00, 0xAE01
KVM_API_VERSION = 12
UNJAILED = "WITHOUT its jailer, as AGENT_FIRECRACKER_UNJAILED demands: for development, never for others' guests"


class NoFirecracker(Exception):
    """It cannot be used here; the message says why, as a part of a sentence."""


@dataclass(frozen=True)
class Found:
    programs: Programs
    release: Release


def is_installed(settings: AgentSettings) -> bool:
    return _program(settings.firecracker, "firecracker") is not None


def find(settings: AgentSettings, *, cgroups: Cgroups) -> Found:
    """Everything but KVM looked at. Raises NoFirecracker."""
    programs = _programs(settings)
    if settings.network == "user":
        raise NoFirecracker("it has no network stack of its own, and AGENT_NETWORK demands user mode")
    try:
        release = version.said_by(programs.firecracker)
        version.require_sound(release)
        if programs.jailer is not None:
            version.require_pair(release, version.said_by(programs.jailer))
    except VersionTrouble as unsound:
        raise NoFirecracker(str(unsound)) from unsound
    if programs.jailer is not None:
        _require_rights(programs, settings, cgroups)
    return Found(programs, release)


def kvm_refusal() -> str | None:
    """Why the kernel does not make a VM; None when it does. No guest is run: see `qemu.accel` for that proof."""
    try:
        kvm = os.open(KVM, os.O_RDWR | os.O_CLOEXEC)
    except OSError as refused:
        return f"{KVM} cannot be opened ({refused.strerror})"
    try:
        if fcntl.ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION:
            return f"{KVM} speaks another version of its interface"
        os.close(fcntl.ioctl(kvm, KVM_CREATE_VM, 0))
    except OSError as refused:
        return f"{KVM} makes no VM ({refused.strerror})"
    finally:
        os.close(kvm)
    return None


async def make_driver(
    settings: AgentSettings,
    found: Found,
    *,
    machines: Path,
    host_boot_id: str,
    clock: Clock,
    cgroups: Cgroups,
    why: str,
) -> FirecrackerVmm:
    """The driver, with what a killed agent left behind removed. Raises NoFirecracker, OSError."""
    base = settings.machine_uid_base
    is_jailed = found.programs.jailer is not None and base is not None
    jails = settings.run_dir / "jails"
    jails.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = Uids(own=os.geteuid())
    driver = FirecrackerVmm(
        Jails(
            programs=found.programs,
            places=Places(machines, jails, found.programs.firecracker.resolve().name),
            uids=Uids(first=base + FIRST_JAIL_UID, count=settings.jail_uids) if is_jailed and base is not None else own,
            cgroups=cgroups,
        ),
        version=str(found.release),
        why=why if is_jailed else f"{why.rstrip('.')}; {UNJAILED}.",
        spares=settings.spare_vmms,
        cpu_template=_template(settings.cpu_template),
        host_boot_id=host_boot_id,
        clock=clock,
        patience=Patience(),
    )
    await driver.open()
    return driver


def untrusted(path: Path) -> Path | None:
    """The first of `path` and the directories above it that others than root could change (fact 6); None when all is
    well. In a directory with the sticky bit nobody can replace what is root's."""
    for each in (path, *path.parents):
        about = each.stat()
        is_open = about.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not about.st_mode & stat.S_ISVTX
        if about.st_uid != 0 or is_open:
            return each
    return None


def _programs(settings: AgentSettings) -> Programs:
    firecracker = _program(settings.firecracker, "firecracker")
    if firecracker is None:
        raise NoFirecracker("the program `firecracker` is not there (AGENT_FIRECRACKER)")
    if settings.firecracker_unjailed:
        return Programs(firecracker, None)
    jailer = _program(settings.jailer, "jailer")
    if jailer is None:
        raise NoFirecracker("the program `jailer` is not there (AGENT_JAILER), and without it none is started")
    return Programs(firecracker, jailer)


def _require_rights(programs: Programs, settings: AgentSettings, cgroups: Cgroups) -> None:
    if settings.machine_uid_base is None:
        raise NoFirecracker("its jailer needs root")
    if (why_not := cgroups.missing()) is not None:
        raise NoFirecracker(f"its limits need cgroup v2, and {why_not}")
    assert programs.jailer is not None
    for path in (programs.firecracker, programs.jailer, _nearest(settings.run_dir)):
        if (weak := untrusted(path.resolve())) is not None:
            raise NoFirecracker(f"others than root may change {weak}, which its jailer trusts")


def _nearest(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())


def _program(named: Path | None, name: str) -> Path | None:
    if named is not None:
        return named if os.access(named, os.X_OK) else None
    found = shutil.which(name)
    return Path(found) if found is not None else None


def _template(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path is not None else None
    except OSError as unreadable:
        raise NoFirecracker(f"AGENT_CPU_TEMPLATE cannot be read: {unreadable.strerror}") from unreadable
