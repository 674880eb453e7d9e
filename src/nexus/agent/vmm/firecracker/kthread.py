"""The kernel's thread that runs a guest's timer: KVM starts it in the root group, where nobody limits it (fact 14)."""

import contextlib
from pathlib import Path

PROC = Path("/proc")


def adopt_timer(pid: int, group: Path, *, proc: Path = PROC) -> bool:
    """Move `kvm-pit/<pid>` into the VMM's group; whether there is one. Looks at every process: call in a thread."""
    wanted = f"kvm-pit/{pid}"
    for entry in proc.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "comm").read_text().strip() == wanted:
                    (group / "cgroup.procs").write_text(entry.name)
                    return True
    return False
