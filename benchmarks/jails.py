"""How long a Firecracker machine waits for its process: with spares made beforehand and without, alone and at once.

The programs are stand-ins (tests/agent/vmm/firecracker): what is measured is our own part and the kernel's (namespace,
TAP, veth, uid, files, a dozen requests), with the stand-ins' Python in place of the jailer's and Firecracker's work. It
runs in a network namespace of its own, as root.

    python -m benchmarks jails [--machines N] [--at-once N]
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.agent.vmm.firecracker.lab import Place

from benchmarks._figures import spread
from nexus.agent.vmm.firecracker.driver import FirecrackerVmm
from nexus.agent.vmm.port import Definition, Nic

INSIDE = "NEXUS_BENCHMARK_NAMESPACE"
FILL_DEADLINE_S = 300


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks jails", description=__doc__)
    parser.add_argument("--machines", type=int, default=12)
    parser.add_argument("--at-once", type=int, default=4)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: only root can make jails and namespaces")
        return 0
    if INSIDE not in os.environ:
        again = ["unshare", "--net", sys.executable, "-m", "benchmarks.jails", *sys.argv[1:]]
        return subprocess.run(again, env=os.environ | {INSIDE: "1"}, check=False).returncode
    for at_once in sorted({1, options.at_once}):
        for spares in (0, options.machines):
            seconds = asyncio.run(measure(options.machines, at_once=at_once, spares=spares))
            print(f"{at_once} at once, {spares:3} spares: start {spread(seconds)}")
    return 0


async def measure(machines: int, *, at_once: int, spares: int) -> list[float]:
    """Seconds from the first request to a guest that runs, one entry a machine."""
    with tempfile.TemporaryDirectory(prefix="nxjails", dir="/tmp") as scratch:
        os.chmod(scratch, 0o711)  # noqa: PTH101 - the stand-ins' uids must pass
        place = Place(Path(scratch), is_jailed=True, uids=4 * machines, spares=spares)
        vmm = place.driver()
        await vmm.open()
        await full(vmm, spares)
        definitions = [place.definition(nics=(Nic("02:00:00:00:00:01", f"nxbench{n}"),)) for n in range(machines)]
        slots = asyncio.Semaphore(at_once)
        seconds = await asyncio.gather(*(start(vmm, definition, slots) for definition in definitions))
        for definition in definitions:
            await vmm.discard(definition.id)
        await vmm.close()
        return list(seconds)


async def start(vmm: FirecrackerVmm, definition: Definition, slots: asyncio.Semaphore) -> float:
    async with slots:
        began = time.monotonic()
        await vmm.ensure_wires(definition.id, tuple(nic.tap for nic in definition.nics if nic.tap))
        await vmm.start(definition, launch=1)
        return time.monotonic() - began


async def full(vmm: FirecrackerVmm, spares: int) -> None:
    async with asyncio.timeout(FILL_DEADLINE_S):
        while vmm.spares < spares:  # noqa: ASYNC110 - the pool tells nobody
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
