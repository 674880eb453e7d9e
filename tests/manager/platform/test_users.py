"""Signing in and out, and what a browser's cookie may do."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from tests.manager.conftest import PASSWORD, sign_in

from nexus.kit.db import Db
from nexus.manager.access.service import SESSION_LIFE_S
from nexus.manager.access.tokens import digest
from nexus.manager.migrate import migrate
from nexus.manager.settings import ManagerSettings
from nexus.manager.users import repository
from nexus.manager.users.passwords import is_password
from nexus.manager.users.service import DefaultPassword
from nexus.manager.users.throttle import FREE_FAILURES, FREE_FAILURES_OF_ADDRESS, Throttle
from nexus.manager.wiring import Manager, running

LOGIN = {"username": "ada", "password": PASSWORD}


async def login(client: httpx.AsyncClient, **changed: str) -> httpx.Response:
    return await client.post("/v1/auth/login", json=LOGIN | changed)


async def test_login_gives_a_token_that_works_and_is_stored_only_as_a_hash(
    anonymous: httpx.AsyncClient, db: Db
) -> None:
    answer = await login(anonymous)
    token = answer.json()["token"]
    anonymous.cookies.clear()
    me = await anonymous.get("/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json()["item"] == answer.json()["user"]
    assert me.json()["item"] | {"id": ""} == {
        "id": "",
        "username": "ada",
        "role": "user",
        "has_default_password": False,
    }
    assert await db.fetchval("select count(*) from sessions where token_sha256 = $1", digest(token)) == 1
    assert token not in str(await db.fetch("select * from sessions")) + str(await db.fetch("select * from audit"))


async def test_the_cookie_is_for_our_own_pages_alone(anonymous: httpx.AsyncClient) -> None:
    answer = await login(anonymous)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert "nexus_session" in anonymous.cookies


async def test_the_cookie_is_secure_when_the_browser_speaks_https(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.post("/v1/auth/login", json=LOGIN, headers={"Origin": "https://manager"})
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://manager"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://manager"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
async def test_a_change_by_cookie_must_come_from_our_own_pages(
    anonymous: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    await login(anonymous)
    assert (await anonymous.get("/v1/auth/me")).status_code == 200
    answer = await anonymous.post("/v1/auth/logout", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "foreign_origin"


async def test_login_from_another_site_is_refused(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.post("/v1/auth/login", json=LOGIN, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


async def test_logout_ends_the_session_at_once_on_every_manager(
    manager: Manager, manager_settings: ManagerSettings, db: Db
) -> None:
    async with running(manager_settings) as second:
        token = await sign_in(db, "ada")
        headers = {"Authorization": f"Bearer {token}"}
        clients = [
            httpx.AsyncClient(transport=httpx.ASGITransport(made.app), base_url="http://m", headers=headers)
            for made in (manager, second)
        ]
        for made, client in zip((manager, second), clients, strict=True):
            await made.platform.listener.connected.wait()
            assert (await client.get("/v1/auth/me")).status_code == 200
        assert (await clients[0].post("/v1/auth/logout")).status_code == 200
        assert (await clients[0].get("/v1/auth/me")).status_code == 401
        async with asyncio.timeout(4):  # below the 5 seconds for which a manager remembers
            while (await clients[1].get("/v1/auth/me")).status_code != 401:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


async def test_a_session_ends_when_it_expires_and_use_prolongs_it(
    manager: Manager, user: httpx.AsyncClient, db: Db
) -> None:
    await db.execute(
        "update sessions set expires_at = now() + interval '1 hour', last_used_at = now() - interval '1 hour'"
    )
    assert (await user.get("/v1/auth/me")).status_code == 200
    left = await db.fetchval("select extract(epoch from expires_at - now()) from sessions")
    assert left > SESSION_LIFE_S - 60
    async with db.transaction() as tx:
        await tx.execute("update sessions set expires_at = now() - interval '1 second'")
        tx.notify("access")
    async with asyncio.timeout(4):
        while (await user.get("/v1/auth/me")).status_code != 401:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_session_is_not_prolonged_beyond_its_longest_life(user: httpx.AsyncClient, db: Db) -> None:
    await db.execute(
        "update sessions set created_at = now() - interval '29 days 23 hours', last_used_at = now() - interval '1 hour'"
    )
    assert (await user.get("/v1/auth/me")).status_code == 200
    left = await db.fetchval("select extract(epoch from expires_at - now()) from sessions")
    assert 3500 < left <= 3600


async def test_an_unknown_user_and_a_wrong_password_are_told_alike(anonymous: httpx.AsyncClient) -> None:
    answers = [await login(anonymous, username="nobody"), await login(anonymous, password="wrong")]
    bodies: list[dict[str, Any]] = [answer.json() | {"request_id": ""} for answer in answers]
    assert bodies[0] == bodies[1]
    assert bodies[0]["status"] == 401


async def test_an_unknown_user_costs_a_password_check_too(
    anonymous: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    async def watched(password_hash: str, password: str) -> bool:
        checked.append(password_hash)
        return await is_password(password_hash, password)

    monkeypatch.setattr("nexus.manager.users.service.is_password", watched)
    await login(anonymous, username="nobody")
    assert len(checked) == 1
    assert checked[0].startswith("$argon2id$")


async def test_guessing_is_slowed_down_and_told(anonymous: httpx.AsyncClient) -> None:
    statuses = [(await login(anonymous, password=f"guess {n}")).status_code for n in range(FREE_FAILURES + 1)]
    assert statuses == [401] * FREE_FAILURES + [429]
    assert (await login(anonymous)).status_code == 429, "the right password does not help while the door is shut"
    assert (await login(anonymous, username="otto")).status_code == 200, "others are not concerned"


def test_the_pause_doubles_ends_and_covers_an_address_that_tries_many_names() -> None:
    now = 1000.0
    throttle = Throttle(monotonic=lambda: now)
    for _ in range(FREE_FAILURES):
        assert throttle.seconds_left("ada", "10.0.0.1") == 0
        throttle.failed("ada", "10.0.0.1")
    first = throttle.seconds_left("ada", "10.0.0.1")
    throttle.failed("ada", "10.0.0.1")
    assert throttle.seconds_left("ada", "10.0.0.1") == 2 * first
    now += 2 * first
    assert throttle.seconds_left("ada", "10.0.0.1") == 0
    throttle.succeeded("ada", "10.0.0.1")
    for n in range(FREE_FAILURES_OF_ADDRESS):
        throttle.failed(f"user{n}", "10.0.0.2")
    assert throttle.seconds_left("somebody-new", "10.0.0.2") > 0
    assert throttle.seconds_left("somebody-new", "10.0.0.3") == 0


async def test_a_changed_password_ends_the_other_sessions_and_keeps_this_one(
    user: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db
) -> None:
    other = await sign_in(db, "ada")
    wrong = await user.put("/v1/auth/password", json={"current_password": "no", "new_password": "brand new password"})
    assert wrong.status_code == 401
    changed = await user.put(
        "/v1/auth/password", json={"current_password": PASSWORD, "new_password": "brand new password"}
    )
    assert changed.status_code == 200
    assert (await user.get("/v1/auth/me")).status_code == 200
    assert (await anonymous.get("/v1/auth/me", headers={"Authorization": f"Bearer {other}"})).status_code == 401
    assert (await login(anonymous)).status_code == 401
    assert (await login(anonymous, password="brand new password")).status_code == 200


async def test_every_login_and_logout_stands_in_the_audit_trail_with_its_request(
    anonymous: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    answer = await anonymous.post("/v1/auth/login", json=LOGIN, headers={"X-Request-ID": "req-7"})
    await login(anonymous, username="nobody")
    await anonymous.post("/v1/auth/logout", headers={"Authorization": f"Bearer {answer.json()['token']}"})
    trail = (await admin.get("/v1/audit", params={"sort": "at"})).json()["items"]
    told = [(entry["actor_name"], entry["verb"]) for entry in trail]
    assert told[-3:] == [("ada", "login"), ("nobody", "login_failed"), ("ada", "logout")]
    assert trail[-3]["request_id"] == "req-7"
    assert PASSWORD not in json.dumps(trail)


async def test_the_first_user_is_made_once_and_only_where_there_is_none(database_url: str) -> None:
    await migrate(database_url)
    settings = ManagerSettings.model_validate({"database_url": database_url, "secret_key": "A" * 43 + "="})
    for _ in range(2):
        async with running(settings, builders=[]) as manager:
            user = await repository.find_by_name(manager.platform.db, "root")
            assert user is not None
            assert (user.role, user.has_default_password) == ("admin", True)
            assert await manager.platform.db.fetchval("select count(*) from users") == 1


@pytest.mark.parametrize("bind", ["0.0.0.0:18080", "[::]:18080", "nexus.example:18080"])
async def test_a_manager_beyond_loopback_does_not_start_with_the_default_password(
    manager_settings: ManagerSettings, database_url: str, bind: str
) -> None:
    fresh = manager_settings.model_copy(update={"bind": bind, "database_url": manager_settings.database_url})
    with pytest.raises(DefaultPassword, match="set-password"):
        async with running(fresh):
            pass
    empty = ManagerSettings.model_validate({"database_url": database_url, "bind": bind, "secret_key": "A" * 43 + "="})
    with pytest.raises(DefaultPassword):
        async with running(empty):
            pass
