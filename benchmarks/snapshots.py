"""Snapshots of a running VM, and VMs made of them, against QEMU alone going on from the same files.

Each round takes a snapshot of a VM that writes to its disk, makes a VM of it, and has the driver by itself (no manager,
no agent) go on from the snapshot's files with copies of its disks made beforehand. Both end when `true` has been run in
the guest and its exit code has arrived. Which goes first alternates. At the end one VM is cloned several times at once.

    python -m benchmarks snapshots [--rounds N] [--memory MIB] [--clones N]
"""

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from benchmarks._figures import paired_ratio, spread
from benchmarks._platform import Platform, checked, platform
from nexus.agent.guest.channel import GuestChannel
from nexus.agent.guest.client import GuestClient
from nexus.agent.storage.files import clone
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.port import Definition, Disk, Nic
from nexus.agent.vmm.qemu.config import Accelerator
from nexus.agent.vmm.qemu.driver import QemuVmm
from nexus.agent.vmm.qemu.tsc import measure_khz
from nexus.kit.clock import SystemClock
from nexus.protocol.guest import Frame, SessionKind, SessionRequest

DEADLINE_S = 60
BUSY = "i=0; while true; do head -c 100000 /dev/urandom > /root/f$((i % 50)); i=$((i + 1)); sleep 0.1; done"


@dataclass
class Rounds:
    """One entry a round."""

    paused_ms: list[float] = field(default_factory=list[float])
    taken_s: list[float] = field(default_factory=list[float])
    platform_s: list[float] = field(default_factory=list[float])
    alone_s: list[float] = field(default_factory=list[float])
    mib: list[float] = field(default_factory=list[float])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks snapshots", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--memory", type=int, default=256, help="MiB of the VM")
    parser.add_argument("--clones", type=int, default=4, help="how many at once at the end")
    options = parser.parse_args()
    rounds = Rounds()
    with platform() as here:
        host = checked(here.http.get("/v1/hosts"))["items"][0]
        vm = _begin(here, options.memory)
        for number in range(-1, options.rounds):  # the first is not counted
            kept = rounds if number >= 0 else Rounds()
            snapshot = _take(here, vm, kept)
            if number % 2:
                _instantiate(here, snapshot, kept)
                kept.alone_s.append(_alone(here, snapshot))
            else:
                kept.alone_s.append(_alone(here, snapshot))
                _instantiate(here, snapshot, kept)
            here.http.delete(f"/v1/snapshots/{snapshot['id']}", params={"wait": 60}).raise_for_status()
        together = _clone(here, vm, options.clones)
    print(f"{host['vmm']} {host['vmm_version']}, {host['acceleration']}, {options.memory} MiB, 1 vCPU, default image")
    print("the guest stood still        ", spread(rounds.paused_ms, unit="ms", digits=0))
    print("POST snapshot → completed    ", spread(rounds.taken_s))
    print("size on disk                 ", spread(rounds.mib, unit="MiB", digits=0))
    print("POST instantiate → first exec", spread(rounds.platform_s))
    print("QEMU alone → same answer     ", spread(rounds.alone_s))
    print(f"platform / alone, median of the paired ratios: {paired_ratio(rounds.platform_s, rounds.alone_s):.3f}")
    print(f"POST clone of {options.clones} → all ready  {together:.3f} s")


def _begin(here: Platform, memory_mib: int) -> str:
    body = {"name": "busy", "vcpu": 1, "mem_mib": memory_mib}
    vm = checked(here.http.post("/v1/vms", json=body, params={"wait": 60}))["id"]
    _run(here, vm, "sh", "-c", f"({BUSY}) > /dev/null 2>&1 &")
    return vm


def _run(here: Platform, vm: str, *argv: str) -> None:
    ran = here.http.post(f"/v1/vms/{vm}/exec", json={"argv": argv})
    if ran.json().get("exit_code") != 0:
        raise RuntimeError(f"{argv[0]} failed: {ran.text}")


def _take(here: Platform, vm: str, rounds: Rounds) -> dict[str, Any]:
    begun = time.perf_counter()
    made = checked(here.http.post(f"/v1/vms/{vm}/snapshots", params={"wait": 60}))
    rounds.taken_s.append(time.perf_counter() - begun)
    snapshot: dict[str, Any] = checked(here.http.get(f"/v1/snapshots/{made['id']}"))["item"]
    if snapshot["state"] != "completed":
        raise RuntimeError(f"the snapshot was not taken: {snapshot}")
    rounds.paused_ms.append(snapshot["paused_ms"])
    rounds.mib.append(snapshot["size_bytes"] / (1 << 20))
    return snapshot


def _instantiate(here: Platform, snapshot: dict[str, Any], rounds: Rounds) -> None:
    begun = time.perf_counter()
    made = checked(here.http.post(f"/v1/snapshots/{snapshot['id']}/instantiate", params={"wait": 60}))
    if made["status"] != "done":
        raise RuntimeError(f"the VM did not begin from the snapshot: {made}")
    _run(here, made["id"], "true")
    rounds.platform_s.append(time.perf_counter() - begun)
    here.http.delete(f"/v1/vms/{made['id']}", params={"wait": 60}).raise_for_status()


def _clone(here: Platform, vm: str, count: int) -> float:
    begun = time.perf_counter()
    made = checked(here.http.post(f"/v1/vms/{vm}/clone", json={"count": count}, params={"wait": 60}))
    ended = checked(here.http.get(f"/v1/operations/{made['operation_id']}", params={"wait": 60}))["item"]
    if ended["status"] != "done":
        raise RuntimeError(f"the clones did not come up: {ended}")
    return time.perf_counter() - begun


def _alone(here: Platform, snapshot: dict[str, Any]) -> float:
    home = Path(tempfile.mkdtemp(prefix="nexus-alone-"))
    try:
        return asyncio.run(_go_on(here, home, snapshot))
    finally:
        shutil.rmtree(home)


async def _go_on(here: Platform, home: Path, snapshot: dict[str, Any]) -> float:
    images = {image["kind"]: Path(image["path"]) for image in checked(here.http.get("/v1/images"))["items"]}
    source, pins = Path(snapshot["snapshot_path"]).parent, snapshot["pins"]
    overlay = home / "overlay.img"
    await asyncio.to_thread(clone, next((source / "disks").iterdir()), overlay)
    definition = Definition(
        id=uuid4(),
        vcpus=pins["vcpus"],
        memory_mib=pins["memory_mib"],
        kernel=images["kernel"],
        initramfs=images["initramfs"],
        boot_args=None,
        disks=(
            Disk(UUID(int=1), "root", images["rootfs"], read_only=True),
            Disk(UUID(int=2), "overlay", overlay, read_only=False),
        ),
        nics=(Nic("02:00:00:00:00:01", None, restrict=True),),
        uid=None,
    )
    vmm = _driver(home, pins["acceleration"])
    try:
        begun = time.perf_counter()
        await vmm.restore(definition, launch=1, source=source, devices=tuple(pins["devices"]), is_linked=False)
        await _run_true(vmm, definition.id, home / "guest.sock")
        return time.perf_counter() - begun
    finally:
        await vmm.discard(definition.id)
        await vmm.close()


def _driver(home: Path, acceleration: str) -> QemuVmm:
    return QemuVmm(
        binary="qemu-system-x86_64",
        version="any",
        accelerator=Accelerator(acceleration, measure_khz() if acceleration == "tcg" else None),
        why="",
        machines=home / "machines",
        sockets=home / "m",
        host_boot_id=str(os.getpid()),
        cgroups=Cgroups(),
        clock=SystemClock(),
    )


async def _run_true(vmm: QemuVmm, machine: UUID, socket: Path) -> None:
    async with GuestChannel(vmm.transport(machine), socket=socket) as channel:
        if not await channel.wait_ready(DEADLINE_S):
            raise RuntimeError("QEMU alone: the guest did not go on")
        async with GuestClient(socket) as guest:
            session = await guest.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("true",)))
            async with guest.stream(session) as stream:
                async for frame, _payload in stream:
                    if frame is Frame.EXIT:
                        return
    raise RuntimeError("QEMU alone: the command's exit was not reported")


if __name__ == "__main__":
    main()
