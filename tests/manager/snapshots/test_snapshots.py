"""Snapshots over HTTP: their life from being taken to being gone, whose they are, and what keeps them."""

import asyncio
import json
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, refused, until, vm_of
from tests.manager.snapshots.acting import in_state, named, snapshot_of, take

from nexus.agent.vmm.fake import FakeVmm
from nexus.agent.vmm.port import VmmTrouble
from nexus.kit.db import Db
from nexus.manager.snapshots.repository import ITEM
from nexus.manager.snapshots.schemas import SnapshotBody, SnapshotItem, SnapshotList, TreeItem
from nexus.protocol.hosts import Offer


@pytest.mark.parametrize("state", ["running", "paused", "stopped"])
async def test_a_vm_is_left_as_it_was(host: JoinedHost, user: httpx.AsyncClient, state: str) -> None:
    vm_id = await in_state(user, state)
    snapshot_id = await take(user, vm_id, name="before", description="For safety")
    body = ok(await user.get(f"/v1/snapshots/{snapshot_id}"))
    SnapshotItem.model_validate(body, extra="forbid")
    item = body["item"]
    assert (item["state"], item["name"], item["vm_id"], item["vm_name"]) == ("completed", "before", str(vm_id), "web-1")
    assert item["has_memory"] is (state != "stopped")
    assert len(item["checksum"]) == 64
    assert (item["mem_path"] is not None, item["pins"] is not None) == (item["has_memory"], item["has_memory"])
    assert (await vm_of(user, vm_id))["state"] == state
    assert ok(await user.delete(f"/v1/snapshots/{snapshot_id}", params={"wait": 30}))["status"] == "done"
    assert refused(await user.get(f"/v1/snapshots/{snapshot_id}"), 404)["code"] == "snapshot_not_found"
    refused(await user.delete(f"/v1/snapshots/{snapshot_id}"), 404)


async def test_what_was_taken_outlives_its_vm_and_goes_from_its_host_when_deleted(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user)
    snapshot_id = await take(user, vm_id)
    memory = Path((await snapshot_of(user, snapshot_id))["mem_path"])
    ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))
    item = await snapshot_of(user, snapshot_id)
    assert (item["state"], item["vm_id"], item["vm_name"]) == ("completed", None, "web-1")
    assert memory.exists()
    ok(await user.delete(f"/v1/snapshots/{snapshot_id}", params={"wait": 30}))
    assert not memory.exists()


async def test_without_a_name_it_is_called_after_its_vm_and_can_be_called_otherwise(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user)
    first, second = await take(user, vm_id), await take(user, vm_id)
    found = await named(user)
    assert len(found) == 2
    assert all(name.startswith("web-1-20") for name in found)
    seen = (await user.get(f"/v1/snapshots/{first}")).headers["etag"]
    path = f"/v1/snapshots/{first}"
    ok(await user.patch(path, json={"name": "Before", "description": "x"}, headers={"If-Match": seen}))
    for answer in (
        await user.patch(path, json={"name": "other"}, headers={"If-Match": seen}),
        await user.delete(path, headers={"If-Match": seen}),
    ):
        assert refused(answer, 412)["code"] == "stale"
    taken = await user.patch(f"/v1/snapshots/{second}", json={"name": "Before"})
    assert refused(taken, 409)["code"] == "snapshot_name_taken"
    again = await user.post(f"/v1/vms/{vm_id}/snapshots", json={"name": "Before"})
    assert refused(again, 409)["code"] == "snapshot_name_taken"
    refused(await user.patch(path, json={"name": None}), 422)
    both = [user.patch(f"/v1/snapshots/{one}", json={"name": "both"}) for one in (first, second)]
    assert sorted(answer.status_code for answer in await asyncio.gather(*both)) == [200, 409]


async def test_nobody_elses_snapshots_are_there(
    host: JoinedHost,
    user: httpx.AsyncClient,
    other_user: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    admin: httpx.AsyncClient,
) -> None:
    vm_id = await create(user)
    snapshot_id = await take(user, vm_id, name="mine")
    path, of_vm = f"/v1/snapshots/{snapshot_id}", f"/v1/vms/{vm_id}"
    for answer in (
        await other_user.get(path),
        await other_user.patch(path, json={"name": "yours"}),
        await other_user.delete(path),
        await other_user.post(f"{path}/instantiate", json={}),
        await other_user.get(f"{of_vm}/snapshots"),
        await other_user.get(f"{of_vm}/snapshots/tree"),
        await other_user.post(f"{of_vm}/snapshots", json={}),
        await other_user.post(f"{of_vm}/clone", json={}),
        await other_user.post(f"{of_vm}/suspend"),
        await other_user.post(f"{of_vm}/rollback", json={"snapshot_id": str(snapshot_id)}),
    ):
        refused(answer, 404)
    other_vm = await create(other_user, "web-2")
    stolen = await other_user.post(f"/v1/vms/{other_vm}/rollback", json={"snapshot_id": str(snapshot_id)})
    assert refused(stolen, 404)["code"] == "snapshot_not_found"
    assert await named(other_user) == []
    assert await named(viewer) == await named(admin) == ["mine"]
    refused(await viewer.post(f"{of_vm}/snapshots", json={}), 403)
    refused(await viewer.delete(path), 403)


async def test_lists_have_pages_sorts_and_filters(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id, other = await create(user), await create(user, "db-1")
    for name in ("c", "a", "b"):
        await take(user, vm_id, name=name)
    await take(user, other, name="d", description="of the database")
    first = ok(await user.get("/v1/snapshots", params={"sort": "name", "limit": 3}))
    SnapshotList.model_validate(first, extra="forbid")
    rest = ok(await user.get("/v1/snapshots", params={"sort": "name", "limit": 3, "cursor": first["next_cursor"]}))
    assert [item["name"] for item in first["items"] + rest["items"]] == ["a", "b", "c", "d"]
    assert rest["next_cursor"] is None
    assert await named(user, sort="-created_at") == ["d", "b", "a", "c"]
    assert await named(user, q="DATABASE") == await named(user, vm_id=str(other)) == ["d"]
    assert await named(user, name="a") == ["a"]
    assert await named(user, state="failed") == []
    of_vm = ok(await user.get(f"/v1/vms/{vm_id}/snapshots", params={"sort": "name"}))
    assert [item["name"] for item in of_vm["items"]] == ["a", "b", "c"]
    found = ok(await user.get(f"/v1/vms/{vm_id}/snapshots", params={"name": "b", "q": "WEB", "state": "completed"}))
    assert [item["name"] for item in found["items"]] == ["b"]
    refused(await user.get(f"/v1/vms/{uuid4()}/snapshots"), 404)


async def test_asked_for_twice_under_one_key_it_is_taken_once(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user)
    key = {"Idempotency-Key": "once"}
    answers = [ok(await user.post(f"/v1/vms/{vm_id}/snapshots", json={"name": "one"}, headers=key)) for _ in range(2)]
    assert answers[0] == answers[1]
    assert await named(user) == ["one"]
    await until(lambda: _is_at(user, UUID(answers[0]["id"]), "completed"))
    clones = [
        ok(await user.post(f"/v1/vms/{vm_id}/clone", json={"count": 2}, headers={"Idempotency-Key": "clones"}))
        for _ in range(2)
    ]
    assert clones[0] == clones[1]
    assert len(ok(await user.get("/v1/vms"))["items"]) == 3


async def test_every_change_is_on_record_and_told(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user)
    snapshot_id = await take(user, vm_id, name="one")
    ok(await user.patch(f"/v1/snapshots/{snapshot_id}", json={"description": "x"}))
    ok(await user.delete(f"/v1/snapshots/{snapshot_id}", params={"wait": 30}))
    verbs = await db.fetch(
        "select verb, actor_name, subject_name from audit where subject_id = $1 order by at", snapshot_id
    )
    assert [tuple(row) for row in verbs] == [(verb, "ada", "one") for verb in ("create", "edit", "delete")]
    told = await db.fetch(
        "select e.type, u.username from events e join users u on u.id = e.owner_user_id "
        "where e.subject_id = $1 order by e.seq",
        snapshot_id,
    )
    assert {row["username"] for row in told} == {"ada"}
    types = [row["type"] for row in told]
    assert (types[0], types[-1]) == ("snapshot.created", "snapshot.deleted")
    assert set(types[1:-1]) == {"snapshot.updated"}


async def test_only_what_is_promised_is_taken(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user)
    path = f"/v1/vms/{vm_id}/snapshots"
    answer = refused(await user.post(path, json={"track_dirty_pages": True}), 409)
    assert (answer["code"], "Leave track_dirty_pages out" in answer["suggestion"]) == ("not_offered", True)
    ok(await user.post(path, json={"snapshot_type": "FULL", "track_dirty_pages": False}, params={"wait": 30}))
    for wanted in ({"snapshot_type": "Half"}, {"name": "../x"}, {"keep_last": 0}, {"size": 1}):
        refused(await user.post(path, json=wanted), 422)
    never = await create(user, "web-2", start=False)
    assert refused(await user.post(f"/v1/vms/{never}/snapshots", json={}), 409)["code"] == "never_started"


async def test_a_host_that_makes_none_is_asked_for_none(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user)
    snapshot_id = await take(user, vm_id)
    await db.execute(
        "update hosts set facts = jsonb_set(facts, '{offers}', (facts -> 'offers') - $1::text)", Offer.SNAPSHOT.value
    )
    await host.reporting.stop()
    for path, body in (
        ("snapshots", {}),
        ("clone", {}),
        ("suspend", None),
        ("rollback", {"snapshot_id": str(snapshot_id)}),
    ):
        answer = refused(await user.post(f"/v1/vms/{vm_id}/{path}", json=body), 409)
        assert answer["code"] == "not_offered"
        assert "offers" in answer["suggestion"]
    refusals = {action["verb"]: action["refusal"] for action in (await vm_of(user, vm_id))["actions"]}
    assert "makes no snapshots" in refusals["snapshot"]
    nowhere = refused(await user.post(f"/v1/snapshots/{snapshot_id}/instantiate", json={}), 503)
    assert nowhere["code"] == "no_room"


async def test_one_that_cannot_be_taken_says_why_leaves_the_vm_and_can_be_deleted(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = await create(user)

    async def save(*_: object, **__: object) -> None:
        raise VmmTrouble("no space left on the device")

    monkeypatch.setattr(FakeVmm, "save", save)
    answer = refused(await user.post(f"/v1/vms/{vm_id}/snapshots", json={"name": "one"}, params={"wait": 30}), 502)
    assert answer["code"] == "snapshot_failed"
    assert "no space left" in answer["error"]
    item = await snapshot_of(user, UUID(answer["id"]))
    assert (item["state"], item["operation_id"]) == ("failed", None)
    assert "no space left" in item["fault"]
    vm = await vm_of(user, vm_id)
    assert (vm["state"], vm["guest"]) == ("running", "ready")
    refused(await user.post(f"/v1/snapshots/{answer['id']}/instantiate", json={}), 409)
    ok(await user.delete(f"/v1/snapshots/{answer['id']}", params={"wait": 30}))


async def test_nothing_is_being_taken_for_ever(
    host: JoinedHost, user: httpx.AsyncClient, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id, released = await create(user), asyncio.Event()

    async def save(*_: object, **__: object) -> None:
        await released.wait()
        raise VmmTrouble("it came to nothing")

    monkeypatch.setattr(FakeVmm, "save", save)
    answer = ok(await user.post(f"/v1/vms/{vm_id}/snapshots", json={}))
    blocked = refused(await user.delete(f"/v1/snapshots/{answer['id']}"), 409)
    assert blocked["code"] == "snapshot_state_conflict"
    await db.execute("update flows set deadline = now()")
    await db.execute("update operations set deadline = now() where status = 'running'")
    await until(lambda: _is_at(user, UUID(answer["id"]), "failed"))
    ended = ok(await user.get(f"/v1/operations/{answer['operation_id']}"))["item"]
    assert (ended["status"], ended["error"]["code"]) == ("failed", "snapshot_overdue")
    released.set()
    ok(await user.delete(f"/v1/snapshots/{answer['id']}", params={"wait": 30}))


async def test_only_so_many_of_a_vm_are_kept(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id, other = await create(user), await create(user, "db-1")
    await take(user, other, name="other")
    for name in ("one", "two", "three"):
        await take(user, vm_id, name=name)
    await take(user, vm_id, name="four", keep_last=2)
    await until(lambda: _are_there(user, ["four", "other", "three"]))


async def test_an_image_stays_while_a_snapshot_needs_it(
    host: JoinedHost, user: httpx.AsyncClient, admin: httpx.AsyncClient, images: dict[str, str]
) -> None:
    vm_id = await create(user)
    snapshot_id = await take(user, vm_id, name="one")
    ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))
    answer = refused(await admin.delete(f"/v1/images/{images['rootfs']}"), 409)
    assert (answer["code"], "snapshots need it (one)" in answer["error"]) == ("image_in_use", True)
    ok(await user.delete(f"/v1/snapshots/{snapshot_id}", params={"wait": 30}))
    ok(await admin.delete(f"/v1/images/{images['rootfs']}"))


async def test_what_is_lost_with_its_host_says_so_and_can_be_forgotten(
    host: JoinedHost, user: httpx.AsyncClient, admin: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user)
    snapshot_id = await take(user, vm_id, name="one")
    host_id = await db.fetchval("select id from hosts")
    in_use = refused(await admin.delete(f"/v1/hosts/{host_id}"), 409)
    assert "1 machine and 1 snapshot are on it" in in_use["error"]
    await host.reporting.stop()
    await db.execute("update hosts set silent_since = now(), last_seen_at = now() - interval '1 hour'")
    ok(await admin.post(f"/v1/hosts/{host_id}/abandon", json={"name": "host-1"}))
    await until(lambda: _is_at(user, snapshot_id, "failed"))
    assert "given up" in (await snapshot_of(user, snapshot_id))["fault"]
    ok(await user.delete(f"/v1/snapshots/{snapshot_id}", params={"wait": 30}))
    ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))
    ok(await admin.delete(f"/v1/hosts/{host_id}"))


async def test_snapshots_of_a_vm_are_a_tree(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user)
    one = await take(user, vm_id, name="one")
    two = await take(user, vm_id, name="two")
    ok(await user.post(f"/v1/vms/{vm_id}/rollback", json={"snapshot_id": str(one)}, params={"wait": 30}))
    three = await take(user, vm_id, name="three")
    made = ok(await user.post(f"/v1/snapshots/{two}/instantiate", json={"name": "web-2"}, params={"wait": 30}))
    body = ok(await user.get(f"/v1/vms/{vm_id}/snapshots/tree"))
    TreeItem.model_validate(body, extra="forbid")
    tree = body["item"]
    assert [(node["name"], node["parent_id"], node["is_current"]) for node in tree["snapshots"]] == [
        ("one", None, False),
        ("two", str(one), False),
        ("three", str(one), True),
    ]
    assert [[vm["id"] for vm in node["vms"]] for node in tree["snapshots"]] == [[], [made["id"]], []]
    assert tree["size_bytes"] == sum(node["size_bytes"] for node in tree["snapshots"])
    ok(await user.delete(f"/v1/snapshots/{one}", params={"wait": 30}))
    after = ok(await user.get(f"/v1/vms/{vm_id}/snapshots/tree"))["item"]
    assert [(node["id"], node["parent_id"]) for node in after["snapshots"]] == [(str(two), None), (str(three), None)]


async def test_the_columns_are_those_of_the_description(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user)
    item = await snapshot_of(user, await take(user, vm_id))
    assert list(item) == list(SnapshotBody.model_fields)
    assert all(f"'{field}'" in ITEM for field in SnapshotBody.model_fields)


async def test_what_is_stored_with_one_holds_no_password(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user, password="hunter22")
    await take(user, vm_id)
    stored = json.dumps(dict(await db.fetchrow("select to_jsonb(s) as row from snapshots s") or {}))
    hashed = await db.fetchval("select password_hash from vms where id = $1", vm_id)
    assert "hunter22" not in stored
    assert hashed not in stored


async def test_room_is_kept_for_it_until_its_size_is_known(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user)
    await db.execute("update hosts set disk_bytes = 4 << 20")
    answer = refused(await user.post(f"/v1/vms/{vm_id}/snapshots", json={}), 503)
    assert answer["code"] == "no_room"
    assert "disk" in answer["fault_message"]
    assert await machine_of(db, vm_id)


async def _is_at(client: httpx.AsyncClient, snapshot_id: UUID, state: str) -> bool:
    return (await snapshot_of(client, snapshot_id))["state"] == state


async def _are_there(client: httpx.AsyncClient, names: list[str]) -> bool:
    return sorted(await named(client)) == names
