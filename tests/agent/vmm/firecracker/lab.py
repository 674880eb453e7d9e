"""The Firecracker driver over stand-ins for its programs, in a place of the test's own."""

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from tests.agent.vmm.firecracker import stand_in

from nexus.agent.facts import host_boot_id
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.firecracker.driver import FirecrackerVmm
from nexus.agent.vmm.firecracker.jailer import Programs
from nexus.agent.vmm.firecracker.jails import Jails
from nexus.agent.vmm.firecracker.places import Places
from nexus.agent.vmm.firecracker.running import Patience
from nexus.agent.vmm.firecracker.uids import Uids
from nexus.agent.vmm.port import Definition, Disk, Nic, Vmm
from nexus.kit.clock import SystemClock
from nexus.kit.ids import new_id

FIRST_UID = 64_950_000
IMPATIENT = Patience(look_s=0.1, ping_every=5, misses=6, guest_s=30)
"""Looks often, and waits long: a busy machine must not be taken for a silent guest."""


@dataclass
class Place:
    """`root` holds everything: machines, jails, programs, and a directory that plays the part of cgroup v2."""

    root: Path
    is_jailed: bool
    uids: int = 64
    spares: int = 0
    patience: Patience = IMPATIENT
    cpu_template: bytes | None = None
    programs: Programs | None = None
    """Real ones, in place of the stand-ins."""
    real_cgroups: bool = False

    @property
    def cgroups(self) -> Path:
        return self.root / "cgroup"

    @property
    def jails(self) -> Path:
        return self.root / "jails"

    def play(self, **faults: object) -> None:
        """Have processes that are started from now on play these faults."""
        (self.root / "bin" / "faults.json").write_text(json.dumps(faults))

    def asked(self, path: str) -> bool:
        """Whether a process that runs was asked for this."""
        try:
            return any(f'"{path}"' in log.read_text() for log in self.jails.rglob("vmm.log"))
        except FileNotFoundError:  # one is being removed
            return False

    def groups(self) -> Cgroups:
        return Cgroups() if self.real_cgroups else _Groups(self.cgroups)

    def driver(self) -> FirecrackerVmm:
        """A fresh one over the same machines, as a restarted agent would have it; not opened."""
        self.cgroups.mkdir(exist_ok=True)
        (self.cgroups / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
        (self.cgroups / "cgroup.subtree_control").touch()
        firecracker, jailer = stand_in.install(self.root / "bin", cgroups=self.cgroups)
        self.jails.mkdir(exist_ok=True, mode=0o700)
        jails = Jails(
            programs=self.programs or Programs(firecracker, jailer if self.is_jailed else None),
            places=Places(
                self.root / "machines",
                self.jails,
                (self.programs.firecracker.resolve() if self.programs else firecracker).name,
            ),
            uids=Uids(first=FIRST_UID, count=self.uids) if self.is_jailed else Uids(own=os.geteuid()),
            cgroups=self.groups(),
        )
        return FirecrackerVmm(
            jails,
            version="1.16.1",
            why="",
            spares=self.spares,
            cpu_template=self.cpu_template,
            host_boot_id=host_boot_id(),
            clock=SystemClock(),
            patience=self.patience,
        )

    def definition(self, *, nics: tuple[Nic, ...] = ()) -> Definition:
        """A machine with a shared and a private disk."""
        machine = new_id()
        home = self.root / "machines" / str(machine)
        (home / "disks").mkdir(parents=True)
        for name in ("kernel", "base.squashfs"):
            (self.root / name).write_text(name)
        (home / "initramfs").write_text("initramfs")
        (home / "disks" / "data.img").write_bytes(bytes(1 << 20))
        disks = (
            Disk(new_id(), "rootfs", self.root / "base.squashfs", read_only=True),
            Disk(new_id(), "data", home / "disks" / "data.img", read_only=False),
        )
        return Definition(machine, 1, 128, self.root / "kernel", home / "initramfs", None, disks, nics, None)

    def leftovers(self) -> set[str]:
        """What is left of jails: directories, files of theirs, groups."""
        found = {str(path.relative_to(self.jails)) for path in self.jails.rglob("*") if path.name != "firecracker"}
        groups = self.cgroups / "nexus"
        return found | {f"group {path.name}" for path in (groups.iterdir() if groups.is_dir() else ()) if path.is_dir()}


class _Groups(Cgroups):
    """Groups of a plain directory: what the kernel would remove with a group is removed by hand."""

    def discard(self, machine: UUID) -> None:
        group = self.group(machine)
        for path in group.iterdir() if group.is_dir() else ():
            path.unlink()
        super().discard(machine)


async def kill(vmm: Vmm, machine: UUID) -> None:
    pid = (await vmm.observe(machine)).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
