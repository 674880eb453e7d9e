"""ETag, If-None-Match and If-Match: nobody changes what they have not seen."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, ok, refused

from nexus.kit.db import Db
from nexus.kit.versions import version_of

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS ada@laptop"
FOREIGN = '"AAAAAAAAAAAAAAAAAAAAAAAA"'


async def version(client: httpx.AsyncClient, path: str) -> str:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["etag"] == version_of(answer.content)
    return answer.headers["etag"]


async def key(client: httpx.AsyncClient) -> str:
    return f"/v1/ssh-keys/{ok(await client.post('/v1/ssh-keys', json={'name': 'laptop', 'public_key': KEY}))['id']}"


async def test_what_is_read_has_a_version_and_is_told_once(
    admin: httpx.AsyncClient, host: JoinedHost, images: dict[str, str]
) -> None:
    vm = ok(await admin.post("/v1/vms", json={"name": "web-1", "start": False}, params={"wait": 30}))
    network = ok(await admin.get("/v1/networks"))["items"][0]["id"]
    paths = [
        f"/v1/vms/{vm['id']}",
        f"/v1/images/{images['kernel']}",
        f"/v1/networks/{network}",
        f"/v1/operations/{vm['operation_id']}",
        await key(admin),
    ]
    for path in paths:
        tag = await version(admin, path)
        for known in (tag, f"W/{tag}", f'{FOREIGN} , "", {tag}', "*"):
            again = await admin.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), path
        for unknown in (FOREIGN, f"W/{FOREIGN}", '""'):
            assert (await admin.get(path, headers={"If-None-Match": unknown})).status_code == 200
        several = [("If-None-Match", FOREIGN), ("If-None-Match", tag)]
        assert (await admin.get(path, headers=several)).status_code == 304
    host_id = ok(await admin.get("/v1/hosts"))["items"][0]["id"]
    assert (await admin.get(f"/v1/hosts/{host_id}")).headers["etag"]


async def test_304_is_only_for_those_who_may_read(user: httpx.AsyncClient, other_user: httpx.AsyncClient) -> None:
    path = await key(user)
    headers = {"If-None-Match": await version(user, path)}
    refused(await other_user.get(path, headers=headers), 404)
    refused(await other_user.patch(path, json={"name": "mine"}, headers={"If-Match": headers["If-None-Match"]}), 404)


VERBS: list[tuple[str, str, dict[str, Any]]] = [
    ("PATCH", "", {"json": {"description": "mine"}}),
    ("POST", "/start", {}),
    ("POST", "/stop", {}),
    ("POST", "/pause", {}),
    ("POST", "/resume", {}),
    ("POST", "/reboot", {}),
    ("DELETE", "", {}),
]


async def test_a_vm_that_is_not_what_one_has_seen_is_left_alone(
    user: httpx.AsyncClient, host: JoinedHost, db: Db
) -> None:
    path = f"/v1/vms/{await create(user)}"
    while True:  # until its host has nothing new to tell of it
        seen = await version(user, path)
        edited = await user.patch(path, json={"description": "another's"}, headers={"If-Match": seen})
        if edited.status_code != 412:
            break
    ok(edited)
    before = await version(user, path)
    assert before != seen
    traces = await _traces(db)
    for method, verb, body in VERBS:
        for unseen in (seen, f"W/{before}", FOREIGN):
            answer = await user.request(method, path + verb, headers={"If-Match": unseen}, **body)
            assert refused(answer, 412)["code"] == "stale", (method, verb)
            assert answer.headers["etag"] == before
            assert before in answer.json()["suggestion"]
    assert await version(user, path) == before
    assert await _traces(db) == traces
    ok(await user.post(f"{path}/stop", json={"grace_s": 0}, headers={"If-Match": f"{FOREIGN}, {before}"}))
    ok(await user.delete(path, headers={"If-Match": "*"}, params={"wait": 30}))
    refused(await user.delete(path, headers={"If-Match": "*"}), 404)


async def _traces(db: Db) -> tuple[int, int, int]:
    row = await db.fetchrow(
        "select (select count(*) from audit), (select count(*) from operations), (select last_seq from event_log)"
    )
    assert row is not None
    return row[0], row[1], row[2]


async def test_of_many_changes_to_one_version_one_is_made(user: httpx.AsyncClient, db: Db) -> None:
    path = await key(user)
    headers = {"If-Match": await version(user, path)}
    answers = await asyncio.gather(*(user.patch(path, json={"name": f"n{n}"}, headers=headers) for n in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 19
    made = next(n for n, answer in enumerate(answers) if answer.status_code == 200)
    assert ok(await user.get(path))["item"]["name"] == f"n{made}"


async def test_changes_within_one_moment_are_versions_of_their_own(user: httpx.AsyncClient, db: Db) -> None:
    path = await key(user)
    key_id = UUID(path.rpartition("/")[2])
    first = await version(user, path)
    await db.execute("update ssh_keys set name = 'other' where id = $1", key_id)  # updated_at stays as it was
    refused(await user.delete(path, headers={"If-Match": first}), 412)
    await db.execute("update ssh_keys set name = 'laptop' where id = $1", key_id)
    ok(await user.delete(path, headers={"If-Match": first}))


async def test_images_go_only_as_seen(admin: httpx.AsyncClient, images: dict[str, str]) -> None:
    path = f"/v1/images/{images['kernel']}"
    assert refused(await admin.delete(path, headers={"If-Match": FOREIGN}), 412)["code"] == "stale"
    ok(await admin.delete(path, headers={"If-Match": await version(admin, path)}))
    refused(await admin.get(path), 404)


@pytest.mark.parametrize("value", ["", "x", '"', '"a" "b"', '"a",', ',"a"', '*, "a"', 'w/"a"', '"a b"', '"\x7f"', "W/"])
async def test_what_is_no_list_of_versions_is_400(user: httpx.AsyncClient, value: str) -> None:
    path = await key(user)
    for method, header, body in (("GET", "If-None-Match", None), ("PATCH", "If-Match", {"name": "n"})):
        answer = await user.request(method, path, headers={header.encode(): value.encode()}, json=body)
        assert refused(answer, 400)["code"] == "malformed"
        assert header in answer.json()["error"]
    assert ok(await user.get(path))["item"]["name"] == "laptop"
