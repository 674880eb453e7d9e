"""Creates one after another while the other core is kept busy, then many at once: every VM must become ready.

Emulated guests are what hangs on a busy host, so this is the test that a boot's deadline, retry and clock settings are
right. Ends with status 1 when any VM did not become ready.

    python -m benchmarks creates [--one-by-one N] [--at-once N]
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import uuid4

from benchmarks._figures import spread
from benchmarks._platform import Platform, checked, delete_all, platform

WAIT_S = 60
WAITS = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks creates", description=__doc__)
    parser.add_argument("--one-by-one", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--memory", type=int, default=256, help="MiB per machine")
    options = parser.parse_args()
    failed = 0
    with platform() as here:
        with busy_core():
            times = [_create(here, options.memory, delete=True) for _ in range(options.one_by_one)]
        failed += _report(f"{options.one_by_one} one after another, a core kept busy", times)
        with ThreadPoolExecutor(options.at_once) as pool:
            begun = [pool.submit(_create, here, options.memory, delete=False) for _ in range(options.at_once)]
            times = [one.result() for one in begun]
        failed += _report(f"{options.at_once} at once", times)
        delete_all(here.http)
    return 1 if failed else 0


def _create(here: Platform, memory_mib: int, *, delete: bool) -> float | None:
    """Seconds until ready and a command has run; None when that did not come."""
    begun = time.perf_counter()
    made = checked(here.http.post("/v1/vms", json={"name": f"c-{uuid4().hex[:12]}", "mem_mib": memory_mib}))
    status = "running"
    for _ in range(WAITS):
        status = checked(here.http.get(f"/v1/operations/{made['operation_id']}", params={"wait": WAIT_S}))["item"][
            "status"
        ]
        if status != "running":
            break
    ran = here.http.post(f"/v1/vms/{made['id']}/exec", json={"argv": ["true"]})
    took = time.perf_counter() - begun
    if delete:
        here.http.delete(f"/v1/vms/{made['id']}", params={"wait": WAIT_S}).raise_for_status()
    return took if status == "done" and ran.is_success and ran.json()["exit_code"] == 0 else None


def _report(what: str, times: list[float | None]) -> int:
    ready = [took for took in times if took is not None]
    print(f"{what}: {len(ready)} ready, {len(times) - len(ready)} not; {spread(ready) if ready else ''}", flush=True)
    return len(times) - len(ready)


@contextmanager
def busy_core() -> Generator[None]:
    """Keep one core busy until the end of the block."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as spinner:
        try:
            yield
        finally:
            spinner.kill()


if __name__ == "__main__":
    sys.exit(main())
