"""A platform for chaos: PostgreSQL, managers and agents as processes, and the lines between them.

Agents are on TCP, certified, behind a line each way, as hosts on other machines are. Each reaches whichever manager
lives, as through a load balancer.
"""

import asyncio
import contextlib
import hashlib
import os
import random
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
from tests.chaos.plan import Extent
from tests.chaos.processes import Database, Member, Nursery
from tests.chaos.wires import Wire

from bootstrap import guest
from nexus.local import images
from nexus.local import postgres as embedded

LOOPBACK = "127.0.0.1"
START_PATIENCE_S = 300.0
FAKE_IMAGES = {
    "kernel": b"\x7fELF" + bytes(4092),
    "initramfs": b"070701" + b"0" * 104 + b"TRAILER!!!\0\0\0\0",
    "rootfs": bytes(1080) + b"\x53\xef" + bytes(7110),
}
"""For a hypervisor that runs nothing. The root is ext4 by its magic, so that a disk is a copy of it."""


@dataclass(frozen=True)
class Images:
    """What to register: kind → file. None of them need be where managers keep theirs."""

    files: Mapping[str, Path]


class Site:
    def __init__(self, home: Path, extent: Extent, database: Database, *, driver: str) -> None:
        self.home = home
        self.extent = extent
        self.database = database
        self.driver = driver
        self.nursery = Nursery()
        self.wires: dict[str, Wire] = {}
        self.token = ""
        self._ports = _free_ports()
        self.managers: dict[str, tuple[str, int]] = {}

    def agent_home(self, name: str) -> Path:
        """FC_RUN_DIR of that agent."""
        return self.home / name / "data"

    def runtime(self, name: str) -> Path:
        return self.home / name / "run"

    def manager_urls(self) -> dict[str, str]:
        return {name: f"http://{host}:{port}" for name, (host, port) in self.managers.items()}

    async def start(self, wanted: Images) -> None:
        """Until every host has joined."""
        await self.database.start()
        await self.nursery.open(log=self.home / "nursery.log")
        for name in self.extent.members("manager"):
            self._add_manager(name)
            await self.nursery.start(name)
            await self._until_ready(name)
        async with httpx.AsyncClient(base_url=next(iter(self.manager_urls().values())), timeout=60) as http:
            login = await http.post("/v1/auth/login", json={"username": "root", "password": "root"})
            self.token = login.raise_for_status().json()["token"]
            http.headers["Authorization"] = f"Bearer {self.token}"
            await self._register(http, wanted)
            for name in self.extent.members("agent"):
                made = await http.post("/v1/hosts/join-tokens", json={})
                await self._add_agent(name, join_token=made.raise_for_status().json()["token"])
                await self.nursery.start(name)
            await self._until_joined(http)

    async def close(self) -> None:
        await self.nursery.close()
        for wire in self.wires.values():
            await wire.close()
        await self.database.kill()
        for name in self.extent.members("agent"):
            for pid in (*self.vmms(name).values(), *self.zygotes(name)):
                os.kill(pid, signal.SIGKILL)

    def change_boot_id(self, agent: str) -> None:
        """What a kernel that has just started would say."""
        (self.home / agent / "boot_id").write_text(f"{uuid4()}\n")

    def vmms(self, agent: str) -> dict[str, int]:
        """The hypervisor processes of a host that run: machine id → pid. They are known by the disks that they hold
        open, also where those have been removed under them."""
        home = f"{self.agent_home(agent)}/machines/"
        return {machine: pid for pid, machine in _qemus() if _holds_open(pid, home)}

    def zygotes(self, agent: str) -> list[int]:
        """The process that is to become a zygote on a host, if there is one now."""
        home = f"{self.agent_home(agent)}/zygotes/machine/"
        return [pid for pid, _ in _qemus() if _holds_open(pid, home)]

    def _add_manager(self, name: str) -> None:
        port = next(self._ports)
        self.managers[name] = (LOOPBACK, port)
        env = {
            "DATABASE_URL": self.database.server.url(),
            "MANAGER_BIND": f"{LOOPBACK}:{port}",
            "MANAGER_IMAGE_ROOT": str(self.home / "images"),
            "MANAGER_SECRET_KEY_FILE": str(self.home / "secret.key"),
            "MANAGER_FLOW_LEASE_S": str(self.extent.lease_s),
            "MANAGER_CPU_OVERCOMMIT": "100",
            "MANAGER_MEMORY_OVERCOMMIT": "10",
            "MANAGER_DISK_OVERCOMMIT": "100",
        }
        self._add(name, "manager", env)

    async def _add_agent(self, name: str, *, join_token: str) -> None:
        port, up, down = (next(self._ports) for _ in range(3))
        self.wires[f"{name}/up"] = Wire(up, self._a_manager)
        self.wires[f"{name}/down"] = Wire(down, lambda: (LOOPBACK, port))
        for way in ("up", "down"):
            await self.wires[f"{name}/{way}"].open()
        number = int(name.rsplit("-", 1)[1])
        env = {
            "MANAGER_BASE": f"http://{LOOPBACK}:{up}",
            "AGENT_BIND": f"{LOOPBACK}:{port}",
            "AGENT_ADVERTISE": f"{LOOPBACK}:{down}",
            "AGENT_NAME": name,
            "AGENT_VMM": self.driver,
            "AGENT_NETWORK": "user",
            "AGENT_USER_NET_RESTRICT": "1",
            "AGENT_JOIN_TOKEN": join_token,
            "AGENT_UID_BASE": str(64_000_000 + number * 10_000),
            "AGENT_BOOT_ID_FILE": str(self.home / name / "boot_id"),
            "FC_RUN_DIR": str(self.agent_home(name)),
            "AGENT_RUNTIME_DIR": str(self.runtime(name)),
        }
        self._add(name, "agent", env)
        self.change_boot_id(name)

    def _add(self, name: str, kind: str, env: dict[str, str]) -> None:
        cwd = self.home / name
        cwd.mkdir(mode=0o711)
        shared = {"PATH": os.environ["PATH"], "NEXUS_DATA_DIR": str(cwd)}
        log = self.home / f"{name}.log"
        self.nursery.add(Member(name, kind, shared | env, cwd, log))

    def _a_manager(self) -> tuple[str, int]:
        """One that lives, if there is one."""
        living = [name for name in self.managers if self.nursery.members[name].descriptor is not None]
        return self.managers[random.choice(living or list(self.managers))]

    async def _register(self, http: httpx.AsyncClient, wanted: Images) -> None:
        root = self.home / "images"
        for kind, file in wanted.files.items():
            place = root / hashlib.sha256(file.read_bytes()).hexdigest()
            if place != file:
                shutil.copy(file, place)
            body = {"kind": kind, "name": f"chaos-{kind}", "path": str(place), "is_default": True}
            (await http.post("/v1/images", json=body)).raise_for_status()

    async def _until_ready(self, name: str) -> None:
        host, port = self.managers[name]
        async with asyncio.timeout(START_PATIENCE_S), httpx.AsyncClient(trust_env=False) as http:
            while True:
                try:
                    if (await http.get(f"http://{host}:{port}/health/ready")).is_success:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.05)

    async def _until_joined(self, http: httpx.AsyncClient) -> None:
        async with asyncio.timeout(START_PATIENCE_S):
            while True:
                hosts = (await http.get("/v1/hosts")).raise_for_status().json()["items"]
                if sum(bool(host["usage"]) for host in hosts) == self.extent.agents:
                    return
                await asyncio.sleep(0.1)


def fake_images(home: Path) -> Images:
    """Files that pass for images where nothing boots."""
    files = {kind: home / kind for kind in FAKE_IMAGES}
    for kind, content in FAKE_IMAGES.items():
        files[kind].write_bytes(content)
    return Images(files)


def real_images() -> Images:
    """The default images, made if they are not there, with this checkout's guest binary."""
    guest.ensure()
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nexus/test-images"
    images.build(out=home / "images", cache=home / "cache", guest_init=guest.OUTPUT)
    store = images.Store(home / "images")
    return Images({image.kind: store.path(image) for image in store.images() if image.is_default})


@asynccontextmanager
async def site(extent: Extent, *, driver: str, keep: Path | None = None) -> AsyncGenerator[Site]:
    """Directories and a database, nothing started yet. `keep`: where logs are left."""
    home = Path(tempfile.mkdtemp(prefix="nx", dir="/tmp"))
    home.chmod(0o711)
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, home)
        if keep is not None:
            stack.callback(_keep_logs, home, keep)
        for part in ("cache", "images"):
            (home / part).mkdir(mode=0o711)
        server = await asyncio.to_thread(
            embedded.prepare, data=home / "postgres", socket_dir=home / "pg", cache=home / "cache"
        )
        made = Site(home, extent, Database(server, log=home / "postgres.log"), driver=driver)
        stack.push_async_callback(made.close)
        yield made


async def connect(made: Site) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection to the platform's database, for looking at what is true."""
    return await asyncpg.connect(made.database.server.url())


def _qemus() -> Generator[tuple[int, str]]:
    """Every QEMU that runs on this machine, with the machine it is for."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid = int(entry.name)
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if "qemu-system" in words[0] and "-uuid" in words:
                yield pid, words[words.index("-uuid") + 1]


def _holds_open(pid: int, home: str) -> bool:
    with contextlib.suppress(OSError):
        return any(str(fd.readlink()).startswith(home) for fd in Path(f"/proc/{pid}/fd").iterdir())
    return False


def _keep_logs(home: Path, keep: Path) -> None:
    keep.mkdir(parents=True, exist_ok=True)
    for log in home.glob("*.log"):
        shutil.copy(log, keep)


def _free_ports():
    """Below the range from which outgoing connections get theirs: a process that was killed finds its own again."""
    seen: set[int] = set()
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        if port not in seen:
            seen.add(port)
            yield port
