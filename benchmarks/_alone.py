"""The hypervisor by itself, with no manager and no agent, going on from a snapshot's files: a yardstick."""

import asyncio
import os
import shutil
import tempfile
import time
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from benchmarks._platform import Platform, checked
from nexus.agent.guest.becoming import become
from nexus.agent.guest.channel import GuestChannel
from nexus.agent.guest.client import GuestClient
from nexus.agent.storage.files import clone
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.port import Definition, Disk, Nic
from nexus.agent.vmm.qemu.config import Accelerator
from nexus.agent.vmm.qemu.driver import QemuVmm
from nexus.agent.vmm.qemu.tsc import measure_khz
from nexus.kit.clock import SystemClock
from nexus.protocol.guest import (
    Frame,
    GuestAccount,
    GuestConfig,
    GuestMetadata,
    GuestNic,
    IdentityReason,
    MountSpec,
    SessionKind,
    SessionRequest,
)

DEADLINE_S = 60
MAC = "02:00:00:00:00:01"


def go_on_alone(here: Platform, snapshot: dict[str, Any], *, becomes: bool = False) -> float:
    """Seconds until `true` has been run in the guest, which goes on as it stood, or is told first that it is another
    machine (`becomes`); its disks were copied before."""
    home = Path(tempfile.mkdtemp(prefix="nexus-alone-"))
    try:
        return asyncio.run(_go_on(here, home, snapshot, _another() if becomes else None))
    finally:
        shutil.rmtree(home)


def _another() -> GuestConfig:
    """Of the shape that a machine of the platform has with the default image and user."""
    return GuestConfig(
        root=MountSpec(device="/dev/vda", fs="squashfs", read_only=True),
        overlay=MountSpec(device="/dev/vdb", fs="ext4"),
        hostname="another",
        machine_id=uuid4().hex,
        user=GuestAccount(password_hash=f"$6$rounds=5000${'a' * 16}${'b' * 86}"),
        nics=(GuestNic(mac=MAC, address=IPv4Interface("10.0.2.15/24"), gateway=IPv4Address("10.0.2.2")),),
        dns=(IPv4Address("10.0.2.3"),),
        metadata=GuestMetadata(),
    )


async def _go_on(here: Platform, home: Path, snapshot: dict[str, Any], another: GuestConfig | None) -> float:
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
        nics=(Nic(MAC, None, restrict=True),),
        uid=None,
    )
    vmm = _driver(home, pins["acceleration"])
    try:
        begun = time.perf_counter()
        await vmm.restore(definition, launch=1, source=source, devices=tuple(pins["devices"]), is_linked=False)
        await _run_true(vmm, definition.id, home / "guest.sock", another)
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


async def _run_true(vmm: QemuVmm, machine: UUID, socket: Path, another: GuestConfig | None) -> None:
    async with GuestChannel(vmm.transport(machine), socket=socket) as channel:
        if not await channel.wait_ready(DEADLINE_S):
            raise RuntimeError("QEMU alone: the guest did not go on")
        async with GuestClient(socket) as guest:
            if another is not None:
                await become(guest, reason=IdentityReason.CLONE, config=another, clock=SystemClock())
            session = await guest.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("true",)))
            async with guest.stream(session) as stream:
                async for frame, _payload in stream:
                    if frame is Frame.EXIT:
                        return
    raise RuntimeError("QEMU alone: the command's exit was not reported")
