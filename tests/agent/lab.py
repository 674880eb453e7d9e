"""What the agent's tests share: definitions, an agent in this process or of its own, and waiting for conditions."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path
from uuid import UUID, uuid4

import httpx

from nexus.agent import wiring
from nexus.agent.settings import AgentSettings
from nexus.kit.ids import new_id
from nexus.local import images
from nexus.protocol.machines import (
    DiskFormat,
    DiskRole,
    DiskSpec,
    GuestPhase,
    GuestSpec,
    MachineOrder,
    MachineSeen,
    MachineSpec,
    NetworkSpec,
    NicSpec,
    Power,
    PowerWish,
)

PATIENCE_S = 90.0
NETWORK = NetworkSpec(id=UUID(int=7), bridge="nxtest0", gateway=IPv4Interface("172.30.9.1/24"))


async def eventually(condition: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
    """Wait until the condition holds; fails the test when it does not within `within_s`."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.01)


@dataclass(frozen=True)
class ImageSet:
    """Digests of a kernel, an initramfs and a squashfs, and the directory they are in."""

    directory: Path
    kernel: str
    initramfs: str
    rootfs: str


def built(store: images.Store) -> ImageSet:
    return ImageSet(
        store.root,
        store.default("kernel").sha256,
        store.default("initramfs").sha256,
        store.default("rootfs").sha256,
    )


def machine_spec(using: ImageSet, *, number: int = 1, nics: bool = True, **other: object) -> MachineSpec:
    """A small machine: squashfs below an ext4 overlay, one interface."""
    nic = NicSpec(
        id=new_id(),
        iface_id="eth0",
        mac=f"02:00:00:00:00:{number:02x}",
        network=NETWORK,
        address=IPv4Interface(f"172.30.9.{number + 10}/24"),
    )
    spec = MachineSpec(
        id=new_id(),
        generation=1,
        vcpus=1,
        memory_mib=256,
        kernel_sha256=using.kernel,
        initramfs_sha256=using.initramfs,
        disks=(
            DiskSpec(
                id=new_id(),
                drive_id="rootfs",
                role=DiskRole.ROOT,
                format=DiskFormat.SQUASHFS,
                image_sha256=using.rootfs,
                read_only=True,
            ),
            DiskSpec(
                id=new_id(), drive_id="overlay", role=DiskRole.OVERLAY, format=DiskFormat.EXT4, size_bytes=1 << 30
            ),
        ),
        nics=(nic,) if nics else (),
        guest=GuestSpec(hostname=f"guest-{number}"),
    )
    return spec.model_copy(update=other)


class AgentClient:
    """Speaks to an agent as the manager does."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def define(self, spec: MachineSpec) -> httpx.Response:
        return await self.http.put(f"/v1/machines/{spec.id}", content=spec.model_dump_json())

    async def order(self, spec: MachineSpec, power: Power, *, boot: int, patience_ms: int = 5000) -> MachineSeen:
        """Definition and wish in one request."""
        wish = PowerWish(generation=spec.generation, power=power, boot=boot)
        order = MachineOrder.model_validate({**spec.model_dump(), "wish": wish, "patience_ms": patience_ms})
        answer = await self.http.put(f"/v1/machines/{spec.id}", content=order.model_dump_json())
        assert answer.is_success, answer.text
        return MachineSeen.model_validate_json(answer.content)

    async def power(
        self, machine: UUID, power: Power, *, boot: int, generation: int = 1, grace_s: int = 30
    ) -> httpx.Response:
        wish = PowerWish(generation=generation, power=power, boot=boot, grace_s=grace_s)
        return await self.http.put(f"/v1/machines/{machine}/power", content=wish.model_dump_json())

    async def seen(self, machine: UUID) -> MachineSeen:
        return MachineSeen.model_validate_json((await self.http.get(f"/v1/machines/{machine}")).content)

    async def discard(self, machine: UUID) -> MachineSeen:
        return MachineSeen.model_validate_json((await self.http.delete(f"/v1/machines/{machine}")).content)

    async def until(
        self, machine: UUID, wanted: Callable[[MachineSeen], bool], *, within_s: float = PATIENCE_S
    ) -> MachineSeen:
        """The first observation that is as wanted."""
        deadline = time.monotonic() + within_s
        while not wanted(seen := await self.seen(machine)):
            assert time.monotonic() < deadline, f"never came to be; the last seen was {seen}"
            await asyncio.sleep(0.01)
        return seen

    async def boot(self, spec: MachineSpec) -> MachineSeen:
        """Define, start, wait until ready."""
        assert (await self.define(spec)).status_code == 200
        assert (await self.power(spec.id, Power.ON, boot=1)).status_code == 200
        return await self.until(spec.id, is_ready)

    async def run(self, machine: UUID, *argv: str) -> str:
        """Run a command in the guest through the pass-through; answers its session id."""
        body = json.dumps({"kind": "exec", "argv": argv})
        answer = await self.http.post(f"/v1/machines/{machine}/guest/sessions", content=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])


def is_ready(seen: MachineSeen) -> bool:
    assert seen.fault is None, seen.fault
    return seen.guest is GuestPhase.READY and seen.stage is None


def is_off(seen: MachineSeen) -> bool:
    return seen.power is Power.OFF and seen.stage is None


def agent_settings(root: Path, **other: object) -> AgentSettings:
    """Settings of an agent that keeps everything below `root` and lets no packet out."""
    values: dict[str, object] = {
        "run_dir": root / "agent",
        "runtime_dir": root / "rt",
        "vmm": "fake",
        "network": "user",
        "user_net_restrict": True,
    }
    return AgentSettings.model_validate(values | other)


@asynccontextmanager
async def agent_here(settings: AgentSettings) -> AsyncGenerator[tuple[AgentClient, wiring.Agent]]:
    """The agent in this process, without its socket and its manager link."""
    async with AsyncExitStack() as stack:
        agent = await wiring.build(settings, stack)
        transport = httpx.ASGITransport(app=agent.app, raise_app_exceptions=False)
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://agent"))
        yield AgentClient(http), agent


class AgentProcess:
    """The agent as a process of its own, which a test may kill. `env` adds to its settings; it runs behind `prefix`."""

    def __init__(self, root: Path, *, prefix: tuple[str, ...] = (), **env: str) -> None:
        self.root = root
        self.socket = root / "rt/agent.sock"
        self.client = AgentClient(
            httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(uds=str(self.socket)), base_url="http://agent", timeout=30
            )
        )
        self.process: subprocess.Popen[bytes] | None = None
        self._prefix = prefix
        self._env = {
            "NEXUS_DATA_DIR": str(root),
            "AGENT_RUNTIME_DIR": str(root / "rt"),
            "AGENT_NETWORK": "user",
            "AGENT_USER_NET_RESTRICT": "1",
            "AGENT_ZYGOTES": "0",  # whoever kills an agent leaves what it was making, and that would run for ever
        } | env

    def start_only(self) -> None:
        with (self.root / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "nexus.agent"],
                env=os.environ | self._env,
                stdout=log,
                stderr=log,
            )

    async def start(self) -> AgentClient:
        """Returns when it answers."""
        self.start_only()
        deadline = time.monotonic() + 30
        while True:
            try:
                await self.client.http.get("/v1/host")
                return self.client
            except httpx.TransportError:
                assert not self.has_ended(), self.log()
                assert time.monotonic() < deadline, self.log()
                await asyncio.sleep(0.02)

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def log(self) -> str:
        return (self.root / "agent.log").read_text()[-3000:]

    def kill(self) -> None:
        """As `kill -9` would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    async def end(self) -> None:
        """As a service manager would; returns when it has ended."""
        assert self.process is not None
        self.process.terminate()
        await eventually(self.has_ended)


def random_images(directory: Path) -> ImageSet:
    """Images of no use but to be stored; enough for a hypervisor that runs nothing."""
    digests: list[str] = []
    directory.mkdir(parents=True, exist_ok=True)
    for _ in range(3):
        data = uuid4().bytes * 64
        digests.append(hashlib.sha256(data).hexdigest())
        (directory / digests[-1]).write_bytes(data)
    return ImageSet(directory, *digests)
