"""Reads of the API against `{"ok": true}` from the same process: what a list and a get cost beyond being asked at all.

Two managers as they are served, one over 100 running VMs and one over 10,000, each with one more route as yardstick
(`benchmarks/_yardstick.py`). All requests are authenticated and pass the same middleware, access log included. Managers
run on one core, the load, from this process, on another; PostgreSQL on either. Rounds alternate over all cases, and the
ratios are medians of the rounds': what the machine does besides concerns all cases alike.

    python -m benchmarks reads [--rounds N] [--seconds S] [--connections N] [--few N] [--many N]
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn
from uuid import UUID

import httpx
import uvloop

from benchmarks import _yardstick
from benchmarks._figures import paired_ratio
from benchmarks._fleet import fill
from benchmarks._load import Load, load
from benchmarks._platform import free_port
from benchmarks._processes import create_database, pin, postgres, scratch, wait_until
from nexus.local import postgres as embedded
from nexus.manager.migrate import migrate

PAGE = 100


@dataclass(frozen=True)
class Served:
    """A manager over a fleet."""

    url: str
    token: str
    vm_id: UUID


@dataclass(frozen=True)
class Case:
    """Something to ask, and what its rate must be as a part of another case's; None: nothing is required."""

    name: str
    url: str
    token: str
    beside: str | None = None
    least: float | None = None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks reads", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each case in each round")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--few", type=int, default=100, help="VMs of the small fleet")
    parser.add_argument("--many", type=int, default=10_000, help="VMs of the large one")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)  # or what was started would be left behind
    with ExitStack() as stack:
        home = stack.enter_context(scratch())
        database = stack.enter_context(postgres(home))
        few = stack.enter_context(_manager(home, database, size=options.few))
        many = stack.enter_context(_manager(home, database, size=options.many))
        cases = _cases(few, many, options.few, options.many)
        rounds = {case.name: list[Load]() for case in cases}
        for number in range(-1, options.rounds):
            for case in cases if number % 2 else reversed(cases):
                found = uvloop.run(
                    load(case.url, token=case.token, connections=options.connections, seconds=options.seconds)
                )
                if number >= 0:  # the first round warms up
                    rounds[case.name].append(found)
        return _report(cases, rounds)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit("stopped")


def _cases(few: Served, many: Served, few_size: int, many_size: int) -> list[Case]:
    ok, listed = '{"ok": true}', f"list {PAGE} of {few_size:,}"
    at = f"{few.url}/v1/vms"
    return [
        Case(ok, few.url + _yardstick.PATH, few.token),
        Case(f"get 1 of {few_size:,}", f"{at}/{few.vm_id}", few.token, ok, 0.38),
        Case(listed, f"{at}?limit={PAGE}", few.token, ok, 0.20),
        Case(f"get 1 of {many_size:,}", f"{many.url}/v1/vms/{many.vm_id}", many.token, ok, 0.38),
        Case(f"list {PAGE} of {many_size:,}", f"{many.url}/v1/vms?limit={PAGE}", many.token, listed, 1 / 1.5),
    ]


def _report(cases: list[Case], rounds: dict[str, list[Load]]) -> int:
    """Print the table; 1 when a case missed what it must reach."""
    missed = 0
    print(f"{'':<22}{'answers/s':>10}{'median ms':>11}{'p99 ms':>9}{'bytes':>9}   of")
    for case in cases:
        loads = rounds[case.name]
        latencies = sorted(latency * 1000 for one in loads for latency in one.latencies)
        verdict = ""
        if case.beside and case.least:
            ratio = paired_ratio([one.rate for one in loads], [one.rate for one in rounds[case.beside]])
            missed += ratio < case.least
            kept = "MISSED" if ratio < case.least else "met"
            verdict = f"{100 * ratio:.0f} % of {case.beside} (at least {100 * case.least:.0f} %: {kept})"
        print(
            f"{case.name:<22}{statistics.median(one.rate for one in loads):>10,.0f}"
            f"{statistics.median(latencies):>11.2f}{latencies[int(len(latencies) * 0.99)]:>9.2f}"
            f"{loads[-1].answer_bytes:>9,}   {verdict}"
        )
    return 1 if missed else 0


@contextmanager
def _manager(home: Path, server: embedded.Postgres, *, size: int) -> Generator[Served]:
    """A manager over a database of its own with `size` VMs, on the first core."""
    name = f"fleet_{size}"
    database_url = server.url(name)
    uvloop.run(create_database(server, name))
    uvloop.run(migrate(database_url))
    token, vm_id = uvloop.run(fill(database_url, size=size))
    port = free_port()
    env = os.environ | {
        "NEXUS_DATA_DIR": str(home),
        "DATABASE_URL": database_url,
        "MANAGER_BIND": f"127.0.0.1:{port}",
        "MANAGER_RECONCILER_DISABLED": "1",
    }
    log = home / f"{name}.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks._yardstick"], env=env, stdout=written, stderr=written
        )
    url = f"http://127.0.0.1:{port}"
    try:
        pin(process.pid, 0)
        wait_until(lambda: _answers(url), process, log)
        print(f"manager over {size:,} VMs: pid {process.pid}", flush=True)
        yield Served(url, token, vm_id)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").is_success
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    sys.exit(main())
