"""Fixtures every part shares: short scratch directories, a real PostgreSQL, the guest's binary."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from tests.lanes import Lanes, strays
from xdist.remote import Producer

from bootstrap import guest
from nexus.local import images
from nexus.local import postgres as embedded

# Started in the background of a script, we would have inherited that Ctrl-C is ignored, and so would what we start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No guest of a test may send a packet beyond this machine, whatever the agent may do here.
os.environ.update(AGENT_NETWORK="user", AGENT_USER_NET_RESTRICT="1")

MEMORY = Path("/dev/shm")
ROOM_BYTES = 1 << 30
"""More than all databases of a run take at once."""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes:
    return Lanes(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if found := strays(items):
        raise pytest.UsageError(
            f"Tests with the marks vm and net belong in the machine's lane (tests/lanes.py): {found}"
        )


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A scratch directory with a path short enough for sockets, which other uids can pass through (0711)."""
    with _scratch() as path:
        yield path


@pytest.fixture(scope="session")
def session_tmp() -> Iterator[Path]:
    """The same for the whole run."""
    with _scratch() as path:
        yield path


@contextmanager
def _scratch(where: Path = Path("/tmp")) -> Generator[Path]:
    path = Path(tempfile.mkdtemp(prefix="nx", dir=where))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@pytest.fixture(scope="session")
def cluster_place() -> Iterator[Path]:
    """Where PostgreSQL keeps its files: in memory, if there is room. A database is a thousand of them, which takes a
    third of a second on some disks and 15 ms in memory, for every test that has one of its own."""
    is_roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    with _scratch(MEMORY if is_roomy else Path("/tmp")) as path:
        yield path


@pytest.fixture(scope="session")
def postgres_server(session_tmp: Path, cluster_place: Path) -> Iterator[embedded.Postgres]:
    """One PostgreSQL for the whole run, as `nexus up` would run it, without waiting for the disk."""
    cache = session_tmp / "cache"
    cache.mkdir(mode=0o711)
    server = embedded.prepare(data=cluster_place / "postgres", socket_dir=session_tmp / "pg", cache=cache)
    command = server.command(fsync="off", synchronous_commit="off", full_page_writes="off", max_wal_size="64MB")
    with (session_tmp / "postgres.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
            user=server.run_as,
            group=server.run_as_group,
        )
    try:
        _wait_until_ready(session_tmp / "postgres.log", process)
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


@pytest.fixture
async def database_url(postgres_server: embedded.Postgres) -> AsyncIterator[str]:
    """The URL of an empty database of the test's own, gone afterwards."""
    name = f"test_{uuid4().hex}"
    admin = await asyncpg.connect(postgres_server.url())
    try:
        await admin.execute(f'create database "{name}"')
        yield postgres_server.url(name)
        await admin.execute(f'drop database "{name}" with (force)')
    finally:
        await admin.close()


@pytest.fixture(scope="session")
def guest_init() -> Path:
    """The guest's binary, built from this checkout."""
    guest.ensure()
    return guest.OUTPUT


@pytest.fixture(scope="session")
def built_images(guest_init: Path) -> images.Store:
    """Kernel, initramfs (with this checkout's guest binary) and default root file system.

    They are made once and kept outside the checkout: only the initramfs is made again as the guest changes. For example
    `built_images.path(built_images.default("kernel"))`.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nexus/test-images"
    images.build(out=home / "images", cache=home / "cache", guest_init=guest_init)
    return images.Store(home / "images")


@pytest.fixture(scope="session")
def systemd_image(built_images: images.Store) -> images.Image:
    """A whole distribution with systemd; `built_images.path(systemd_image)` is its file. Made once, like the others."""
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed; it makes the systemd image")
    cache = built_images.root.parent / "cache"
    built = images.build(out=built_images.root, cache=cache, guest_init=guest.OUTPUT, recipe_names=("systemd",))
    return built.images[0]


def _wait_until_ready(log: Path, process: subprocess.Popen[bytes]) -> None:
    """Until it takes connections: its socket is there a moment earlier."""
    deadline = time.monotonic() + 20
    while b"ready to accept connections" not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start (status {process.returncode})")
        time.sleep(0.02)
