"""The VMM processes of a benchmark's platform, and what memory each has."""

from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks._platform import Platform

MIB = 1 << 20


@dataclass(frozen=True)
class VmmMemory:
    """MiB. `guest`: of the guest's memory, what is there at all and nobody else's. `own`: what else it alone has.
    `shared`: what it has in common with other processes, its program above all."""

    guest: float
    own: float
    shared: float


def is_vmm_of(process: psutil.Process, here: Platform) -> bool:
    try:
        return "qemu" in process.name() and here.supervisor.pid in [parent.pid for parent in process.parents()]
    except psutil.Error:
        return False


def vmms_of(here: Platform) -> set[psutil.Process]:
    return {process for process in psutil.process_iter() if is_vmm_of(process, here)}


def memory_of(process: psutil.Process) -> VmmMemory:
    """Guest memory is asked of its file, for pages that were copied there count from then on and are mapped later."""
    besides = {"Private": 0, "Shared": 0}
    is_guests = False
    for line in Path(f"/proc/{process.pid}/smaps").read_text().splitlines():
        name, _, value = line.partition(":")
        if " " in name:  # a mapping's head: addresses, rights, … and what is mapped
            is_guests = "memfd:memory-backend" in line
        elif not is_guests and (kind := name.partition("_")[0]) in besides and not name.endswith("_Hugetlb"):
            besides[kind] += int(value.split()[0]) * 1024
    return VmmMemory(_guest_bytes(process) / MIB, besides["Private"] / MIB, besides["Shared"] / MIB)


def _guest_bytes(process: psutil.Process) -> int:
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        if "memfd:memory-backend" in str(link.readlink()):
            return link.stat().st_blocks * 512
    raise RuntimeError(f"process {process.pid} has no memory of a guest")
