"""Snapshots of a running VM, and what begins from them, against QEMU alone going on from the same files.

Each round takes a snapshot of a VM that writes to its disk, full and as the difference to that one; then, in another
order each time: makes a VM of the full one (`instantiate`), has the VM go back to it (`rollback`), suspends the VM and
has it go on (`resume`), and has the driver by itself (no manager, no agent) go on from the snapshot's files, with
copies of its disks made beforehand. All end when `true` has been run in the guest and its exit code has arrived. A new
VM becomes another machine on the way; the others go on as who they are, as that of QEMU alone does, and does once more
in each round when its guest has been told that it is another, as a new VM's is. At the end the VM
is cloned many times at once, and what memory each clone's VMM has is read. It rests then: else all its clones would be
busy, and keep those that are to begin from the processors. What a guest does by itself takes its processor from the
command that is waited for, but not in QEMU alone, where its file systems stay frozen: `--at-rest` is without that.

    python -m benchmarks snapshots [--rounds N] [--memory MIB] [--at-rest] [--clones N …]
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from benchmarks._alone import go_on_alone
from benchmarks._figures import paired_ratio, spread
from benchmarks._platform import Platform, checked, platform
from benchmarks._vmms import memory_of, vmms_of

BUSY = "i=0; while true; do head -c 100000 /dev/urandom > /root/f$((i % 50)); i=$((i + 1)); sleep 0.1; done"
BUSY_PID = "/root/busy.pid"
CLONING_DEADLINE_S = 900


@dataclass
class Taken:
    """Snapshots of one type; one entry a round."""

    paused_ms: list[float] = field(default_factory=list[float])
    taken_s: list[float] = field(default_factory=list[float])
    mib: list[float] = field(default_factory=list[float])


@dataclass
class Rounds:
    """Seconds, one entry a round."""

    full: Taken = field(default_factory=Taken)
    diff: Taken = field(default_factory=Taken)
    alone: list[float] = field(default_factory=list[float])
    told: list[float] = field(default_factory=list[float])
    instantiate: list[float] = field(default_factory=list[float])
    rollback: list[float] = field(default_factory=list[float])
    resume: list[float] = field(default_factory=list[float])


@dataclass(frozen=True)
class Busy:
    """The VM that all is done to."""

    here: Platform
    id: str
    rounds: Rounds

    def alone(self, snapshot: dict[str, Any]) -> None:
        self.rounds.alone.append(go_on_alone(self.here, snapshot))

    def told(self, snapshot: dict[str, Any]) -> None:
        self.rounds.told.append(go_on_alone(self.here, snapshot, becomes=True))

    def instantiate(self, snapshot: dict[str, Any]) -> None:
        begun = time.perf_counter()
        made = _done(self.here, f"/v1/snapshots/{snapshot['id']}/instantiate")
        _run(self.here, made["id"], "true")
        self.rounds.instantiate.append(time.perf_counter() - begun)
        self.here.http.delete(f"/v1/vms/{made['id']}", params={"wait": 60}).raise_for_status()

    def rollback(self, snapshot: dict[str, Any]) -> None:
        begun = time.perf_counter()
        _done(self.here, f"/v1/vms/{self.id}/rollback", {"snapshot_id": snapshot["id"]})
        _run(self.here, self.id, "true")
        self.rounds.rollback.append(time.perf_counter() - begun)

    def resume(self, _snapshot: dict[str, Any]) -> None:
        _done(self.here, f"/v1/vms/{self.id}/suspend")
        begun = time.perf_counter()
        _done(self.here, f"/v1/vms/{self.id}/resume")
        _run(self.here, self.id, "true")
        self.rounds.resume.append(time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks snapshots", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--memory", type=int, default=256, help="MiB of the VM")
    parser.add_argument("--at-rest", action="store_true", help="a VM that writes nothing")
    parser.add_argument("--clones", type=int, nargs="*", default=[10], help="how many at once at the end")
    options = parser.parse_args()
    rounds = Rounds()
    with platform(AGENT_ZYGOTES="0") as here:  # nothing here begins from one, and making them takes a core
        vm = _begin(here, options.memory, writes=not options.at_rest)
        for number in range(-1, options.rounds):  # the first is not counted
            _round(Busy(here, vm, rounds if number >= 0 else Rounds()), number)
        if rounds.alone:
            _tell(here, rounds, options.memory)
        if not options.at_rest:
            _run(here, vm, "sh", "-c", f"kill $(cat {BUSY_PID})")
        for count in options.clones:
            _clone(here, vm, count)


def _begin(here: Platform, memory_mib: int, *, writes: bool) -> str:
    body = {"name": "busy", "vcpu": 1, "mem_mib": memory_mib}
    vm: str = checked(here.http.post("/v1/vms", json=body, params={"wait": 60}))["id"]
    first = f"({BUSY}) > /dev/null 2>&1 & echo $! > {BUSY_PID}" if writes else "true"
    _run(here, vm, "sh", "-c", first)
    return vm


def _round(busy: Busy, number: int) -> None:
    full = _take(busy, "Full", busy.rounds.full)
    diff = _take(busy, "Diff", busy.rounds.diff)
    parts: list[Callable[[dict[str, Any]], None]] = [
        busy.alone,
        busy.told,
        busy.instantiate,
        busy.rollback,
        busy.resume,
    ]
    first = number % len(parts)
    for part in parts[first:] + parts[:first]:
        part(full)
    for snapshot in (diff, full):
        busy.here.http.delete(f"/v1/snapshots/{snapshot['id']}", params={"wait": 60}).raise_for_status()


def _take(busy: Busy, kind: str, into: Taken) -> dict[str, Any]:
    begun = time.perf_counter()
    made = _done(busy.here, f"/v1/vms/{busy.id}/snapshots", {"snapshot_type": kind})
    into.taken_s.append(time.perf_counter() - begun)
    snapshot: dict[str, Any] = checked(busy.here.http.get(f"/v1/snapshots/{made['id']}"))["item"]
    into.paused_ms.append(snapshot["paused_ms"])
    into.mib.append(snapshot["size_bytes"] / (1 << 20))
    return snapshot


def _done(here: Platform, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """What was answered to a wish that has come true."""
    answer: dict[str, Any] = checked(here.http.post(path, json=body, params={"wait": 60}))
    if answer["status"] != "done":
        raise RuntimeError(f"{path} was not done: {answer}")
    return answer


def _run(here: Platform, vm: str, *argv: str) -> None:
    ran = here.http.post(f"/v1/vms/{vm}/exec", json={"argv": argv})
    if ran.json().get("exit_code") != 0:
        raise RuntimeError(f"{argv[0]} failed: {ran.text}")


def _tell(here: Platform, rounds: Rounds, memory_mib: int) -> None:
    host = checked(here.http.get("/v1/hosts"))["items"][0]
    kernel = next(i for i in checked(here.http.get("/v1/images"))["items"] if i["kind"] == "kernel" and i["is_default"])
    print(f"{host['vmm']} {host['vmm_version']}, {host['acceleration']}, {memory_mib} MiB, 1 vCPU, default image")
    print(f"kernel {kernel['name']}; all go on from memory, which is copied sparsely into each machine")
    for kind, taken in (("full", rounds.full), ("diff", rounds.diff)):
        print(f"{kind}: the guest stood still      ", spread(taken.paused_ms, unit="ms", digits=0))
        print(f"{kind}: POST → completed           ", spread(taken.taken_s))
        print(f"{kind}: size on disk               ", spread(taken.mib, unit="MiB", digits=0))
    print("QEMU alone → first exec          ", spread(rounds.alone))
    told = f" to alone {paired_ratio(rounds.told, rounds.alone):.2f}"
    print("QEMU alone, becoming another     ", spread(rounds.told), told)
    for name, values in (("instantiate", rounds.instantiate), ("rollback", rounds.rollback), ("resume", rounds.resume)):
        ratio = paired_ratio(values, rounds.alone)
        print(f"POST {name:<11} → first exec    ", spread(values), f" to alone {ratio:.2f}")
    print(f"POST instantiate to QEMU alone that becomes another: {paired_ratio(rounds.instantiate, rounds.told):.2f}")


def _clone(here: Platform, vm: str, count: int) -> None:
    """All at once; nothing of them is left when this returns."""
    others = vmms_of(here)
    begun = time.perf_counter()
    made = checked(here.http.post(f"/v1/vms/{vm}/clone", json={"count": count}))
    _done_by(here, made["operation_id"], begun + CLONING_DEADLINE_S)
    took_s = time.perf_counter() - begun
    ready = [_took_s(here, clone["operation_id"]) for clone in made["items"]]
    print(f"POST clone of {count} → all ready      {took_s:.2f} s, {took_s / count:.3f} s each")
    print(f"POST clone of {count} → ready         ", spread(ready))
    found = [memory_of(process) for process in vmms_of(here) - others]
    for name in ("guest", "own", "shared"):
        print(f"a clone's VMM, memory: {name:<10} ", spread([getattr(m, name) for m in found], unit="MiB", digits=1))
    for clone in made["items"]:
        here.http.delete(f"/v1/vms/{clone['id']}", params={"wait": 60}).raise_for_status()


def _done_by(here: Platform, operation: str, deadline: float) -> None:
    item: dict[str, Any] = {"status": "running"}
    while item["status"] == "running" and time.perf_counter() < deadline:
        item = checked(here.http.get(f"/v1/operations/{operation}", params={"wait": 60}))["item"]
    if item["status"] != "done":
        raise RuntimeError(f"the clones did not come up: {item}")


def _took_s(here: Platform, operation: str) -> float:
    """By the platform's own record of an operation that has ended."""
    item = checked(here.http.get(f"/v1/operations/{operation}"))["item"]
    asked, finished = (datetime.fromisoformat(item[at]) for at in ("created_at", "finished_at"))
    return (finished - asked).total_seconds()


if __name__ == "__main__":
    main()
