"""Where a VM would go, and why not elsewhere, without making it; and what is on a host."""

from typing import Any

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, ok, refused, until
from tests.manager.compute.test_hosts import join
from tests.manager.hosts.acting import host_of

from nexus.kit.db import Db

DRY = {"dry_run": True}
COUNTED = ("vms", "machines", "drives", "nics", "operations", "flows", "events", "audit", "idempotency_keys")


async def try_out(client: httpx.AsyncClient, name: str = "web-1", **fields: object) -> dict[str, Any]:
    return ok(await client.post("/v1/vms", json={"name": name, **fields}, params=DRY))


@pytest.fixture
async def far(admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db) -> str:
    """A second host, which is only its row: 4 GiB, offering nothing; its id."""
    token = ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"]
    return ok(await join(anonymous, token))["host_id"]


async def counts(db: Db) -> list[int]:
    rows = [await db.fetchval(f"select count(*) from {table}") for table in COUNTED]
    return [*rows, await db.fetchval("select next_host from networks")]


async def test_a_dry_run_names_the_host_and_makes_nothing(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    before = await counts(db)
    for _ in range(2):
        answer = ok(
            await user.post("/v1/vms", json={"name": "web-1"}, params=DRY, headers={"Idempotency-Key": "try-1"})
        )
        host_id = (await host_of(user))["id"]
        assert answer == {
            "dry_run": True,
            "host_id": host_id,
            "host_name": "host-1",
            "hosts": [{"host_id": host_id, "host_name": "host-1", "refusal": None}],
        }
    assert await counts(db) == before
    await create(user)


async def test_a_dry_run_says_of_each_host_why_it_cannot_take_the_vm(
    host: JoinedHost, far: str, user: httpx.AsyncClient, admin: httpx.AsyncClient, db: Db
) -> None:
    here = await host_of(user)
    wanted: dict[str, Any] = {"mem_mib": 4096 + 1}
    answer = await try_out(user, **wanted)
    if here["memory_mib"] >= wanted["mem_mib"]:
        assert answer["host_name"] == "host-1"
    refusals = {place["host_name"]: place["refusal"] for place in answer["hosts"]}
    assert refusals["far-1"] == "MiB of memory: 4097 needed, 4096 of 4096 free"
    answer = await try_out(user, needs=["pause", "ctrl_alt_del"])
    assert answer["host_name"] == "host-1"
    assert answer["hosts"][1]["refusal"] == "does not offer ctrl_alt_del; does not offer pause"
    ok(await admin.post(f"/v1/hosts/{here['id']}/cordon"))
    await db.execute("update hosts set silent_since = now() where name = 'far-1'")
    answer = await try_out(user)
    assert (answer["host_id"], answer["host_name"]) == (None, None)
    assert {place["host_name"]: place["refusal"] for place in answer["hosts"]} == {
        "host-1": "takes no new machines (cordoned)",
        "far-1": "has not been heard from",
    }
    body = refused(await user.post("/v1/vms", json={"name": "web-1", "needs": ["pause"]}), 503)
    assert body["fault_message"] == "far-1: has not been heard from; host-1: takes no new machines (cordoned)."


async def test_what_is_wrong_with_the_request_itself_is_refused_in_a_dry_run_too(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    await create(user)
    for fields, status in (
        ({"name": "web-1"}, 409),
        ({"name": "web-2", "image": "nowhere"}, 404),
        ({"name": "x"}, 422),
        ({"name": "web-2", "needs": ["wings"]}, 422),
        ({"name": "web-2", "ssh_keys": ["nobody"]}, 404),
    ):
        real = refused(await user.post("/v1/vms", json=fields), status)
        tried = refused(await user.post("/v1/vms", json=fields, params=DRY), status)
        assert tried | {"request_id": None} == real | {"request_id": None}


async def test_viewers_may_not_even_try(host: JoinedHost, viewer: httpx.AsyncClient) -> None:
    refused(await viewer.post("/v1/vms", json={"name": "web-1"}, params=DRY), 403)


async def test_without_a_host_a_dry_run_says_so(images: dict[str, str], user: httpx.AsyncClient) -> None:
    assert await try_out(user) == {"dry_run": True, "host_id": None, "host_name": None, "hosts": []}


async def test_vms_are_listed_by_host(
    host: JoinedHost, far: str, user: httpx.AsyncClient, other_user: httpx.AsyncClient, db: Db
) -> None:
    mine = await create(user)
    await create(other_user, "web-2")
    host_id = (await host_of(user))["id"]

    async def on(named: str) -> list[str]:
        return [vm["name"] for vm in ok(await user.get("/v1/vms", params={"host": named}))["items"]]

    assert await on("host-1") == await on(host_id) == ["web-1"], "and nobody else's"
    assert await on("far-1") == await on(far) == await on("nowhere") == []
    ok(await user.delete(f"/v1/vms/{mine}", params={"wait": 30}))

    async def is_empty() -> bool:
        return await on("host-1") == []

    await until(is_empty)
