"""What a host must be, beyond able, to run other people's guests: `nexus doctor --strict` (docs/production-host.md).

Each thing comes with the command that mends it. The reasons are Firecracker's own recommendations for production hosts
(its docs/prod-host-setup.md) and are told, with their numbers, in docs/firecracker-facts.md.
"""

import ctypes
import platform
from collections.abc import Callable
from pathlib import Path

from nexus.agent.facts import host_boot_id
from nexus.agent.settings import AgentSettings
from nexus.agent.storage.files import can_reflink
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.choose import firecracker_kvm_refusal
from nexus.agent.vmm.firecracker import detect
from nexus.agent.vmm.firecracker.version import OLDEST, TESTED
from nexus.protocol.checkup import Finding, Verdict

KERNELS = ((5, 10), (6, 1), (6, 18))
"""Host kernels that Firecracker is tested on (fact 1)."""
MOST_MOUNTS = 100
"""Every mount of the host makes each launch of a jail slower (fact 9)."""
TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronized."""
_TIMEX_BYTES = 512


async def examine(settings: AgentSettings) -> tuple[Finding, ...]:
    """Looks only. Seconds, where a test guest must prove KVM."""
    return (
        await _kvm(settings),
        _firecracker(settings),
        _cgroups(),
        _reflinks(settings),
        _clock(clock_state()),
        *(look(Path("/")) for look in HOST_CHECKS),
    )


async def _kvm(settings: AgentSettings) -> Finding:
    refusal = await firecracker_kvm_refusal(settings, host_boot_id=host_boot_id(settings.boot_id_file))
    if refusal is None:
        return _ok("strict: KVM", "guests run under it")
    return _bad("strict: KVM", refusal, "modprobe kvm_intel || modprobe kvm_amd; else enable VT-x or AMD-V in firmware")


def _firecracker(settings: AgentSettings) -> Finding:
    name = "strict: Firecracker"
    install = f"install firecracker and jailer {TESTED}, of one release, root's own, in /usr/local/bin"
    try:
        found = detect.find(settings, cgroups=Cgroups())
    except detect.NoFirecracker as refused:
        return _bad(name, str(refused), install)
    if found.programs.jailer is None:
        return _bad(name, "it would run without its jailer", "unset AGENT_FIRECRACKER_UNJAILED")
    if found.release > TESTED:
        return _warn(name, f"{found.release}, newer than {TESTED}, to whose API our requests are held", install)
    return _ok(name, f"{found.release} with its jailer; no advisory known that it has (usable from {OLDEST} on)")


def _cgroups() -> Finding:
    fix = "boot with systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all, and run the agent as root"
    why_not = Cgroups().missing()
    name = "strict: cgroup v2"
    return (
        _ok(name, "memory, CPU and processes of each VMM are limited") if why_not is None else _bad(name, why_not, fix)
    )


def _reflinks(settings: AgentSettings) -> Finding:
    where = next(path for path in (settings.run_dir, *settings.run_dir.parents) if path.is_dir())
    if can_reflink(where):
        return _ok("strict: file system", f"{where} shares blocks between copies")
    fix = f"put {settings.run_dir} on XFS or Btrfs: mkfs.xfs -m reflink=1 DEVICE && mount DEVICE {settings.run_dir}"
    return _warn(
        "strict: file system",
        f"{where} has no reflinks: disks are copied, and a guest stands still while its memory is",
        fix,
    )


def clock_state() -> int:
    """What adjtimex(2) returns when asked for nothing."""
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))


def _clock(state: int) -> Finding:
    """Guests are told this host's time."""
    if state not in (TIME_ERROR, -1):
        return _ok("strict: clock", "synchronized")
    fix = "apt-get install --no-install-recommends chrony && systemctl enable --now chrony"
    return _bad("strict: clock", "not synchronized", fix)


def kernel(_root: Path, release: str = platform.release()) -> Finding:
    """Which kernel this is."""
    numbers = tuple(int(part) for part in release.split(".")[:2] if part.isdigit())
    if numbers in KERNELS:
        return _ok("strict: kernel", release)
    tested = ", ".join(f"{major}.{minor}" for major, minor in KERNELS)
    return _warn("strict: kernel", f"{release}, on which Firecracker is not tested", f"boot one of {tested}")


def favordynmods(root: Path) -> Finding:
    """Without it moving a process between groups takes tens of milliseconds on 6.1 and later (fact 8)."""
    name = "strict: favordynmods"
    mounts = [line.split() for line in _read(root / "proc/self/mounts").splitlines()]
    groups = [words for words in mounts if len(words) > 3 and words[2] == "cgroup2"]
    if any("favordynmods" in words[3].split(",") for words in groups):
        return _ok(name, "on")
    fix = f"mount -o remount,favordynmods {groups[0][1] if groups else '/sys/fs/cgroup'}"
    return _warn(name, "off: starting VMs waits for a grace period of the kernel each time", fix)


def swap(root: Path) -> Finding:
    """What a guest had in memory must not stay on a disk (fact 29)."""
    used = [line.split()[0] for line in _read(root / "proc/swaps").splitlines()[1:] if line.strip()]
    if not used:
        return _ok("strict: swap", "none")
    return _bad("strict: swap", f"on {', '.join(used)}", "swapoff -a && sed -i '/\\sswap\\s/d' /etc/fstab")


def merging(root: Path) -> Finding:
    """Equal pages of two guests that are merged tell each about the other (fact 29)."""
    if _read(root / "sys/kernel/mm/ksm/run").strip() in ("", "0"):
        return _ok("strict: KSM", "off")
    fix = "echo 2 > /sys/kernel/mm/ksm/run; systemctl disable --now ksmtuned ksm"
    return _bad("strict: KSM", "pages are merged", fix)


def threads(root: Path) -> Finding:
    """Two guests on one core's threads see each other's traces (fact 29)."""
    if _read(root / "sys/devices/system/cpu/smt/active").strip() in ("", "0"):
        return _ok("strict: SMT", "off")
    fix = "echo off > /sys/devices/system/cpu/smt/control; for good: nosmt on the kernel's command line"
    return _bad("strict: SMT", "guests share cores", fix)


def mitigations(root: Path) -> Finding:
    """What the kernel itself says about the CPU's faults."""
    folder = root / "sys/devices/system/cpu/vulnerabilities"
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    open_ones = [path.name for path in files if _read(path).startswith("Vulnerable")]
    if not open_ones:
        return _ok("strict: mitigations", f"{len(files)} faults of CPUs looked at, none open")
    fix = "apt-get install intel-microcode amd64-microcode, a newer kernel, and no mitigations=off on its command line"
    return _bad("strict: mitigations", f"open: {', '.join(open_ones)}", fix)


def mounts(root: Path) -> Finding:
    found = len(_read(root / "proc/self/mounts").splitlines())
    if found <= MOST_MOUNTS:
        return _ok("strict: mounts", str(found))
    fix = "run no containers beside the agent, and it under packaging/systemd/nexus-agent.service (PrivateMounts=yes)"
    return _warn("strict: mounts", f"{found}: each makes starting a VM slower", fix)


def huge_page_splitting(root: Path) -> Finding:
    """A workaround that makes creating VMs slow, and that unaffected CPUs do not need (fact 8)."""
    name, knob = "strict: nx_huge_pages", "sys/module/kvm/parameters/nx_huge_pages"
    is_affected = not _read(root / "sys/devices/system/cpu/vulnerabilities/itlb_multihit").startswith("Not affected")
    value = _read(root / knob).strip()
    if is_affected or value in ("", "never", "N"):
        return _ok(name, "needed by this CPU" if is_affected else value or "no KVM module is loaded")
    return _warn(name, f"{value}, although this CPU needs no such workaround", f"echo never > /{knob}")


def console(root: Path) -> Finding:
    """Every line on a slow console stops the kernel for as long (fact 17)."""
    words = _read(root / "proc/cmdline").split()
    if "quiet" in words and "loglevel=1" in words:
        return _ok("strict: kernel messages", "kept off the console")
    fix = "add quiet loglevel=1 to GRUB_CMDLINE_LINUX in /etc/default/grub && update-grub, and restart"
    return _warn("strict: kernel messages", "go to the console, and starting a VM waits for them", fix)


HOST_CHECKS: tuple[Callable[[Path], Finding], ...] = (
    kernel,
    favordynmods,
    swap,
    merging,
    threads,
    mitigations,
    mounts,
    huge_page_splitting,
    console,
)
"""Of the host's own state, below a root directory."""


def _read(path: Path) -> str:
    """Empty for what is not there: a kernel without the thing."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _ok(name: str, found: str) -> Finding:
    return Finding(name=name, verdict=Verdict.OK, found=found)


def _warn(name: str, found: str, fix: str) -> Finding:
    return Finding(name=name, verdict=Verdict.WARN, found=found, fix=fix)


def _bad(name: str, found: str, fix: str) -> Finding:
    return Finding(name=name, verdict=Verdict.MISSING, found=found, fix=fix)
