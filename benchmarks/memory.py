"""What an idle platform and one small VM cost in memory and processor time.

Memory is the proportional set size (PSS): shared pages count once over all processes. Processor time is taken over half
a minute of idleness.

    python -m benchmarks memory
"""

import time
from pathlib import Path

import psutil

from benchmarks._platform import Platform, checked, platform
from benchmarks._vmms import vmms_of

IDLE_S = 30
AGENT_STATUS = "for p in /proc/[0-9]*; do grep -qs nexus-agent $p/comm && grep -E 'VmRSS|RssAnon' $p/status; done"


def main() -> None:
    with platform() as here:
        time.sleep(5)
        before = {process: process.cpu_times() for process in _processes(here)}
        time.sleep(IDLE_S)
        print(f"idle, no VM{'':<17}PSS MiB   CPU %")
        for name, processes in _by_part(here).items():
            cpu = sum(
                sum(process.cpu_times()[:2]) - sum(before[process][:2]) for process in processes if process in before
            )
            print(f"  {name:<24}{_pss_mib(processes):>9.1f}{100 * cpu / IDLE_S:>8.2f}")
        made = checked(here.http.post("/v1/vms", json={"name": "memory-1", "mem_mib": 256}, params={"wait": 60}))
        ran = checked(here.http.post(f"/v1/vms/{made['id']}/exec", json={"argv": ["sh", "-c", AGENT_STATUS]}))
        time.sleep(5)
        print(f"  one VM of 256 MiB: VMM   {_pss_mib(list(vmms_of(here))):>8.1f}")
        print("the agent inside it:", " ".join(str(ran["stdout"]).split()))


def _by_part(here: Platform) -> dict[str, list[psutil.Process]]:
    parts: dict[str, list[psutil.Process]] = {"supervisor": [], "manager": [], "agent": [], "postgres": []}
    for process in _processes(here):
        line = " ".join(process.cmdline())
        part = next((name for name in ("nexus.manager", "nexus.agent", "postgres") if name in line), "supervisor")
        parts[part.removeprefix("nexus.")].append(process)
    return parts


def _processes(here: Platform) -> list[psutil.Process]:
    """The supervisor and all below it, but for VMMs."""
    return [p for p in (here.supervisor, *here.supervisor.children(recursive=True)) if "qemu" not in p.name()]


def _pss_mib(processes: list[psutil.Process]) -> float:
    total = 0
    for process in processes:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


if __name__ == "__main__":
    main()
