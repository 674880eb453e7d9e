"""Idempotency-Key: asking twice changes once, whatever goes wrong in between."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from fastapi import APIRouter
from pydantic import BaseModel

from nexus.kit.db import Db
from nexus.kit.http import provide, provided
from nexus.kit.ids import new_id
from nexus.kit.problems import NameTaken
from nexus.local import postgres as embedded
from nexus.manager import wiring
from nexus.manager.access import Operator
from nexus.manager.operations import Created, Operations, Wait
from nexus.manager.settings import ManagerSettings
from nexus.manager.subjects import Subject
from nexus.manager.wiring import Manager, running

router = APIRouter(prefix="/v1/jars", tags=["jars"])


class Jar(BaseModel):
    name: str


class Shelf:
    """A slice as small as can be: jars with unique names, made under an operation or without one."""

    def __init__(self, db: Db, operations: Operations) -> None:
        self.db, self.operations = db, operations
        self.crash_after_commit = False
        self.hold = asyncio.Event()
        self.hold.set()


Jars = Annotated[Shelf, provided(Shelf)]


async def _insert(shelf: Shelf, tx: Any, name: str) -> Subject:
    jar = Subject("jar", new_id(), name)
    tag = await tx.execute("insert into jars values ($1, $2) on conflict do nothing", jar.id, name)
    if tag == "INSERT 0 0":
        raise NameTaken(f"There is a jar {name} already.")
    return jar


@router.post("")
async def create_jar(wanted: Jar, actor: Operator, shelf: Jars, wait: Wait = None) -> Created:
    async with shelf.db.transaction() as tx:
        jar = await _insert(shelf, tx, wanted.name)
        operation = await shelf.operations.open(tx, jar, verb="create", generation=1, actor=actor)
    if shelf.crash_after_commit:
        raise RuntimeError("the process dies here")
    return await shelf.operations.created(jar.id, operation, wait=wait)


@router.post("/plain")
async def create_plain_jar(wanted: Jar, actor: Operator, shelf: Jars) -> dict[str, str]:
    async with shelf.db.transaction() as tx:
        jar = await _insert(shelf, tx, wanted.name)
    await shelf.hold.wait()
    return {"id": str(jar.id), "secret": "s3cret"}


@pytest.fixture
async def manager(manager_settings: ManagerSettings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Manager]:
    monkeypatch.setattr(wiring, "ROUTERS", [*wiring.ROUTERS, router])
    async with running(manager_settings, builders=[]) as made:
        await made.platform.db.execute("create table jars (id uuid primary key, name text unique)")
        yield made


@pytest.fixture
def shelf(manager: Manager) -> Shelf:
    made = Shelf(manager.platform.db, manager.platform.operations)
    provide(manager.app, made)
    return made


async def jars(db: Db) -> int:
    return await db.fetchval("select count(*) from jars")


async def test_100_concurrent_replays_make_exactly_one(user: httpx.AsyncClient, shelf: Shelf, db: Db) -> None:
    headers = {"Idempotency-Key": "k1"}
    answers = await asyncio.gather(*(user.post("/v1/jars", json={"name": "plum"}, headers=headers) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({(answer.json()["id"], answer.json()["operation_id"]) for answer in answers}) == 1
    assert await jars(db) == 1
    assert await db.fetchval("select count(*) from operations") == 1


async def test_a_replay_gets_the_first_answer_though_the_process_died_before_answering(
    user: httpx.AsyncClient, shelf: Shelf, db: Db
) -> None:
    headers = {"Idempotency-Key": "k1"}
    shelf.crash_after_commit = True
    assert (await user.post("/v1/jars", json={"name": "plum"}, headers=headers)).status_code == 500
    shelf.crash_after_commit = False
    again = await user.post("/v1/jars", json={"name": "plum"}, headers=headers)
    assert again.status_code == 200
    assert again.json()["id"] == str(await db.fetchval("select id from jars"))
    assert again.json()["operation_id"] == str(await db.fetchval("select id from operations"))


async def test_waiting_differently_is_still_the_same_request(user: httpx.AsyncClient, shelf: Shelf) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = await user.post("/v1/jars?wait=0", json={"name": "plum"}, headers=headers)
    again = await user.post("/v1/jars?wait=1", json={"name": "plum"}, headers=headers)
    assert first.json()["status"] == "running"
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")


async def test_another_body_or_path_under_the_key_is_a_conflict(user: httpx.AsyncClient, shelf: Shelf, db: Db) -> None:
    headers = {"Idempotency-Key": "k1"}
    await user.post("/v1/jars", json={"name": "plum"}, headers=headers)
    for path, name in (("/v1/jars", "pear"), ("/v1/jars/plain", "plum")):
        answer = await user.post(path, json={"name": name}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")
    assert await jars(db) == 1


async def test_keys_belong_to_users(
    user: httpx.AsyncClient, other_user: httpx.AsyncClient, shelf: Shelf, db: Db
) -> None:
    headers = {"Idempotency-Key": "k1"}
    await user.post("/v1/jars", json={"name": "plum"}, headers=headers)
    assert (await other_user.post("/v1/jars", json={"name": "pear"}, headers=headers)).status_code == 200
    assert await jars(db) == 2


async def test_a_refused_request_leaves_its_key_free(user: httpx.AsyncClient, shelf: Shelf, db: Db) -> None:
    headers = {"Idempotency-Key": "k1"}
    await user.post("/v1/jars", json={"name": "plum"})
    assert (await user.post("/v1/jars", json={"name": "plum"}, headers=headers)).status_code == 409
    await db.execute("delete from jars")
    assert (await user.post("/v1/jars", json={"name": "plum"}, headers=headers)).status_code == 200


async def test_a_replay_while_the_first_is_unanswered_is_told_so(user: httpx.AsyncClient, shelf: Shelf, db: Db) -> None:
    headers = {"Idempotency-Key": "k1"}
    shelf.hold.clear()
    first = asyncio.create_task(user.post("/v1/jars/plain", json={"name": "plum"}, headers=headers))
    async with asyncio.timeout(60):
        while not await jars(db):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    meanwhile = await user.post("/v1/jars/plain", json={"name": "plum"}, headers=headers)
    assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "idempotency_answer_unknown")
    shelf.hold.set()
    answered = await first
    later = await user.post("/v1/jars/plain", json={"name": "plum"}, headers=headers)
    assert (later.status_code, later.content) == (200, answered.content)


async def test_answers_are_kept_sealed(user: httpx.AsyncClient, shelf: Shelf, db: Db) -> None:
    await user.post("/v1/jars/plain", json={"name": "plum"}, headers={"Idempotency-Key": "k1"})
    kept = await db.fetchval("select response from idempotency_keys")
    assert kept is not None
    assert b"s3cret" not in kept


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "ümlaut"])
async def test_a_malformed_key_is_refused(user: httpx.AsyncClient, shelf: Shelf, db: Db, key: str) -> None:
    answer = await user.post("/v1/jars", json={"name": "plum"}, headers={b"Idempotency-Key": key.encode()})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")
    assert "Idempotency-Key" in answer.json()["error"]
    assert await jars(db) == 0


async def test_an_answer_that_cannot_be_kept_is_given_all_the_same(
    user: httpx.AsyncClient, shelf: Shelf, postgres_server: embedded.Postgres
) -> None:
    """The change is made; losing the database after that must not make a failure of it."""
    shelf.hold.clear()
    asking = asyncio.create_task(user.post("/v1/jars/plain", json={"name": "late"}, headers={"Idempotency-Key": "k"}))
    admin = await asyncpg.connect(postgres_server.url())
    name = urlsplit(shelf.db.dsn).path.strip("/")
    try:
        async with asyncio.timeout(60):
            while not await shelf.db.fetchval("select exists (select from jars)"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await admin.execute(f"alter database {name} with allow_connections false")
        await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        shelf.hold.set()
        answer = await asking
        assert (answer.status_code, answer.json()["secret"]) == (200, "s3cret")
    finally:
        await admin.execute(f"alter database {name} with allow_connections true")
        await admin.close()
