"""One verb for many VMs: what becomes of each, and of all together."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, ok, refused, until, vm_of

from nexus.kit.db import Db
from nexus.kit.problems import Conflict
from nexus.manager.access import Actor
from nexus.manager.access.models import Role
from nexus.manager.bulks import repository
from nexus.manager.bulks.models import BulkVerb
from nexus.manager.bulks.schemas import BulkDone, BulkItem

PATH = "/v1/vms/bulk"


async def bulk(client: httpx.AsyncClient, verb: str, *, wait: float | None = 60, **body: Any) -> dict[str, Any]:
    query = {} if wait is None else {"wait": wait}
    answer = ok(await client.post(PATH, json={"verb": verb, **body}, params=query))
    BulkDone.model_validate(answer, extra="forbid")
    return answer


def statuses(answer: dict[str, Any]) -> list[str]:
    return [item["status"] for item in answer["bulk"]["items"]]


async def make(client: httpx.AsyncClient, count: int, **fields: Any) -> list[str]:
    """So many VMs that are off."""
    return [str(await create(client, f"vm-{number}", start=False, **fields)) for number in range(count)]


async def test_each_verb_leads_all_of_them_there(host: JoinedHost, user: httpx.AsyncClient) -> None:
    ids = await make(user, 3)
    for verb, state in (("start", "running"), ("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        answer = await bulk(user, verb, ids=ids)
        assert (answer["status"], statuses(answer)) == ("done", ["done"] * 3)
        assert answer["operation"]["progress"] == 100
        assert [(await vm_of(user, UUID(vm_id)))["state"] for vm_id in ids] == [state] * 3
    answer = await bulk(user, "delete", ids=ids)
    assert (answer["status"], statuses(answer)) == ("done", ["done"] * 3)
    assert ok(await user.get("/v1/vms"))["items"] == []


async def test_what_is_there_already_is_left_alone(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    ids = await make(user, 2)
    ok(await user.post(f"/v1/vms/{ids[0]}/start", params={"wait": 60}))
    answer = await bulk(user, "start", ids=ids)
    assert (answer["status"], statuses(answer)) == ("done", ["unchanged", "done"])
    again = await bulk(user, "start", ids=ids)
    assert (again["status"], statuses(again)) == ("done", ["unchanged", "unchanged"])
    boots = await db.fetch("select boot from machines order by id")
    assert [row["boot"] for row in boots] == [1, 1]


async def test_one_that_is_refused_keeps_none_of_the_others(
    host: JoinedHost, user: httpx.AsyncClient, other_user: httpx.AsyncClient
) -> None:
    [theirs] = await make(other_user, 1)
    off, on = await create(user, "off-1", start=False), await create(user, "on-1")
    nobody = str(uuid4())
    answer = await bulk(user, "pause", ids=[str(off), theirs, nobody, str(on), str(on)])
    assert answer["status"] == "failed"
    assert answer["operation"]["error"]["code"] == "bulk_incomplete"
    assert answer["operation"]["error"]["error"] == "Of 4 VMs, 3 did not pause."
    items = {item["vm_id"]: item for item in answer["bulk"]["items"]}
    assert [item["vm_id"] for item in answer["bulk"]["items"]] == [str(off), theirs, nobody, str(on)]
    assert items[str(off)]["error"]["code"] == "vm_state_conflict"
    assert items[str(off)]["error"]["error"] == "Cannot pause off-1: it is off."
    for hidden in (theirs, nobody):
        assert (items[hidden]["name"], items[hidden]["error"]["code"]) == ("", "vm_not_found")
    assert (items[str(on)]["status"], items[str(on)]["error"]) == ("done", None)
    assert (await vm_of(other_user, UUID(theirs)))["state"] == "stopped"


async def test_a_filter_means_what_the_list_means(
    host: JoinedHost, user: httpx.AsyncClient, other_user: httpx.AsyncClient
) -> None:
    await create(user, "blue-1", start=False, tags=["blue", "web"])
    await create(user, "blue-2", start=False, tags=["blue"])
    await create(user, "red-1", start=False, tags=["red"])
    await create(other_user, "blue-3", start=False, tags=["blue"])
    for meant, names in (
        ({"tag": ["blue"]}, ["blue-1", "blue-2"]),
        ({"tag": ["blue", "web"]}, ["blue-1"]),
        ({"q": "RED"}, ["red-1"]),
        ({"state": ["running"]}, []),
    ):
        answer = await bulk(user, "stop", filter=meant)
        assert [item["name"] for item in answer["bulk"]["items"]] == names
        assert (answer["status"], answer["bulk"]["total"]) == ("done", len(names))


async def test_the_answer_comes_before_the_deed_and_can_be_followed(
    host: JoinedHost, user: httpx.AsyncClient, other_user: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    ids = await make(user, 2)
    answer = await bulk(user, "start", ids=ids, wait=None)
    path = f"{PATH}/{answer['bulk']['id']}"
    ended = ok(await user.get(f"/v1/operations/{answer['operation_id']}", params={"wait": 60}))["item"]
    assert (ended["status"], ended["subject_kind"], ended["subject_name"], ended["verb"]) == (
        *("done", "bulk", "2 VMs", "start"),
    )
    found = ok(await user.get(path))
    BulkItem.model_validate(found, extra="forbid")
    assert [item["status"] for item in found["item"]["items"]] == ["done", "done"]
    for item in found["item"]["items"]:
        own = ok(await user.get(f"/v1/operations/{item['operation_id']}"))["item"]
        assert (own["status"], own["subject_id"]) == ("done", item["vm_id"])
    assert ok(await viewer.get(path)) == found
    assert refused(await other_user.get(path), 404)["code"] == "bulk_not_found"
    refused(await viewer.post(PATH, json={"verb": "stop", "ids": ids}), 403)


async def test_the_same_request_again_gets_the_first_answer(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    ids = await make(user, 2)
    headers, wanted = {"Idempotency-Key": "once"}, {"verb": "start", "ids": ids}
    waiting: dict[str, Any] = {"json": wanted, "headers": headers, "params": {"wait": 60}}
    answers = await asyncio.gather(*(user.post(PATH, **waiting) for _ in range(4)))
    answers.append(await user.post(PATH, **waiting))
    told = [BulkDone.model_validate(ok(one)) for one in answers if one.is_success]
    assert len({(one.operation_id, one.bulk.id) for one in told}) == 1
    assert all([item.vm_id for item in one.bulk.items] == [UUID(vm_id) for vm_id in ids] for one in told)
    assert all(one.status_code in (200, 409) for one in answers)
    assert await db.fetchval("select count(*) from bulks") == 1


async def test_a_bulk_tells_how_far_it_is(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    ids = await make(user, 2)
    host.vmm.boot_s = 3600
    slow = await bulk(user, "start", ids=ids[:1], wait=None)
    await until(lambda: _is(user, slow, "running"), within_s=60)
    both = await bulk(user, "start", ids=[*ids, str(uuid4())], wait=None)
    operation = await until(lambda: _progress(user, both), within_s=60)
    assert (operation["status"], operation["progress"]) == ("running", 66)


async def _is(client: httpx.AsyncClient, answer: dict[str, Any], status: str) -> bool:
    found = ok(await client.get(f"{PATH}/{answer['bulk']['id']}"))["item"]
    return found["items"][0]["status"] == status


async def _progress(client: httpx.AsyncClient, answer: dict[str, Any]) -> dict[str, Any] | None:
    operation = ok(await client.get(f"/v1/operations/{answer['operation_id']}"))["item"]
    return operation if operation["progress"] else None


async def test_who_is_no_user_any_more_moves_nothing(
    host: JoinedHost, user: httpx.AsyncClient, admin: httpx.AsyncClient, db: Db
) -> None:
    ids = await make(admin, 1)
    me = UUID(ok(await admin.get("/v1/auth/me"))["item"]["id"])
    bulk_id = uuid4()
    async with db.transaction() as tx:
        await repository.add(
            tx,
            bulk_id,
            actor=Actor(me, "root", Role.ADMIN),
            verb=BulkVerb.DELETE,
            grace_s=0,
            vm_ids=[UUID(ids[0])],
            unknown=Conflict("unknown"),
        )
        await tx.execute("update bulks set created_by_user_id = null where id = $1", bulk_id)
        await tx.execute(
            "insert into flows (subject_kind, subject_id, flow, step, wake_at) "
            "values ('bulk', $1, 'bulk', 'decide', now())",
            bulk_id,
        )
        tx.notify("flows")

    async def error() -> Any:
        return await db.fetchval("select error from bulk_items where bulk_id = $1", bulk_id)

    assert (await until(error, within_s=60))["code"] == "owner_gone"
    assert (await vm_of(admin, UUID(ids[0])))["state"] == "stopped"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"verb": "stop"},
        {"verb": "stop", "ids": []},
        {"verb": "stop", "ids": ["web-1"]},
        {"verb": "stop", "ids": [1]},
        {"verb": "stop", "ids": None, "filter": None},
        {"verb": "stop", "ids": [str(UUID(int=number)) for number in range(1001)]},
        {"verb": "stop", "filter": {}},
        {"verb": "stop", "filter": {"q": ""}},
        {"verb": "stop", "filter": {"state": ["off"]}},
        {"verb": "stop", "filter": {"tag": ["a b"]}},
        {"verb": "stop", "filter": {"tag": ["a"]}, "ids": [str(UUID(int=1))]},
        {"verb": "reboot", "ids": [str(UUID(int=1))]},
        {"verb": "Stop", "ids": [str(UUID(int=1))]},
        {"verb": "stop", "ids": [str(UUID(int=1))], "grace_s": 601},
        {"verb": "stop", "ids": [str(UUID(int=1))], "grace_s": -1},
        {"verb": "stop", "ids": [str(UUID(int=1))], "force": True},
    ],
)
async def test_what_is_no_bulk_is_refused(user: httpx.AsyncClient, db: Db, body: dict[str, Any]) -> None:
    refused(await user.post(PATH, json=body), 422)
    assert await db.fetchval("select count(*) from bulks") == 0


async def test_a_bulk_is_on_record_with_each_of_its_vms(
    host: JoinedHost, user: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    ids = await make(user, 2)
    await bulk(user, "delete", ids=ids)
    trail = ok(await admin.get("/v1/audit", params={"sort": "at", "limit": 200}))["items"]
    told = [(row["subject_kind"], row["actor_name"]) for row in trail if row["verb"] == "delete"]
    assert told == [("bulk", "ada"), ("vm", "ada"), ("vm", "ada")]
