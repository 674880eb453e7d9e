"""PostgreSQL and other processes for benchmarks, in a scratch directory, each on the core that it is given."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from benchmarks._ending import clean_up_when_asked_to_end
from nexus.local import postgres as embedded

READY_S = 180
_CORES = sorted(os.sched_getaffinity(0))


@contextmanager
def scratch() -> Generator[Path]:
    """A directory that other uids can pass through, gone afterwards, also when this process is asked to end."""
    clean_up_when_asked_to_end()
    home = Path(tempfile.mkdtemp(prefix="nexus-bench-"))
    home.chmod(0o711)
    try:
        yield home
    finally:
        shutil.rmtree(home)


@contextmanager
def postgres(home: Path) -> Generator[embedded.Postgres]:
    """PostgreSQL as `nexus up` runs it, on whatever core is free; this process is on the last."""
    cache = home / "cache"
    cache.mkdir(mode=0o711)
    server = embedded.prepare(data=home / "postgres", socket_dir=home / "pg", cache=cache)
    log = home / "postgres.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            server.command(),
            stdout=written,
            stderr=written,
            cwd="/",
            start_new_session=True,
            user=server.run_as,
            group=server.run_as_group,
        )
    try:
        pin(os.getpid(), -1)
        wait_until(lambda: b"ready to accept connections" in log.read_bytes(), process, log)
        yield server
    finally:
        process.send_signal(embedded.STOP_SIGNAL)
        process.wait(timeout=30)


async def create_database(server: embedded.Postgres, name: str) -> None:
    connection = await asyncpg.connect(server.url("postgres"))
    await connection.execute(f"create database {name}")
    await connection.close()


def pin(pid: int, core: int) -> None:
    """Have a process and what it starts run on one core; -1 is the last. With a single core there is nothing to do."""
    os.sched_setaffinity(pid, {_CORES[core]})


def wait_until(is_so: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Raises RuntimeError with the log when the process ends first, or READY_S are over."""
    deadline = time.monotonic() + READY_S
    while not is_so():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"it did not start: {log.read_text(errors='replace')}")
        time.sleep(0.05)
