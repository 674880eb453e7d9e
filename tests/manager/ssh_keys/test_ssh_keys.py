"""SSH keys over HTTP: whose they are, what conflicts, what is on record."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from tests.manager.compute.acting import ok, refused
from tests.manager.ssh_keys.acting import ADA, GOOD, LISTED, OTTO

from nexus.kit.db import Db
from nexus.manager.ssh_keys.schemas import SshKeyItem, SshKeyList

PATH = "/v1/ssh-keys"


async def add(client: httpx.AsyncClient, name: str = "laptop", public_key: str = ADA) -> str:
    return ok(await client.post(PATH, json={"name": name, "public_key": public_key}))["id"]


async def names(client: httpx.AsyncClient, **query: Any) -> list[str]:
    return [item["name"] for item in ok(await client.get(PATH, params=query))["items"]]


def another_key() -> str:
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


async def test_a_key_is_kept_renamed_and_forgotten(user: httpx.AsyncClient) -> None:
    key_id = await add(user, public_key=f"\n{ADA}\n")
    body = ok(await user.get(f"{PATH}/{key_id}"))
    SshKeyItem.model_validate(body, extra="forbid")
    item = body["item"]
    assert LISTED[0].startswith(f"{item['bits']} {item['fingerprint']} {item['comment']}")
    assert (item["type"], item["public_key"], item["name"]) == ("ssh-ed25519", ADA, "laptop")
    ok(await user.patch(f"{PATH}/{key_id}", json={"name": "ada@laptop"}))
    after = ok(await user.get(f"{PATH}/{key_id}"))["item"]
    assert after.pop("updated_at") > item.pop("updated_at")
    assert after == item | {"name": "ada@laptop"}
    ok(await user.delete(f"{PATH}/{key_id}"))
    assert refused(await user.get(f"{PATH}/{key_id}"), 404)["code"] == "ssh_key_not_found"
    refused(await user.delete(f"{PATH}/{key_id}"), 404)
    await add(user)


async def test_nobody_elses_keys_are_there(
    user: httpx.AsyncClient, other_user: httpx.AsyncClient, admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    key_id = await add(user)
    refused(await other_user.get(f"{PATH}/{key_id}"), 404)
    refused(await other_user.patch(f"{PATH}/{key_id}", json={"name": "mine"}), 404)
    refused(await other_user.delete(f"{PATH}/{key_id}"), 404)
    assert await names(other_user) == []
    assert await names(viewer) == ["laptop"]
    refused(await viewer.delete(f"{PATH}/{key_id}"), 403)
    ok(await admin.patch(f"{PATH}/{key_id}", json={"name": "seen-by-root"}))
    assert await names(user) == await names(admin) == ["seen-by-root"]
    refused(await user.get(f"{PATH}/{uuid4()}"), 404)


async def test_names_and_keys_are_unique_among_their_owners_alone(
    user: httpx.AsyncClient, other_user: httpx.AsyncClient
) -> None:
    await add(user)
    body = refused(await user.post(PATH, json={"name": "laptop", "public_key": OTTO}), 409)
    assert (body["code"], "laptop" in body["error"]) == ("ssh_key_name_taken", True)
    body = refused(await user.post(PATH, json={"name": "again", "public_key": f"{ADA} renamed"}), 409)
    assert (body["code"], "as laptop" in body["error"]) == ("ssh_key_known", True)
    body = refused(await user.post(PATH, json={"name": "laptop", "public_key": ADA}), 409)
    assert body["code"] == "ssh_key_known", "asking for what is there already is told so"
    second = await add(user, "desktop", OTTO)
    assert refused(await user.patch(f"{PATH}/{second}", json={"name": "laptop"}), 409)["code"] == "ssh_key_name_taken"
    ok(await user.patch(f"{PATH}/{second}", json={"name": "desktop"}))
    await add(other_user)


async def test_of_many_at_once_one_is_added(user: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(user.post(PATH, json={"name": f"key-{place}", "public_key": ADA}) for place in range(8)),
        *(user.post(PATH, json={"name": "key-x", "public_key": another_key()}) for _ in range(8)),
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 2 + [409] * 14
    assert len(await names(user)) == 2


MISFITS: list[dict[str, Any]] = [
    {},
    {"name": "laptop"},
    {"public_key": ADA},
    {"name": "", "public_key": ADA},
    {"name": "a/b", "public_key": ADA},
    {"name": ".ssh", "public_key": ADA},
    {"name": "x" * 64, "public_key": ADA},
    {"name": "laptop\n", "public_key": ADA},
    {"name": "laptop", "public_key": ""},
    {"name": "laptop", "public_key": None},
    {"name": "laptop", "public_key": [ADA]},
    {"name": "laptop", "public_key": "x" * 8193},
    {"name": "laptop", "public_key": ADA, "fingerprint": "SHA256:mine"},
]


async def test_what_does_not_fit_is_refused(user: httpx.AsyncClient) -> None:
    for body in MISFITS:
        refused(await user.post(PATH, json=body), 422)
    assert await names(user) == []


async def test_only_the_name_can_be_changed(user: httpx.AsyncClient) -> None:
    key_id = await add(user)
    for changes in ({}, {"name": None}, {"public_key": OTTO}, {"name": "a b"}, {"name": "x", "comment": "y"}):
        refused(await user.patch(f"{PATH}/{key_id}", json=changes), 422)
    assert await names(user) == ["laptop"]


async def test_a_private_key_reaches_neither_answer_nor_database(user: httpx.AsyncClient, db: Db) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    answer = await user.post(PATH, json={"name": "oops", "public_key": text}, headers={"Idempotency-Key": "oops"})
    body = refused(answer, 422)
    assert body["code"] == "public_key_refused"
    assert ".pub" in body["suggestion"]
    secret = max(text.splitlines(), key=len)
    assert secret not in answer.text
    tables = await db.fetch("select tablename from pg_tables where schemaname = 'public'")
    for table in (row["tablename"] for row in tables):
        assert not await db.fetchval(f"select exists (select from {table} t where strpos(t::text, $1) > 0)", secret)


async def test_the_same_request_again_gets_the_first_answer(user: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "add-laptop"}
    wanted = {"name": "laptop", "public_key": ADA}
    first, *more = await asyncio.gather(*(user.post(PATH, json=wanted, headers=headers) for _ in range(5)))
    again = await user.post(PATH, json=wanted, headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert {ok(answer)["id"] for answer in (first, *more, again)} == {ok(first)["id"]}
    assert again.json() == first.json()
    assert await names(user) == ["laptop"]
    other = await user.post(PATH, json=wanted | {"name": "desktop"}, headers=headers)
    assert refused(other, 409)["code"] == "idempotency_key_reused"


async def test_every_change_is_on_record_and_told(user: httpx.AsyncClient, admin: httpx.AsyncClient, db: Db) -> None:
    key_id = await add(user)
    ok(await user.patch(f"{PATH}/{key_id}", json={"name": "desktop"}))
    ok(await admin.delete(f"{PATH}/{key_id}"))
    refused(await user.delete(f"{PATH}/{key_id}"), 404)
    trail = ok(await admin.get("/v1/audit", params={"subject_kind": "ssh_key", "sort": "at"}))["items"]
    assert [(row["verb"], row["actor_name"], row["subject_name"]) for row in trail] == [
        ("create", "ada", "laptop"),
        ("edit", "ada", "laptop"),
        ("delete", "root", "desktop"),
    ]
    assert trail[0]["details"]["fingerprint"] in LISTED[0]
    assert trail[1]["details"] == {"name": "desktop"}
    told = await db.fetch(
        "select type, username from events join users on users.id = owner_user_id where subject_id = $1 order by seq",
        key_id,
    )
    kinds = ("ssh_key.created", "ssh_key.updated", "ssh_key.deleted")
    assert [tuple(row) for row in told] == [(kind, "ada") for kind in kinds]


async def test_a_list_comes_in_pages_sorted_and_searched(user: httpx.AsyncClient) -> None:
    for place, line in enumerate(GOOD):
        await add(user, f"key-{place}", line)
    everything = [f"key-{place}" for place in range(len(GOOD))]
    assert await names(user) == everything
    assert await names(user, sort="-name") == everything[::-1]
    assert await names(user, sort="created_at") == everything
    assert await names(user, sort="type", limit=1) == ["key-4"], "ecdsa-sha2-nistp256"
    told: list[str] = []
    cursor: str | None = None
    for _ in range(10):
        page = ok(await user.get(PATH, params={"limit": 4} | ({"cursor": cursor} if cursor else {})))
        SshKeyList.model_validate(page, extra="forbid")
        told += [item["name"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert told == everything
    assert await names(user, name="key-3") == ["key-3"]
    assert await names(user, name="key") == []
    assert await names(user, q="RSA2048@TEST") == ["key-2"]
    assert await names(user, q=LISTED[1].split()[1]) == ["key-1"]
    refused(await user.get(PATH, params={"sort": "public_key"}), 422)
    refused(await user.get(PATH, params={"cursor": "nonsense"}), 400)


async def test_a_user_takes_their_keys_with_them(user: httpx.AsyncClient, admin: httpx.AsyncClient, db: Db) -> None:
    await add(user)
    await db.execute("delete from users where username = 'ada'")
    assert await names(admin) == []


def test_the_body_and_the_statement_agree() -> None:
    from nexus.manager.ssh_keys.repository import ITEM
    from nexus.manager.ssh_keys.schemas import SshKeyBody

    told = ITEM.split("'")[1::2]
    assert told == list(SshKeyBody.model_fields), json.dumps(told)
