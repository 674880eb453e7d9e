"""Real guests under QEMU, reached through their own channel; one is shared by the tests that leave it as it was."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.agent.lab import ImageSet, built, machine_spec

from nexus.agent.facts import host_boot_id
from nexus.agent.guest.channel import GuestChannel
from nexus.agent.guest.client import GuestClient
from nexus.agent.guest.session import SessionStream
from nexus.agent.machines.guest_config import guest_config, write_initramfs
from nexus.agent.net.user import UserNetwork
from nexus.agent.storage.disks import DiskStore
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.port import Definition, Nic
from nexus.agent.vmm.qemu.config import Accelerator
from nexus.agent.vmm.qemu.driver import QemuVmm
from nexus.agent.vmm.qemu.tsc import measure_khz
from nexus.kit.clock import SystemClock
from nexus.local import images
from nexus.protocol.guest import Frame, SessionExit, SessionKind, SessionRequest
from nexus.protocol.machines import GuestSpec, GuestUser, MachineSpec, Power

PASSWORD_HASH = "$6$nexus$notarealhash"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 somebody"


@dataclass
class Ran:
    out: bytes
    err: bytes
    exit: SessionExit


class Guest:
    """A running machine. `channel` is closed while a test drives the port by itself."""

    def __init__(self, vmm: QemuVmm, spec: MachineSpec, root: Path, *, started: float) -> None:
        self.vmm = vmm
        self.spec = spec
        self.root = root
        self.started = started
        self.channel = self.make_channel()
        self.client = GuestClient(self.channel.socket, timeout_s=20)

    @property
    def mux_socket(self) -> Path:
        return self.root / "m" / str(self.spec.id) / "mux.sock"

    def make_channel(self) -> GuestChannel:
        return GuestChannel(self.vmm.transport(self.spec.id), socket=self.root / "guest.sock")

    def console(self) -> str:
        return self.vmm.console(self.spec.id).read_text(errors="replace")

    async def run(self, *argv: str, stdin: bytes = b"", user: str | None = None, **other: object) -> Ran:
        """Run a command to its end."""
        request = SessionRequest.model_validate({"kind": SessionKind.EXEC, "argv": argv, "user": user, **other})
        session = await self.client.open_session(request)
        async with self.client.stream(session) as stream, asyncio.timeout(180):
            await stream.send(Frame.INPUT, stdin)
            await stream.send(Frame.END_OF_INPUT)
            return await gather(stream)

    async def add_user(self, name: str, number: int) -> None:
        """A user as an image might have it."""
        line = f"{name}:x:{number}:{number}::/home/{name}:/bin/sh"
        script = f"echo {line} >> /etc/passwd; mkdir -p /home/{name}; chown {number}:{number} /home/{name}"
        assert (await self.run("sh", "-c", script)).exit.code == 0

    async def is_up_or_off(self) -> bool:
        return self.channel.is_ready or await self.is_off()

    async def is_off(self) -> bool:
        return (await self.vmm.observe(self.spec.id)).power is Power.OFF

    async def wait_off(self, *, within_s: float) -> float:
        """Seconds until the VMM had gone."""
        begun = time.monotonic()
        await holds(self.is_off, within_s=within_s)
        return time.monotonic() - begun


async def holds(condition: Callable[[], Awaitable[bool]], *, within_s: float = 60) -> None:
    """Wait until the condition holds. Raises TimeoutError when it does not."""
    async with asyncio.timeout(within_s):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


async def gather(stream: SessionStream) -> Ran:
    """A session's frames up to its exit."""
    out, err = bytearray(), bytearray()
    async for frame, payload in stream:
        match frame:
            case Frame.OUTPUT:
                out += payload
            case Frame.ERROR_OUTPUT:
                err += payload
            case _:
                assert frame is Frame.EXIT
                return Ran(bytes(out), bytes(err), SessionExit.model_validate_json(payload))
    raise AssertionError("the stream ended without an exit frame")


async def boot(root: Path, store: images.Store, using: ImageSet, *, uid: int | None, **other: object) -> Guest:
    """A machine from `using`, ready; the caller discards it."""
    vmm = QemuVmm(
        binary="/usr/bin/qemu-system-x86_64",
        version="any",
        accelerator=Accelerator("tcg", measure_khz()),
        why="",
        machines=root / "machines",
        sockets=root / "m",
        host_boot_id=host_boot_id(),
        cgroups=Cgroups(),
        clock=SystemClock(),
    )
    user = GuestUser(password_hash=PASSWORD_HASH, ssh_authorized_keys=(KEY,))
    spec = machine_spec(using, guest=GuestSpec(hostname="web-1", user=user)).model_copy(update=other)
    definition = await _define(root, store, using, spec, uid=uid)
    started = time.monotonic()
    await vmm.start(definition, launch=1)
    guest = Guest(vmm, spec, root, started=started)
    await guest.channel.start()
    try:
        await holds(guest.is_up_or_off, within_s=60)
        assert guest.channel.is_ready, f"the guest never came up:\n{guest.console()}"
    except BaseException:
        await guest.channel.close()
        await vmm.discard(spec.id)
        await vmm.close()
        raise
    return guest


async def _define(
    root: Path, store: images.Store, using: ImageSet, spec: MachineSpec, *, uid: int | None
) -> Definition:
    home = root / "machines" / str(spec.id)
    home.mkdir(parents=True)
    disks = DiskStore(home / "disks", uid=uid)
    files = [await disks.ensure(d, store.root / d.image_sha256 if d.image_sha256 else None) for d in spec.disks]
    network = UserNetwork(restrict=True, why="")
    attachments = {nic.id: network.attachment(nic, position) for position, nic in enumerate(spec.nics)}
    config = guest_config(spec, attachments, time_unix_ms=time.time_ns() // 1_000_000)
    await asyncio.to_thread(write_initramfs, store.root / using.initramfs, config, home / "initramfs", uid=uid)
    return Definition(
        id=spec.id,
        vcpus=spec.vcpus,
        memory_mib=spec.memory_mib,
        kernel=store.root / using.kernel,
        initramfs=home / "initramfs",
        boot_args=spec.boot_args,
        disks=tuple(files),
        nics=tuple(Nic(nic.mac, None, restrict=True) for nic in spec.nics),
        uid=uid,
    )


@asynccontextmanager
async def booted(root: Path, store: images.Store, using: ImageSet, **other: object) -> AsyncGenerator[Guest]:
    uid = 64_900_002 if os.geteuid() == 0 else None
    async with AsyncExitStack() as stack:
        guest = await boot(root, store, using, uid=uid, **other)
        stack.push_async_callback(guest.vmm.close)
        stack.push_async_callback(guest.vmm.discard, guest.spec.id)
        stack.push_async_callback(guest.client.close)
        stack.push_async_callback(guest.channel.close)
        yield guest


@pytest.fixture(scope="module")
async def guest(session_tmp: Path, built_images: images.Store, request: pytest.FixtureRequest) -> AsyncIterator[Guest]:
    """A guest of the default image, shared by a module."""
    root = session_tmp / f"g-{request.node.name.removesuffix('.py')[-12:]}"
    root.mkdir(mode=0o711)
    async with booted(root, built_images, built(built_images)) as running:
        yield running
