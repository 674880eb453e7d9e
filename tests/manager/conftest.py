"""A whole manager on a real PostgreSQL: its application in this process, and signed-in clients for each role.

Databases are cloned from one that is migrated and has its users already, which takes 30 ms instead of half a second.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
import structlog
from fastapi import APIRouter, FastAPI
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from nexus.kit.db import Db
from nexus.local import postgres as embedded
from nexus.manager import wiring
from nexus.manager.access.models import Role
from nexus.manager.app import create_app
from nexus.manager.migrate import migrate
from nexus.manager.platform import Builder
from nexus.manager.settings import ManagerSettings
from nexus.manager.ui.site import Site
from nexus.manager.users import repository
from nexus.manager.users.passwords import hash_password
from nexus.manager.users.service import ensure_first_user, open_session
from nexus.manager.wiring import BUILDERS, Manager, running

PASSWORD = "correct horse"
"""Of every user but root."""
USERS = {"ada": Role.USER, "otto": Role.USER, "vera": Role.VIEWER}
TEMPLATE = "nexus_template"


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Log lines as text, and tracebacks without structlog's default art, which takes seconds to draw."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
        ]
    )


@pytest.fixture(scope="session", autouse=True)
def routes_made_once() -> Iterator[None]:
    """All managers of a run have the same routes, as FastAPI understands them: that takes it a tenth of a second, and
    it would begin anew for each. What a manager is built of besides is its own."""
    first = create_app(wiring.ROUTERS)

    def made(routers: list[APIRouter], *, site: Site | None = None) -> FastAPI:
        if routers is not known:
            return create_app(routers, site=site)
        app = create_app([], site=site)
        app.router.routes.extend(first.router.routes)
        return app

    known = wiring.ROUTERS
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(wiring, "create_app", made)
        yield


@pytest.fixture(scope="session")
async def template_database(postgres_server: embedded.Postgres) -> str:
    """A migrated database with root (admin), ada and otto (users) and vera (viewer)."""
    connection = await asyncpg.connect(postgres_server.url())
    await connection.execute(f"create database {TEMPLATE}")
    await connection.close()
    url = postgres_server.url(TEMPLATE)
    await migrate(url)
    db = Db(url, min_size=1, max_size=1)
    await db.open()
    await ensure_first_user(db, is_loopback=True)
    password_hash = await hash_password(PASSWORD)
    async with db.transaction() as tx:
        for username, role in USERS.items():
            assert await repository.add(tx, username=username, role=role, password_hash=password_hash)
    await db.close()
    return TEMPLATE


@pytest.fixture
async def manager_database(postgres_server: embedded.Postgres, template_database: str) -> AsyncIterator[str]:
    """The URL of a database of the test's own, cloned from the template."""
    name = f"manager_{uuid4().hex}"
    admin = await asyncpg.connect(postgres_server.url())
    try:
        await admin.execute(f"create database {name} template {template_database}")
        yield postgres_server.url(name)
        await admin.execute(f"drop database {name} with (force)")
    finally:
        await admin.close()


@pytest.fixture
def manager_settings(manager_database: str, short_tmp: Path) -> ManagerSettings:
    return ManagerSettings.model_validate(
        {
            "database_url": manager_database,
            "bind": f"127.0.0.1:{free_port()}",
            "image_root": short_tmp / "images",
            "secret_key_file": short_tmp / "secret.key",
            "local_join_token_file": short_tmp / "join-token",
        }
    )


@pytest.fixture
def builders() -> Sequence[Builder]:
    """The slices the manager is built with; override to have others."""
    return BUILDERS


@pytest.fixture
async def manager(manager_settings: ManagerSettings, builders: Sequence[Builder]) -> AsyncIterator[Manager]:
    """A manager that runs, engine and sweeps included; nothing listens on its port (see `served`)."""
    async with running(manager_settings, builders=builders) as made:
        yield made


@pytest.fixture
async def db(manager_database: str) -> AsyncIterator[Db]:
    """The test's own way to the manager's database; none of the manager's hooks are on it."""
    opened = Db(manager_database, min_size=1, max_size=60)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def anonymous(manager: Manager) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(manager) as client:
        yield client


@pytest.fixture
async def admin(manager: Manager, db: Db) -> AsyncIterator[httpx.AsyncClient]:
    """root"""
    async with client_of(manager, await sign_in(db, "root")) as client:
        yield client


@pytest.fixture
async def user(manager: Manager, db: Db) -> AsyncIterator[httpx.AsyncClient]:
    """ada"""
    async with client_of(manager, await sign_in(db, "ada")) as client:
        yield client


@pytest.fixture
async def other_user(manager: Manager, db: Db) -> AsyncIterator[httpx.AsyncClient]:
    """otto, who must not see what is ada's"""
    async with client_of(manager, await sign_in(db, "otto")) as client:
        yield client


@pytest.fixture
async def viewer(manager: Manager, db: Db) -> AsyncIterator[httpx.AsyncClient]:
    """vera"""
    async with client_of(manager, await sign_in(db, "vera")) as client:
        yield client


@pytest.fixture
async def served(manager: Manager, manager_settings: ManagerSettings) -> AsyncIterator[str]:
    """`host:port` on which the manager really listens, for WebSockets and streams."""
    server = Server(
        manager.app,
        address=manager_settings.host,
        port=manager_settings.port,
        interface=Interfaces.ASGINL,
        log_level=LogLevels.error,
    )
    async with _serving(server):
        yield manager_settings.bind


async def sign_in(db: Db, username: str) -> str:
    """A session token of this user, made without the password."""
    user = await repository.find_by_name(db, username)
    assert user is not None
    async with db.transaction() as tx:
        return (await open_session(tx, user, details={"from": "test"})).token


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def client_of(manager: Manager, token: str | None = None) -> AsyncGenerator[httpx.AsyncClient]:
    """Whoever has this session token or host credential; nobody, without one."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    transport = httpx.ASGITransport(manager.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://manager", headers=headers, timeout=70) as client:
        yield client


@asynccontextmanager
async def _serving(server: Server) -> AsyncGenerator[None]:
    task = asyncio.create_task(server.serve())
    while True:
        try:
            _, writer = await asyncio.open_connection(server.bind_addr, server.bind_port)
            writer.close()
            break
        except ConnectionRefusedError:
            assert not task.done()
            await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.stop()
        await task
