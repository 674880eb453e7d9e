"""The last sample of a VM: in lists, to sort by, and streamed to who looks at one."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast
from unittest.mock import Mock
from uuid import UUID

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, refused, vm_of
from tests.manager.metrics.acting import Measuring, sample
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from nexus.kit.db import DatabaseUnavailable, Db
from nexus.manager.access import Actor
from nexus.manager.metrics.feed import UsageFeed
from nexus.manager.settings import ManagerSettings
from nexus.manager.vms.schemas import VmList

STREAM = "/v1/metrics/stream"


async def listed(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = ok(await client.get("/v1/vms", params=query))
    VmList.model_validate(answer, extra="forbid")
    return answer["items"]


async def test_a_list_shows_what_each_vm_used_last(measuring: Measuring, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user, "web-1")
    assert [item["usage"] for item in await listed(user)] == [None]
    answer = await measuring.tell(machines=[sample(await machine_of(db, vm_id), disk_read_bytes=123)])
    assert answer == {"interval_s": 10.0, "is_wanted": True}
    [item] = await listed(user)
    usage = item["usage"]
    assert usage.pop("at")
    assert usage == {
        "cpu_usage_percent": 12.5,
        "memory_usage_percent": 25.0,
        "memory_used_kb": 256,
        "memory_total_kb": 1024,
        "network_in_bytes_per_s": 5000.0,
        "network_out_bytes_per_s": 0.0,
        "disk_read_bytes_per_s": 12.3,
        "disk_write_bytes_per_s": None,
        "source": "guest",
    }


async def test_samples_change_no_version_no_date_and_tell_no_event(
    measuring: Measuring, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user, "web-1")
    before = await user.get(f"/v1/vms/{vm_id}")
    told = await db.fetchval("select last_seq from event_log")
    for _ in range(3):
        await measuring.tell(machines=[sample(await machine_of(db, vm_id))])
    after = await user.get(f"/v1/vms/{vm_id}")
    assert (after.headers["etag"], after.json()) == (before.headers["etag"], before.json())
    assert await db.fetchval("select last_seq from event_log") == told
    assert await db.fetchval("select count(*) from machine_usage") == 1


async def test_a_list_is_sorted_by_what_its_vms_use(measuring: Measuring, user: httpx.AsyncClient, db: Db) -> None:
    ids = {name: await create(user, name) for name in ("low-1", "high-1", "mid-1", "idle-1")}
    machines = {name: await machine_of(db, vm_id) for name, vm_id in ids.items()}
    await measuring.tell(
        machines=[
            sample(machines["low-1"], cpu_percent=1.25, memory_used_kib=900),
            sample(machines["high-1"], cpu_percent=99.9, memory_used_kib=500),
            sample(machines["mid-1"], cpu_percent=50.05, memory_used_kib=700),
        ]
    )
    assert [item["name"] for item in await listed(user, sort="-cpu")] == ["high-1", "mid-1", "low-1", "idle-1"]
    assert [item["name"] for item in await listed(user, sort="memory")] == ["idle-1", "high-1", "mid-1", "low-1"]
    told: list[str] = []
    cursor: str | None = None
    for _ in range(5):
        query = {"sort": "-cpu", "limit": 1} | ({"cursor": cursor} if cursor else {})
        page = ok(await user.get("/v1/vms", params=query))
        told += [item["name"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert told == ["high-1", "mid-1", "low-1", "idle-1"]


async def test_an_old_sample_is_no_present_one(measuring: Measuring, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user, "web-1")
    await measuring.tell(machines=[sample(await machine_of(db, vm_id), cpu_percent=99)])
    await db.execute("update machine_usage set at = now() - interval '2 minutes'")
    await create(user, "web-2", start=False)
    assert [item["usage"] for item in await listed(user, sort="-cpu")] == [None, None]


async def test_a_host_speaks_for_its_own_machines_only(
    measuring: Measuring, user: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user, "web-1")
    machine_id = await machine_of(db, vm_id)
    await db.execute(
        """
        with other as (insert into hosts select (jsonb_populate_record(h, jsonb_build_object(
            'id', gen_random_uuid(), 'name', 'other', 'credential_sha256', '\\xff'))).* from hosts h returning id)
        update machines set host_id = (select id from other)
        """
    )
    await measuring.tell(machines=[sample(machine_id), sample(UUID(int=5))])
    assert await db.fetchval("select count(*) from machine_usage") == 0
    body: dict[str, Any] = {"machines": []}
    refused(await user.post(f"/v1/hosts/{measuring.host_id}/samples", json=body), 401)
    refused(await anonymous.post(f"/v1/hosts/{measuring.host_id}/samples", json=body), 401)
    theirs = Measuring(anonymous, UUID(int=1), measuring.credential)
    refused(await theirs.send(body), 403)


@pytest.mark.parametrize(
    "other",
    [
        {"cpu_percent": 101},
        {"cpu_percent": -1},
        {"span_ms": 0},
        {"span_ms": 1 << 40},
        {"memory_used_kib": -1},
        {"memory_total_kib": 1 << 63},
        {"net_in_bytes": 1.5},
        {"source": "rumour"},
        {"id": "web-1"},
    ],
)
async def test_what_is_no_sample_is_refused(measuring: Measuring, db: Db, other: dict[str, Any]) -> None:
    good = sample(UUID(int=1)).model_dump(mode="json")
    refused(await measuring.send({"machines": [good | other]}), 422)
    refused(await measuring.send({"machines": [good] * 501}), 422)


async def test_one_machine_twice_in_a_report_counts_once(measuring: Measuring, user: httpx.AsyncClient, db: Db) -> None:
    machine_id = await machine_of(db, await create(user, "web-1"))
    await measuring.tell(machines=[sample(machine_id), sample(machine_id)])
    assert await db.fetchval("select count(*) from machine_usage") == 1


@asynccontextmanager
async def stream(served: str, client: httpx.AsyncClient, query: str = "") -> AsyncGenerator[ClientConnection]:
    headers = {"Authorization": client.headers["Authorization"]} if "Authorization" in client.headers else {}
    url = f"ws://{served}{STREAM}{query}"
    async with connect(url, additional_headers=headers, proxy=None, compression=None) as connection:
        yield connection


async def heard(connection: ClientConnection) -> list[dict[str, Any]]:
    """The next samples, past empty messages."""
    async with asyncio.timeout(60):
        while True:
            message = json.loads(await connection.recv())
            assert message["type"] in ("usage", "heartbeat"), message
            if message.get("items"):
                return message["items"]


async def test_samples_are_streamed_to_who_may_see_them(
    measuring: Measuring, served: str, user: httpx.AsyncClient, other_user: httpx.AsyncClient, db: Db
) -> None:
    mine, theirs = await create(user, "web-1"), await create(other_user, "web-2")
    machines = [await machine_of(db, vm_id) for vm_id in (mine, theirs)]
    await measuring.tell(machines=[sample(machine, cpu_percent=1) for machine in machines])
    async with stream(served, user) as first, stream(served, other_user) as second:
        assert [(item["vm_id"], item["cpu_usage_percent"]) for item in await heard(first)] == [(str(mine), 1)]
        assert [item["vm_id"] for item in await heard(second)] == [str(theirs)]
        await measuring.tell(machines=[sample(machine, cpu_percent=2) for machine in machines])
        assert [(item["vm_id"], item["cpu_usage_percent"]) for item in await heard(first)] == [(str(mine), 2)]
        assert [(item["vm_id"], item["cpu_usage_percent"]) for item in await heard(second)] == [(str(theirs), 2)]


async def test_a_stream_may_be_about_some_vms_only(
    measuring: Measuring, served: str, user: httpx.AsyncClient, other_user: httpx.AsyncClient, db: Db
) -> None:
    one, two = await create(user, "web-1"), await create(user, "web-2")
    theirs = await create(other_user, "web-3")
    machines = [await machine_of(db, vm_id) for vm_id in (one, two, theirs)]
    await measuring.tell(machines=[sample(machine) for machine in machines])
    async with stream(served, user, f"?vm={two}&vm={theirs}") as connection:
        assert [item["vm_id"] for item in await heard(connection)] == [str(two)]


async def test_the_same_is_told_as_server_sent_events(
    measuring: Measuring, served: str, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user, "web-1")
    await measuring.tell(machines=[sample(await machine_of(db, vm_id))])
    headers = {"Authorization": user.headers["Authorization"]}
    async with (
        httpx.AsyncClient(base_url=f"http://{served}", headers=headers, timeout=60, trust_env=False) as client,
        client.stream("GET", STREAM) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        assert await anext(lines) == "event: usage"
        message = json.loads((await anext(lines)).removeprefix("data: "))
    assert [item["vm_id"] for item in message["items"]] == [str(vm_id)]


async def test_a_stream_ends_with_its_session(
    measuring: Measuring, served: str, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user, "web-1")
    await measuring.tell(machines=[sample(await machine_of(db, vm_id))])
    machine_id = await machine_of(db, vm_id)
    async with stream(served, user) as connection:
        await heard(connection)
        ok(await user.post("/v1/auth/logout"))
        await measuring.tell(machines=[sample(machine_id)])
        last: dict[str, Any] = {}
        async with asyncio.timeout(60):
            with suppress(ConnectionClosed):
                async for message in connection:
                    last = json.loads(message)
    assert last["type"] == "dropped"
    assert connection.close_code == 1013


async def test_nobody_watches_without_signing_in(served: str, anonymous: httpx.AsyncClient) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with stream(served, anonymous):
            pass
    assert refusal.value.response.status_code == 401
    refused(await anonymous.get(STREAM), 401)


async def test_a_stream_about_what_is_no_vm_is_refused(user: httpx.AsyncClient) -> None:
    for vms in ("web-1", "", ["x"] * 3, [str(UUID(int=number)) for number in range(501)]):
        refused(await user.get(STREAM, params={"vm": vms}), 422)


class TestWhereMetricsAreDisabled:
    @pytest.fixture
    def manager_settings(self, manager_settings: ManagerSettings) -> ManagerSettings:
        return manager_settings.model_copy(update={"metrics_disabled": True})

    async def test_nothing_is_asked_for_kept_or_streamed(
        self, host: JoinedHost, measuring: Measuring, user: httpx.AsyncClient, db: Db
    ) -> None:
        machine_id = await machine_of(db, await create(user, "web-1"))
        answer = await measuring.tell(machines=[sample(machine_id)])
        assert answer["is_wanted"] is False
        assert await db.fetchval("select count(*) from machine_usage") == 0
        assert refused(await user.get(STREAM), 403)["code"] == "metrics_disabled"
        assert (await vm_of(user, UUID((await listed(user))[0]["id"])))["state"] == "running"


async def test_a_viewer_is_told_that_the_database_is_away(db: Db) -> None:
    """Instead of a stream that breaks."""

    async def whoami() -> Actor | None:
        raise DatabaseUnavailable("no such file or directory")

    feed = UsageFeed(db, cast("Any", Mock()), is_disabled=False)
    said = [message async for message in feed.follow((), whoami=whoami)]
    assert [message["type"] for message in said] == ["dropped"]
    assert "database is away" in said[0]["why"]
