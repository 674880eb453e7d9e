"""From `POST /v1/vms` to the first answer of a command in the guest, against QEMU alone doing the same.

Each round boots the same kernel, initramfs, base image and an empty overlay twice: once asked of the platform, once as
a bare QEMU process with the driver's own command line, whose disk and initramfs were made beforehand. Both end when
`true` has been run in the guest and its exit code has arrived. Which goes first alternates.

    python -m benchmarks boot [--rounds N] [--memory MIB]
"""

import argparse
import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from benchmarks._figures import paired_ratio, spread
from benchmarks._platform import Platform, checked, platform
from nexus.agent.guest.channel import GuestChannel
from nexus.agent.guest.client import GuestClient
from nexus.agent.machines.guest_config import write_initramfs
from nexus.agent.vmm.qemu.config import Accelerator, Plan, command
from nexus.agent.vmm.qemu.drives import SPARE_SLOTS, DiskPlan
from nexus.agent.vmm.qemu.tsc import measure_khz
from nexus.protocol.guest import Frame, GuestConfig, MountSpec, SessionKind, SessionRequest

OVERLAY_BYTES = 4 << 30
BOOT_DEADLINE_S = 60


@dataclass
class Rounds:
    """Seconds, one entry a round."""

    platform: list[float] = field(default_factory=list[float])
    request: list[float] = field(default_factory=list[float])
    ready: list[float] = field(default_factory=list[float])
    plain: list[float] = field(default_factory=list[float])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks boot", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--memory", type=int, default=512, help="MiB per machine")
    options = parser.parse_args()
    rounds = Rounds()
    with platform() as here:
        acceleration = checked(here.http.get("/v1/hosts"))["items"][0]["acceleration"]
        accelerator = Accelerator(acceleration, measure_khz() if acceleration == "tcg" else None)
        for number in range(-1, options.rounds):  # the first is not counted: it fetches the images
            kept = rounds if number >= 0 else Rounds()
            if number % 2:
                _time_platform(here, options.memory, kept)
                kept.plain.append(_time_plain(here, options.memory, accelerator))
            else:
                kept.plain.append(_time_plain(here, options.memory, accelerator))
                _time_platform(here, options.memory, kept)
    print(f"acceleration {acceleration}, {options.memory} MiB, 1 vCPU, default image")
    print("POST /v1/vms answered        ", spread([s * 1000 for s in rounds.request], unit="ms", digits=1))
    print("POST → operation done        ", spread(rounds.ready))
    print("POST → first exec answered   ", spread(rounds.platform))
    print("plain QEMU → same answer     ", spread(rounds.plain))
    print(f"platform / plain, median of the paired ratios: {paired_ratio(rounds.platform, rounds.plain):.3f}")


def _time_platform(here: Platform, memory_mib: int, rounds: Rounds) -> None:
    begun = time.perf_counter()
    made = here.http.post("/v1/vms", json={"name": f"b-{uuid4().hex[:12]}", "vcpu": 1, "mem_mib": memory_mib})
    answered = time.perf_counter()
    vm = checked(made)["id"]
    operation = checked(here.http.get(f"/v1/operations/{checked(made)['operation_id']}", params={"wait": 60}))
    ready = time.perf_counter()
    if operation["item"]["status"] != "done":
        raise RuntimeError(f"the VM did not come up: {operation}")
    ran = checked(here.http.post(f"/v1/vms/{vm}/exec", json={"argv": ["true"]}))
    done = time.perf_counter()
    if ran["exit_code"] != 0:
        raise RuntimeError(f"true failed: {ran}")
    rounds.request.append(answered - begun)
    rounds.ready.append(ready - begun)
    rounds.platform.append(done - begun)
    here.http.delete(f"/v1/vms/{vm}", params={"wait": 60}).raise_for_status()


def _time_plain(here: Platform, memory_mib: int, accelerator: Accelerator) -> float:
    home = Path(tempfile.mkdtemp(prefix="nexus-plain-"))
    try:
        return _boot_plain(here, home, memory_mib, accelerator)
    finally:
        shutil.rmtree(home)


def _boot_plain(here: Platform, home: Path, memory_mib: int, accelerator: Accelerator) -> float:
    images = {
        image["kind"]: Path(image["path"])
        for image in checked(here.http.get("/v1/images"))["items"]
        if image["is_default"]
    }
    overlay = home / "overlay.img"
    with overlay.open("wb") as file:
        file.truncate(OVERLAY_BYTES)
    make_file_system = ["mke2fs", "-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard"]
    subprocess.run([*make_file_system, str(overlay)], check=True)
    config = GuestConfig(
        root=MountSpec(device="/dev/vda", fs="squashfs", read_only=True),
        overlay=MountSpec(device="/dev/vdb", fs="ext4"),
        hostname="plain",
        machine_id=uuid4().hex,
    )
    write_initramfs(images["initramfs"], config, home / "initramfs", uid=None)
    begun = time.perf_counter()
    with ExitStack() as opened:
        plan = Plan(
            machine=uuid4(),
            launch=1,
            vcpus=1,
            memory_mib=memory_mib,
            kernel_fd=_open(images["kernel"], opened),
            initramfs_fd=_open(home / "initramfs", opened),
            boot_args=None,
            disks=(
                DiskPlan("root", "root", 0, read_only=True),
                DiskPlan("overlay", "overlay", 1, read_only=False),
            ),
            disk_fds=(_open(images["rootfs"], opened), _open(overlay, opened, os.O_RDWR)),
            nics=(),
            qmp_fd=_listen(home / "qmp.sock", opened),
            channel_fd=_listen(home / "mux.sock", opened),
            spare=SPARE_SLOTS,
        )
        fds = (plan.kernel_fd, plan.initramfs_fd, plan.qmp_fd, plan.channel_fd, *plan.disk_fds)
        process = subprocess.Popen(
            command("qemu-system-x86_64", plan, accelerator),
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    try:
        asyncio.run(_run_true(home))
        return time.perf_counter() - begun
    finally:
        process.kill()
        process.wait()


async def _run_true(home: Path) -> None:
    async with GuestChannel.over_mux(home / "mux.sock", socket=home / "guest.sock") as channel:
        if not await channel.wait_ready(BOOT_DEADLINE_S):
            raise RuntimeError("plain QEMU: the guest did not come up")
        async with GuestClient(home / "guest.sock") as guest:
            session = await guest.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("true",)))
            async with guest.stream(session) as stream:
                async for frame, _payload in stream:
                    if frame is Frame.EXIT:
                        return
    raise RuntimeError("plain QEMU: the command's exit was not reported")


def _open(path: Path, opened: ExitStack, flags: int = os.O_RDONLY) -> int:
    fd = os.open(path, flags | os.O_CLOEXEC)
    opened.callback(os.close, fd)
    return fd


def _listen(path: Path, opened: ExitStack) -> int:
    listener = opened.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(str(path))
    listener.listen(1)
    return listener.fileno()


if __name__ == "__main__":
    main()
