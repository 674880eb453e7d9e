"""One world for a whole module: making it takes longer than most lives in it. A test that fails ruins it, and the
next one gets another."""

import hashlib
import secrets
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from tests.manager.compute.acting import ok, until
from tests.manager.life.world import LateWire, Slices, World, made, reach_by

from nexus.agent.settings import AgentSettings
from nexus.kit.db import Db
from nexus.local import postgres as embedded
from nexus.manager.settings import ManagerSettings
from nexus.manager.snapshots import sweep
from nexus.manager.users import repository as users
from nexus.manager.users.service import open_session
from nexus.manager.wiring import BUILDERS, running

IMAGES = {
    "kernel": b"\x7fELF" + bytes(4092),
    "initramfs": b"070701" + b"0" * 104 + b"TRAILER!!!\0\0\0\0",
    "rootfs": bytes(1080) + b"\x53\xef" + bytes(7110),
}
"""The root is ext4 by its magic, so that a disk is a copy and no tool has to make one."""


class Worlds:
    """The world that is there, or a new one."""

    def __init__(self, server: embedded.Postgres, template: str) -> None:
        self._server = server
        self._template = template
        self._stack = AsyncExitStack()
        self._world: World | None = None

    async def get(self) -> World:
        if self._world is None:
            self._world = await self._stack.enter_async_context(_world(self._server, self._template))
        return self._world

    async def ruin(self) -> None:
        self._world = None
        await self._stack.aclose()


@pytest.fixture(scope="module", autouse=True)
def swept_often() -> Iterator[None]:
    """What is over goes at once, so that nobody has to wait for it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sweep, "EVERY", timedelta(seconds=0.2))
        yield


@pytest.fixture(scope="module")  # what a world has put in other places' stead must be gone when other tests begin
async def worlds(postgres_server: embedded.Postgres, template_database: str) -> AsyncIterator[Worlds]:
    made_here = Worlds(postgres_server, template_database)
    yield made_here
    await made_here.ruin()


@pytest.fixture
async def world(worlds: Worlds) -> AsyncIterator[World]:
    """A world at rest in which there is nothing yet."""
    there = await worlds.get()
    yield there
    there.lies.clear()
    if await there.leftovers() or there.death.has_come.is_set():
        await worlds.ruin()


@asynccontextmanager
async def _world(server: embedded.Postgres, template: str) -> AsyncGenerator[World]:
    async with AsyncExitStack() as stack:
        root = Path(tempfile.mkdtemp(prefix="nx", dir="/tmp"))
        root.chmod(0o711)
        stack.callback(shutil.rmtree, root)
        url = await stack.enter_async_context(_database(server, template))
        (root / "join-token").write_text(secrets.token_urlsafe(32))
        settings = ManagerSettings.model_validate(
            {
                "database_url": url,
                "image_root": root / "images",
                "secret_key_file": root / "secret.key",
                "local_join_token_file": root / "join-token",
                "reconciler_disabled": True,
            }
        )
        wire, slices = LateWire(), Slices(BUILDERS)
        reach_by(wire, stack.enter_context(pytest.MonkeyPatch.context()))
        manager = await stack.enter_async_context(running(settings, builders=slices.builders))
        db = Db(url, min_size=1, max_size=20)
        await db.open()
        stack.push_async_callback(db.close)
        client = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(manager.app), base_url="http://manager")
        )
        client.headers["Authorization"] = f"Bearer {await _sign_in(db)}"
        await _register_images(client, settings.image_root)
        agent = _agent_settings(root)
        world = await stack.enter_async_context(made(manager, slices, db, agent, client=client, wire=wire))
        await until(lambda: db.fetchval("select bool_or(usage is not null) from hosts"))
        yield world


@asynccontextmanager
async def _database(server: embedded.Postgres, template: str) -> AsyncGenerator[str]:
    name = f"life_{uuid4().hex}"
    admin = await asyncpg.connect(server.url())
    try:
        await admin.execute(f"create database {name} template {template}")
        yield server.url(name)
        await admin.execute(f"drop database {name} with (force)")
    finally:
        await admin.close()


async def _sign_in(db: Db) -> str:
    root = await users.find_by_name(db, "root")
    assert root is not None
    async with db.transaction() as tx:
        return (await open_session(tx, root, details={"from": "test"})).token


async def _register_images(client: httpx.AsyncClient, directory: Path) -> None:
    directory.mkdir(mode=0o711, exist_ok=True)
    for kind, content in IMAGES.items():
        path = directory / hashlib.sha256(content).hexdigest()
        path.write_bytes(content)
        wanted = {"kind": kind, "name": f"test-{kind}", "path": str(path), "is_default": True}
        ok(await client.post("/v1/images", json=wanted))


def _agent_settings(root: Path) -> AgentSettings:
    (root / "boot-id").write_text("boot-1")
    return AgentSettings.model_validate(
        {
            "run_dir": root / "agent",
            "runtime_dir": root / "run",
            "manager": "http://127.0.0.1:18189",
            "name": "host-1",
            "vmm": "fake",
            "network": "user",
            "user_net_restrict": True,
            "join_token": (root / "join-token").read_text(),
            "image_seed": root / "images",
            "boot_id_file": root / "boot-id",
        }
    )
