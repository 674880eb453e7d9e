"""Operations: promises about generations, awaited without polling."""

import asyncio

import httpx
import pytest

from nexus.kit.db import Db
from nexus.kit.ids import new_id
from nexus.kit.problems import NoCapacity
from nexus.manager.access.models import Actor, Role
from nexus.manager.operations import Operation, OperationBody, Operations, Status
from nexus.manager.operations.errors import OperationFailed, Superseded
from nexus.manager.subjects import Subject
from nexus.manager.users import repository as users
from nexus.manager.wiring import Manager


@pytest.fixture
def operations(manager: Manager) -> Operations:
    return manager.platform.operations


@pytest.fixture
def subject() -> Subject:
    return Subject("vm", new_id(), "web-1")


async def actor(db: Db, username: str) -> Actor:
    user = await users.find_by_name(db, username)
    assert user is not None
    return Actor(user.id, user.username, Role(user.role))


async def opened(
    manager: Manager, subject: Subject, *, generation: int = 1, by: str = "ada", verb: str = "start"
) -> Operation:
    platform = manager.platform
    async with platform.db.transaction() as tx:
        who = await actor(platform.db, by)
        return await platform.operations.open(tx, subject, verb=verb, generation=generation, actor=who)


async def status_of(db: Db, operation: Operation) -> str:
    return await db.fetchval("select status from operations where id = $1", operation.id)


async def test_a_newer_wish_supersedes_what_still_runs_for_an_older_one(
    manager: Manager, subject: Subject, db: Db
) -> None:
    older = await opened(manager, subject, generation=1)
    newer = await opened(manager, subject, generation=2, verb="stop")
    assert (await status_of(db, older), await status_of(db, newer)) == ("superseded", "running")


async def test_settling_a_generation_leaves_newer_promises_running(
    manager: Manager, operations: Operations, subject: Subject, db: Db
) -> None:
    operation = await opened(manager, subject, generation=5)
    async with manager.platform.db.transaction() as tx:
        assert await operations.settle(tx, subject, generation=4) == []
    assert await status_of(db, operation) == "running"
    async with manager.platform.db.transaction() as tx:
        [settled] = await operations.settle(tx, subject, generation=5)
    assert (settled.status, settled.progress, settled.finished_at is not None) == (Status.DONE, 100, True)


async def test_progress_never_goes_back_and_tells_only_changes(
    manager: Manager, operations: Operations, subject: Subject, db: Db
) -> None:
    await opened(manager, subject)

    async def told() -> int:
        return await db.fetchval("select count(*) from events where type = 'operation.updated'")

    async def report(percent: int | None, stage: str | None) -> None:
        async with manager.platform.db.transaction() as tx:
            await operations.progress(tx, subject, generation=1, percent=percent, stage=stage)

    await report(40, "booting")
    before = await told()
    await report(40, "booting")
    await report(10, None)
    assert await told() == before
    row = await db.fetchrow("select progress, stage from operations")
    assert row is not None
    assert tuple(row) == (40, "booting")


async def test_waiting_ends_when_the_operation_does(manager: Manager, operations: Operations, subject: Subject) -> None:
    operation = await opened(manager, subject)
    clock = asyncio.get_running_loop().time
    waiting = [asyncio.create_task(operations.wait(operation.id, seconds=30)) for _ in range(20)]
    await asyncio.sleep(0)
    began = clock()
    async with manager.platform.db.transaction() as tx:
        await operations.settle(tx, subject, generation=1)
    ended = await asyncio.gather(*waiting)
    assert {operation.status for operation in ended} == {Status.DONE}
    assert clock() - began < 1


async def test_waiting_asks_the_database_once_and_then_listens(
    manager: Manager, operations: Operations, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = await opened(manager, subject)
    asked: list[str] = []
    fetchrow = Db.fetchrow

    async def counted(self: Db, sql: str, *args: object) -> object:
        if "from operations" in sql:
            asked.append(sql)
        return await fetchrow(self, sql, *args)

    monkeypatch.setattr(Db, "fetchrow", counted)
    assert (await operations.wait(operation.id, seconds=0.5)).status is Status.RUNNING
    assert len(asked) == 2


async def test_nobody_waits_any_more_for_a_process_that_is_to_end(
    manager: Manager, operations: Operations, subject: Subject
) -> None:
    operation = await opened(manager, subject)
    waiting = asyncio.create_task(operations.wait(operation.id, seconds=3600))
    await asyncio.sleep(0)
    operations.close()
    async with asyncio.timeout(60):
        assert (await waiting).status is Status.RUNNING
        assert (await operations.wait(operation.id, seconds=3600)).status is Status.RUNNING


async def test_waiting_survives_the_loss_of_the_listeners_connection(
    manager: Manager, operations: Operations, subject: Subject, db: Db
) -> None:
    operation = await opened(manager, subject)
    waiting = asyncio.create_task(operations.wait(operation.id, seconds=30))
    await asyncio.sleep(0)
    await db.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'nexus listener'")
    async with manager.platform.db.transaction() as tx:
        await operations.settle(tx, subject, generation=1)
    async with asyncio.timeout(25):
        assert (await waiting).status is Status.DONE


async def test_an_action_awaited_answers_with_the_operation_or_its_failure(
    manager: Manager, operations: Operations, subject: Subject
) -> None:
    first = await opened(manager, subject, generation=1)
    running = await operations.done(first, wait=0)
    assert (running.status, running.operation_id, running.operation is not None) == (Status.RUNNING, first.id, True)
    recorded = await operations.done(first, wait=None)
    assert (recorded.status, recorded.operation) == (None, None)
    async with manager.platform.db.transaction() as tx:
        await operations.settle(
            tx, subject, generation=1, problem=NoCapacity("No host has room.", suggestion="Add one.")
        )
    with pytest.raises(OperationFailed) as failed:
        await operations.done(first, wait=1)
    body = failed.value.body("req-1")
    assert (body.status, body.code, body.error, body.suggestion) == (
        503,
        "no_capacity",
        "No host has room.",
        "Add one.",
    )
    assert (body.id, body.operation_id, body.request_id) == (str(subject.id), str(first.id), "req-1")

    second = await opened(manager, subject, generation=2)
    await opened(manager, subject, generation=3, verb="delete")
    with pytest.raises(Superseded):
        await operations.done(second, wait=1)
    nothing = await operations.done(None, wait=1)
    assert (nothing.operation_id, nothing.status) == (None, Status.DONE)


async def test_the_list_is_what_single_operations_say_and_pages_cover_it_once(
    manager: Manager, admin: httpx.AsyncClient
) -> None:
    made = [await opened(manager, Subject("vm", new_id(), f"vm-{n}"), verb="start") for n in range(7)]
    seen: list[dict[str, object]] = []
    cursor: str | None = None
    while True:
        params: dict[str, str | int] = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await admin.get("/v1/operations", params=params)).json()
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [item["id"] for item in seen] == [str(operation.id) for operation in reversed(made)]
    single = (await admin.get(f"/v1/operations/{made[-1].id}")).json()["item"]
    assert OperationBody.model_validate(single) == OperationBody.model_validate(seen[0])
    assert set(single) == set(seen[0])


async def test_users_see_their_own_operations_only(
    manager: Manager, user: httpx.AsyncClient, other_user: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    operation = await opened(manager, Subject("vm", new_id(), "web-1"), by="ada")
    for client, sees in ((user, True), (viewer, True), (other_user, False)):
        assert len((await client.get("/v1/operations")).json()["items"]) == int(sees)
        assert (await client.get(f"/v1/operations/{operation.id}")).status_code == (200 if sees else 404)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"limit": "0"}, 422, "invalid_field"),
        ({"limit": "501"}, 422, "invalid_field"),
        ({"sort": "colour"}, 422, "invalid_field"),
        ({"cursor": "nonsense"}, 400, "bad_cursor"),
        ({"cursor": "W10"}, 400, "bad_cursor"),
        ({"status": "sleepy"}, 422, "invalid_field"),
    ],
)
async def test_a_list_refuses_what_it_cannot_do(
    admin: httpx.AsyncClient, query: dict[str, str], status: int, code: str
) -> None:
    answer = await admin.get("/v1/operations", params=query)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert next(iter(query)) in answer.json()["error"]


async def test_a_cursor_of_another_sort_is_refused(manager: Manager, admin: httpx.AsyncClient) -> None:
    for n in range(2):
        await opened(manager, Subject("vm", new_id(), f"vm-{n}"))
    cursor = (await admin.get("/v1/operations?limit=1&sort=verb")).json()["next_cursor"]
    assert (await admin.get("/v1/operations", params={"cursor": cursor, "sort": "-verb"})).status_code == 400
    assert (await admin.get("/v1/operations", params={"cursor": cursor, "sort": "verb"})).status_code == 200
