"""The jailer's command line, and Firecracker's behind it. Pure: the same input gives the same list (golden files).

Why each option is there (facts 5 to 12):

* `--cgroup-version 2`, since the jailer takes 1 for granted; one `--cgroup`, without which it would leave the process
  in the parent group, or say nothing if there is none. The group's other limits are set when the machine is known.
* `--new-pid-ns`: the VMM is init of a namespace of its own; its pid is read from the jail.
* `--netns`: of a namespace that is no mount, but a descriptor of ours: mounts make every launch on the host slower.
* `--resource-limit`: neither default is documented the same way twice.
* no `--daemonize`: standard output is the serial console, standard error what the jailer has to say; both are files.
* of Firecracker only where its API listens and where it logs from its first line on. Never `--no-seccomp`.
"""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from nexus.agent.privilege import identity
from nexus.agent.vmm.firecracker.places import API_SOCKET, LOG

NO_FILE = 2048
"""Descriptors: Firecracker takes some twenty, and one for each connection of the guest channel."""
FSIZE_BYTES = 16 << 40
"""The largest file it may write: a disk's, or the console's, whose beginning is freed while its length grows."""
PIDS_MAX = 128
"""Threads: 32 vCPUs, the VMM, its API, and some to spare."""
CGROUP_PARENT = "nexus"


@dataclass(frozen=True)
class Programs:
    """`jailer` is None only in development, when Firecracker runs without it."""

    firecracker: Path
    jailer: Path | None


@dataclass(frozen=True)
class Cell:
    """One launch's jail: `uid` is also its gid; `netns` a path to a network namespace, None for the host's own."""

    id: UUID
    uid: int
    jails: Path
    netns: str | None


def jailed_command(programs: Programs, cell: Cell) -> list[str]:
    """Through the jailer, whose process ends once Firecracker's has begun."""
    return [
        str(programs.jailer),
        *("--id", str(cell.id)),
        *("--exec-file", str(programs.firecracker)),
        *("--uid", str(cell.uid), "--gid", str(cell.uid)),
        *("--chroot-base-dir", str(cell.jails)),
        *("--cgroup-version", "2", "--parent-cgroup", CGROUP_PARENT, "--cgroup", f"pids.max={PIDS_MAX}"),
        *(("--netns", cell.netns) if cell.netns is not None else ()),
        *("--resource-limit", f"no-file={NO_FILE}", "--resource-limit", f"fsize={FSIZE_BYTES}"),
        "--new-pid-ns",
        "--",
        *_firecracker_options(),
    ]


def unjailed_command(programs: Programs, cell: Cell, *, uid: int | None) -> list[str]:
    """In development: Firecracker itself, in the directory that would be its jail, which is where it is started."""
    return [*identity(uid), str(programs.firecracker), "--id", str(cell.id), *_firecracker_options()]


def _firecracker_options() -> tuple[str, ...]:
    """Paths without a slash: a jailed process begins in its root, one without a jail in the same directory."""
    return ("--api-sock", API_SOCKET, "--log-path", LOG, "--level", "Info", "--show-level")
