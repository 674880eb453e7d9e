"""Whoever is unknown, wrong, expired or revoked gets nothing from the manager: on every route, WebSockets included."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from tests.manager.compute.acting import ok, refused, signing_request
from tests.manager.compute.test_hosts import join
from tests.manager.conftest import sign_in
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from nexus.kit.db import Db
from nexus.manager.app import Endpoint, endpoints_of
from nexus.manager.wiring import describe

CLOSED = [endpoint for endpoint in endpoints_of(describe()) if "public" not in endpoint.rules]
FOR_HOSTS = [endpoint for endpoint in CLOSED if "host" in endpoint.rules]
OWN = [endpoint for endpoint in FOR_HOSTS if "{host_id}" in endpoint.path]
ANY_ID = "01890000-0000-7000-8000-000000000000"


def url(endpoint: Endpoint, host_id: str = ANY_ID) -> str:
    parts = ("0" * 64 if "sha256" in part else part for part in endpoint.path.split("/"))
    return "/".join(host_id if part == "{host_id}" else ANY_ID if part[:1] == "{" else part for part in parts)


async def joined(admin: httpx.AsyncClient, name: str) -> tuple[str, str]:
    """A host that has joined: its id and credential."""
    token = ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"]
    registered = ok(await join(admin, token, name))
    return registered["host_id"], registered["credential"]


async def beat(client: httpx.AsyncClient, host_id: str, credential: str) -> httpx.Response:
    body = {"boot_id": "b", "seq": 1, "full": True}
    headers = {"Authorization": f"Bearer {credential}"}
    return await client.post(f"/v1/hosts/{host_id}/heartbeat", json=body, headers=headers)


Revoked = Callable[[httpx.AsyncClient, httpx.AsyncClient, Db], Awaitable[str]]


async def nobodys(admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db) -> str:
    return "nonsense"


async def never_given_out(admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db) -> str:
    return "nxl_" + "A" * 43


async def never_given_to_a_host(admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db) -> str:
    return "nxh_" + "A" * 43


async def a_join_token(admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db) -> str:
    return ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"]


async def signed_out(admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db) -> str:
    token = await sign_in(db, "root")
    headers = {"Authorization": f"Bearer {token}"}
    ok(await anonymous.get("/v1/auth/me", headers=headers))
    ok(await anonymous.post("/v1/auth/logout", headers=headers))
    return token


async def expired(admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db) -> str:
    token = await sign_in(db, "root")
    await db.execute("update sessions set expires_at = now() where id = (select max(id::text)::uuid from sessions)")
    return token


async def of_a_removed_host(admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db) -> str:
    host_id, credential = await joined(admin, "gone-1")
    ok(await beat(anonymous, host_id, credential))
    ok(await admin.delete(f"/v1/hosts/{host_id}"))
    return credential


async def replaced_when_the_host_joined_again(admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db) -> str:
    host_id, credential = await joined(admin, "again-1")
    ok(await beat(anonymous, host_id, credential))
    again, fresh = await joined(admin, "again-1")
    assert again == host_id
    ok(await beat(anonymous, host_id, fresh))
    return credential


@pytest.mark.parametrize(
    "held",
    [
        nobodys,
        never_given_out,
        never_given_to_a_host,
        a_join_token,
        signed_out,
        expired,
        of_a_removed_host,
        replaced_when_the_host_joined_again,
    ],
)
async def test_what_opens_nothing_opens_nothing_anywhere(
    admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db, served: str, held: Revoked
) -> None:
    headers = {"Authorization": f"Bearer {await held(admin, anonymous, db)}"}
    hosts = [str(row["id"]) for row in await db.fetch("select id from hosts")] or [ANY_ID]
    assert len(CLOSED) > 40
    assert len(FOR_HOSTS) >= 3
    for endpoint in CLOSED:
        for host_id in hosts if "{host_id}" in endpoint.path else [ANY_ID]:
            path = url(endpoint, host_id)
            if endpoint.method == "WEBSOCKET":
                with pytest.raises(InvalidStatus) as denied:
                    async with connect(f"ws://{served}{path}", additional_headers=headers, proxy=None):
                        pass
                assert denied.value.response.status_code == 401, path
            else:
                answer = await anonymous.request(endpoint.method, path, headers=headers, json={})
                assert answer.status_code == 401, f"{endpoint.method} {path}: {answer.text}"


async def test_a_host_gets_nothing_of_users(admin: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    _, credential = await joined(admin, "far-1")
    headers = {"Authorization": f"Bearer {credential}"}
    for endpoint in CLOSED:
        if endpoint not in FOR_HOSTS and endpoint.method != "WEBSOCKET":
            refused(await anonymous.request(endpoint.method, url(endpoint), headers=headers, json={}), 401)


async def test_a_host_gets_nothing_of_another(admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db) -> None:
    _, credential = await joined(admin, "far-1")
    other, _ = await joined(admin, "far-2")
    before = await db.fetchval("select to_jsonb(h)::text from hosts h where id = $1", UUID(other))
    headers = {"Authorization": f"Bearer {credential}"}
    bodies = {
        "heartbeat": {"boot_id": "b", "seq": 1, "full": True},
        "certificate": {"address": "https://far-1.invalid:1", "csr": signing_request()},
        "samples": {},
    }
    assert {endpoint.path.rpartition("/")[2] for endpoint in OWN} == set(bodies)
    for verb, body in bodies.items():
        refused(await anonymous.post(f"/v1/hosts/{other}/{verb}", headers=headers, json=body), 403)
    assert await db.fetchval("select to_jsonb(h)::text from hosts h where id = $1", UUID(other)) == before


async def test_only_a_fresh_join_token_of_this_platform_lets_a_host_in(
    admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db
) -> None:
    made = [ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"] for _ in range(3)]
    used, late, of_another_platform = made
    ok(await join(anonymous, used))
    await db.execute(
        "update join_tokens set expires_at = now() - $1::interval where used_at is null and id = "
        "(select min(id::text)::uuid from join_tokens where used_at is null)",
        timedelta(seconds=1),
    )
    await db.execute("delete from join_tokens where used_at is null and expires_at > now()")
    session = await sign_in(db, "root")
    before = await db.fetchval("select count(*) from hosts")
    for token in ("", "nxj_", used, late, of_another_platform, session, "nxj_" + "A" * 43):
        assert refused(await join(anonymous, token, "far-9"), 401)["code"] == "join_token_invalid"
    assert await db.fetchval("select count(*) from hosts") == before
    assert await db.fetchval("select count(*) from certificate_authority") == 1


async def test_a_stranger_does_not_even_make_the_authority(anonymous: httpx.AsyncClient, db: Db) -> None:
    refused(await join(anonymous, "nxj_guessed"), 401)
    assert await db.fetchval("select count(*) from certificate_authority") == 0
