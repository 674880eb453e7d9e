"""The manager as a process: its commands, its start and its end."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from tests.manager.conftest import free_port

from nexus.kit import log
from nexus.kit.db import Db
from nexus.manager import __main__ as process

COMMAND = [sys.executable, "-m", "nexus.manager"]


@pytest.fixture
def environment(manager_database: str, short_tmp: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": manager_database,
        "NEXUS_DATA_DIR": str(short_tmp),
        "MANAGER_BIND": f"127.0.0.1:{free_port()}",
    }


async def run(*arguments: str, env: Mapping[str, str], stdin: bytes = b"") -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin)
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def started(env: Mapping[str, str]) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(*COMMAND, env=env, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(30), httpx.AsyncClient() as client:
            while True:
                assert process.returncode is None
                try:
                    if (await client.get(f"http://{env['MANAGER_BIND']}/health/ready")).status_code == 200:
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_minted_session_is_signed_in_and_sigterm_ends_the_process_in_order(environment: dict[str, str]) -> None:
    code, out, _ = await run("mint-session", "--username", "root", env=environment)
    session = json.loads(out)
    assert (code, session["username"]) == (0, "root")
    headers = {"Authorization": f"Bearer {session['token']}"}
    async with (
        started(environment) as process,
        httpx.AsyncClient(base_url=f"http://{environment['MANAGER_BIND']}", headers=headers, timeout=20) as client,
    ):
        assert (await client.get("/v1/auth/me")).json()["item"]["username"] == "root"
        async with client.stream("GET", "/v1/events") as events:
            process.send_signal(signal.SIGTERM)
            told = [line async for line in events.aiter_lines() if line.startswith("event:")]
            assert told == ["event: hello", "event: dropped"]
        async with asyncio.timeout(8):  # less than the patience after which connections are cut off
            assert await process.wait() == 0


async def test_a_taken_port_is_one_clear_line(environment: dict[str, str]) -> None:
    async with started(environment):
        code, _, err = await run(env=environment)
    assert code == 1
    assert f"cannot listen on {environment['MANAGER_BIND']}" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("changed", "code", "says"),
    [
        ({"DATABASE_URL": "postgresql:///x?host=/nowhere"}, 1, "database"),
        ({"MANAGER_BIND": "0.0.0.0:1"}, 1, "set-password"),
        ({"MANAGER_SECRET_KEY": "AAAA"}, 1, "secret key"),
        ({"MANAGER_LOG_LEVEL": "loud"}, 78, "MANAGER_LOG_LEVEL"),
    ],
)
async def test_what_prevents_a_start_is_said_in_one_line(
    environment: dict[str, str], changed: dict[str, str], code: int, says: str
) -> None:
    ended, _, err = await run(env=environment | changed)
    assert ended == code
    assert says in err
    assert "Traceback" not in err


async def test_a_password_set_on_the_database_ends_sessions_and_the_default(
    environment: dict[str, str], db: Db
) -> None:
    await run("mint-session", env=environment)
    code, _, err = await run("set-password", env=environment, stdin=b"a better password\n")
    assert (code, err.count("Traceback")) == (0, 0)
    assert await db.fetchval("select has_default_password from users where username = 'root'") is False
    assert await db.fetchval("select count(*) from sessions") == 0
    code, _, err = await run("set-password", env=environment, stdin=b"short\n")
    assert (code, "8 characters" in err) == (1, True)


async def test_migrate_says_what_it_did_and_openapi_needs_no_database(environment: dict[str, str]) -> None:
    code, out, _ = await run("migrate", env=environment)
    assert (code, json.loads(out)) == (0, {"applied": []})
    code, out, _ = await run("openapi", env={"PATH": environment["PATH"]})
    assert code == 0
    assert "/v1/auth/login" in json.loads(out)["paths"]


def _nothing(**_: str) -> None: ...


def test_a_database_that_goes_away_at_the_start_is_one_line(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """asyncpg has errors for that which are neither an OSError nor PostgreSQL's own."""

    async def lose(_dsn: str) -> list[str]:
        raise asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress")

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["nexus manager", "migrate"])
    monkeypatch.setattr(process, "migrate", lose)
    monkeypatch.setattr(log, "setup", _nothing)
    assert process.main() == 1
    assert capsys.readouterr().err.startswith("nexus manager: the database cannot be used: cannot switch")
