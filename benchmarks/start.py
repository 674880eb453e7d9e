"""From `POST /v1/vms` to the first answer of a command in the guest: from zygotes, and from the kernel.

Two platforms run one after the other, the same but for AGENT_ZYGOTES. Each starts VMs one after another, then several
at once, and deletes them. Before the first measured start from a zygote one was made. What a start began from is told
by the agent's own log, and counted.

With `--load` processes keep the cores busy, and every VM is asked who it is: one that does not become ready counts as
hung, one with another's host name, machine id, boot id or random bytes as a stranger. Ends with status 1 where there is
any, as where a start that was meant to be from a zygote was not.

    python -m benchmarks start [--rounds N] [--at-once N …] [--memory MIB] [--only zygotes|boots] [--load PROCESSES]

On a quiet machine, all of it: `python -m benchmarks start --rounds 30 --at-once 10 50`, and
`python -m benchmarks start --only zygotes --rounds 500 --load 4 --at-once`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from benchmarks._figures import spread
from benchmarks._platform import Platform, checked, delete_all, platform

WAIT_S = 60
WAITS = 5
MAKING_PATIENCE_S = 600
WHO = (
    "cat /proc/sys/kernel/hostname /etc/machine-id /proc/sys/kernel/random/boot_id; "
    "head -c 16 /dev/urandom | od -An -tx1 | tr -d ' '"
)


@dataclass
class Starts:
    """`ready`, `answered`: seconds since POST, one entry a start that came up; `hung`: those that did not; `who`: what
    each guest said of itself; `strangers`: guests that were another than they should be."""

    ready: list[float] = field(default_factory=list[float])
    answered: list[float] = field(default_factory=list[float])
    hung: int = 0
    who: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    strangers: int = 0

    def add(self, other: "Starts") -> None:
        self.ready += other.ready
        self.answered += other.answered
        self.hung += other.hung
        self.who += other.who
        self.strangers += other.strangers


@dataclass(frozen=True)
class Begun:
    """One start. Seconds since POST."""

    vm: str
    name: str
    ready: float
    answered: float
    is_up: bool


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="one after another")
    parser.add_argument("--at-once", type=int, nargs="*", default=[10])
    parser.add_argument("--memory", type=int, default=256, help="MiB per machine")
    parser.add_argument("--only", choices=("zygotes", "boots"))
    parser.add_argument("--load", type=int, default=0, help="processes that keep cores busy")
    options = parser.parse_args()
    wrong = 0
    for uses_zygotes in (True, False):
        if options.only == ("boots" if uses_zygotes else "zygotes"):
            continue
        with platform(AGENT_ZYGOTES=str(int(uses_zygotes))) as here:
            wrong += _measure(here, options, uses_zygotes=uses_zygotes)
    return 1 if wrong else 0


def _measure(here: Platform, options: argparse.Namespace, *, uses_zygotes: bool) -> int:
    kind = "zygotes" if uses_zygotes else "boots"
    warm = _start(here.http, options.memory)  # the first fetches the images
    delete_all(here.http)
    if warm.hung or (uses_zygotes and not _await_zygote(here)):
        print(f"{kind}: there is none to begin with")
        return 1
    begun, wrong = _begun_from_zygotes(here), 0
    print(f"{kind}: {options.memory} MiB, 1 vCPU, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with busy(options.load):
        made = Starts()
        for number in range(options.rounds):
            made.add(_start(here.http, options.memory))
            delete_all(here.http)
            if (number + 1) % 50 == 0:
                print(f"  … {number + 1} of {options.rounds}, {made.hung} hung", flush=True)
        wrong += _report(f"{kind}, one after another", made)
        for count in options.at_once:
            together, took = _start_at_once(here.http, options.memory, count)
            wrong += _report(f"{kind}, {count} at once (all after {took:.2f} s)", together)
            made.add(together)
            delete_all(here.http)
    strangers = made.strangers + _shared(made.who)
    from_zygotes = _begun_from_zygotes(here) - begun
    print(f"{kind}: {len(made.ready)} ready, {made.hung} hung, {strangers} strangers, {from_zygotes} from a zygote")
    missed = uses_zygotes and from_zygotes != len(made.ready) + made.hung
    return wrong + strangers + int(missed)


def _start_at_once(http: httpx.Client, memory_mib: int, count: int) -> tuple[Starts, float]:
    """With the seconds until the last has answered. They are asked who they are when nothing is measured any more."""
    together = Starts()
    with ThreadPoolExecutor(count) as pool:
        since = time.perf_counter()
        begun = [one.result() for one in [pool.submit(_begin, http, memory_mib) for _ in range(count)]]
        took = time.perf_counter() - since
    for one in begun:
        together.add(_identified(http, one))
    return together, took


def _start(http: httpx.Client, memory_mib: int) -> Starts:
    return _identified(http, _begin(http, memory_mib))


def _begin(http: httpx.Client, memory_mib: int) -> Begun:
    name = f"s-{uuid4().hex[:12]}"
    begun = time.perf_counter()
    made = checked(http.post("/v1/vms", json={"name": name, "vcpu": 1, "mem_mib": memory_mib}))
    vm, status = made["id"], "running"
    for _ in range(WAITS):
        status = checked(http.get(f"/v1/operations/{made['operation_id']}", params={"wait": WAIT_S}))["item"]["status"]
        if status != "running":
            break
    ready = time.perf_counter() - begun
    ran = http.post(f"/v1/vms/{vm}/exec", json={"argv": ["true"]})
    answered = time.perf_counter() - begun
    is_up = status == "done" and ran.is_success and ran.json()["exit_code"] == 0
    return Begun(vm, name, ready, answered, is_up=is_up)


def _identified(http: httpx.Client, begun: Begun) -> Starts:
    if not begun.is_up:
        return Starts(hung=1)
    who = checked(http.post(f"/v1/vms/{begun.vm}/exec", json={"argv": ["sh", "-c", WHO]}))
    said = tuple(_output(who).split())
    strangers = int(len(said) != 4 or said[0] != begun.name)
    return Starts([begun.ready], [begun.answered], who=[said], strangers=strangers)


def _output(ran: Any) -> str:
    return str(ran["stdout"])


def _shared(who: list[tuple[str, ...]]) -> int:
    """How many answers were given by more than one guest."""
    return sum(len(said) - len(set(said)) for said in zip(*who, strict=False))


def _report(what: str, made: Starts) -> int:
    print(f"{what}: {made.hung} hung")
    if made.ready:
        print(f"  POST → ready       {spread(made.ready)}")
        print(f"  POST → first exec  {spread(made.answered)}", flush=True)
    return made.hung


def _await_zygote(here: Platform) -> bool:
    until = time.monotonic() + MAKING_PATIENCE_S
    while not list((here.data / "agent/zygotes/kept").glob("*/*")):
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def _begun_from_zygotes(here: Platform) -> int:
    return sum(line["event"] == "begun_from_zygote" for line in _said(here.data / "log"))


def _said(logs: Path) -> Iterator[dict[str, Any]]:
    for log in logs.glob("agent.log*"):
        for line in log.read_text(errors="replace").splitlines():
            if "begun_from_zygote" in line:
                yield json.loads(line)


@contextmanager
def busy(processes: int) -> Generator[None]:
    """Keep cores busy until the end of the block."""
    spinners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


if __name__ == "__main__":
    sys.exit(main())
