"""Limits on VMM processes by cgroup v2, where its memory and cpu controllers are there and ours to use.

One group per machine below one of ours. A VMM that outgrows its guest (a leak, an exploit) is stopped there and takes
nothing from its neighbours. Where the controllers are missing, machines run without these limits and `doctor` says so.
"""

import contextlib
from pathlib import Path
from uuid import UUID

ROOT = Path("/sys/fs/cgroup")
PARENT = "nexus"
NEEDED = ("cpu", "memory")
OVERHEAD_MIB = 384
"""What a VMM may use beyond the guest's memory: translation cache, device state, page tables."""
PERIOD_US = 100_000


class Cgroups:
    """`why_not` is None when limits work, else the sentence that says why they do not."""

    def __init__(self, root: Path = ROOT) -> None:
        self._parent = root / PARENT
        self.why_not = self._prepare(root)

    def missing(self) -> str | None:
        """Why limits do not work now, in a sentence: also when the group that we made was removed meanwhile."""
        if self.why_not is None and not self._parent.is_dir():
            return f"{self._parent} is gone"
        return self.why_not

    def group(self, machine: UUID) -> Path:
        return self._parent / str(machine)

    def ensure(self, machine: UUID, *, pid: int, memory_mib: int, vcpus: int) -> None:
        """Put a process under the machine's limits. One core more than the guest has, for the VMM's own threads."""
        if self.why_not is not None:
            return
        group = self.group(machine)
        group.mkdir(exist_ok=True)
        (group / "memory.max").write_text(str((memory_mib + OVERHEAD_MIB) << 20))
        (group / "cpu.max").write_text(f"{(vcpus + 1) * PERIOD_US} {PERIOD_US}")
        with contextlib.suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(pid))

    def discard(self, machine: UUID) -> None:
        """Remove the machine's group; its processes are gone."""
        with contextlib.suppress(FileNotFoundError):
            self.group(machine).rmdir()

    def _prepare(self, root: Path) -> str | None:
        try:
            available = (root / "cgroup.controllers").read_text().split()
        except OSError:
            return "cgroup v2 is not mounted at /sys/fs/cgroup"
        if missing := [name for name in NEEDED if name not in available]:
            return f"cgroup v2 lacks the controllers {' and '.join(missing)}"
        wanted = " ".join(f"+{name}" for name in NEEDED)
        try:
            (root / "cgroup.subtree_control").write_text(wanted)
            self._parent.mkdir(exist_ok=True)
            (self._parent / "cgroup.subtree_control").write_text(wanted)
        except OSError as refused:
            return f"cgroup v2 is not ours to use ({refused.strerror})"
        return None
