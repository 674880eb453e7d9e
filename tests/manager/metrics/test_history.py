"""History: what is taken, how it comes back, how it is added up and dropped."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.manager.compute.acting import create, machine_of, ok, refused
from tests.manager.metrics.acting import Measuring, machine_minute, minute, this_minute

from nexus.kit.clock import SystemClock
from nexus.kit.db import Db
from nexus.manager.metrics import partitions
from nexus.manager.metrics.schemas import HistoryBody
from nexus.manager.metrics.service import Metrics

QUARTER = timedelta(minutes=15)


async def history(client: httpx.AsyncClient, of: str, **query: Any) -> dict[str, Any]:
    answer = ok(await client.get(f"/v1/metrics/{of}", params=query))
    HistoryBody.model_validate(answer, extra="forbid")
    return answer


def tidying(db: Db) -> Metrics:
    return Metrics(
        db,
        clock=SystemClock(),
        interval_s=10,
        is_disabled=False,
        minutes_kept=timedelta(days=2),
        kept=timedelta(days=90),
    )


async def test_minutes_come_back_as_points(measuring: Measuring, user: httpx.AsyncClient, db: Db) -> None:
    # what is told below is older than this database, which has added up nothing of it
    await db.execute("update metric_rollup set through = through - interval '1 day'")
    vm_id = await create(user, "web-1")
    machine_id = await machine_of(db, vm_id)
    at = this_minute() - timedelta(minutes=5)
    if at.minute == 59:  # with the minute after it, that would be two hours
        at -= timedelta(minutes=1)
    await measuring.tell(
        minutes=[
            machine_minute(machine_id, at),
            machine_minute(machine_id, at + timedelta(minutes=1), cpu_ms=120_000, guest_ms=0, cpu_max_percent=100),
        ]
    )
    answer = await history(user, f"vms/{vm_id}")
    assert answer["step_s"] == 60
    first, second = answer["points"]
    assert datetime.fromisoformat(first.pop("at")) == at
    assert first == {
        "covered_s": 60.0,
        "cpu_usage_percent": 25.0,
        "cpu_usage_percent_max": 80.0,
        "memory_usage_percent": 25.0,
        "memory_used_kb": 256,
        "memory_total_kb": 1024,
        "network_in_bytes_per_s": None,
        "network_out_bytes_per_s": None,
        "disk_read_bytes_per_s": 10.0,
        "disk_write_bytes_per_s": 0.0,
        "storage_used_bytes": None,
        "storage_total_bytes": None,
        "source": "guest",
    }
    assert (second["cpu_usage_percent"], second["source"]) == (100.0, "host")
    [both] = (await history(user, f"vms/{vm_id}", step=3600, **{"from": at.isoformat()}))["points"]
    assert (both["covered_s"], both["cpu_usage_percent"], both["source"]) == (120.0, 62.5, "mixed")


async def test_a_host_has_a_history_too(
    measuring: Measuring, viewer: httpx.AsyncClient, user: httpx.AsyncClient
) -> None:
    await measuring.tell(host_minutes=[minute(this_minute() - timedelta(minutes=2), guest_ms=0)])
    [point] = (await history(user, f"hosts/{measuring.host_id}"))["points"]
    assert (point["cpu_usage_percent"], point["source"]) == (25.0, "host")
    assert (await history(viewer, f"hosts/{measuring.host_id}"))["points"] == [point]
    refused(await user.get(f"/v1/metrics/hosts/{uuid4()}"), 404)


async def test_a_minute_counts_once_and_only_if_it_may_be_true(
    measuring: Measuring, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user, "web-1")
    machine_id = await machine_of(db, vm_id)
    good = machine_minute(machine_id, this_minute() - timedelta(minutes=2))
    untrue = [
        machine_minute(machine_id, this_minute() + timedelta(minutes=5)),
        machine_minute(machine_id, this_minute() - timedelta(minutes=70)),
        machine_minute(machine_id, datetime(2000, 1, 1, tzinfo=UTC)),
        machine_minute(machine_id, datetime(2099, 12, 31, tzinfo=UTC)),
        machine_minute(UUID(int=5), good.at),
        machine_minute(machine_id, good.at + timedelta(seconds=1), cpu_ms=1),
    ]
    await measuring.tell(minutes=[good, good, *untrue])
    await measuring.tell(minutes=[good])
    assert len((await history(user, f"vms/{vm_id}"))["points"]) == 1
    assert await db.fetchval("select count(*) from metric_minutes") == 1


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"at": "0001-01-01T00:00:00+14:00"}, 422),
        ({"at": "9999-12-31T23:59:59-14:00"}, 422),
        ({"at": "2026-03-01T12:00:00"}, 422),
        ({"at": "2026-03-01T12:00:00-18:21"}, 200),
        ({"span_ms": 300_001}, 422),
        ({"cpu_ms": 1 << 51}, 422),
        ({"cpus": 0}, 422),
        ({"cpu_max_percent": 100.1}, 422),
        ({"net_in_bytes": -1}, 422),
    ],
)
async def test_what_is_no_minute_is_refused_and_what_was_long_ago_passed_over(
    measuring: Measuring, db: Db, wrong: dict[str, Any], status: int
) -> None:
    body = {"host_minutes": [minute(this_minute()).model_dump(mode="json") | wrong]}
    assert (await measuring.send(body)).status_code == status
    assert await db.fetchval("select count(*) from metric_minutes") == 0


async def test_nobody_elses_history_is_there(
    measuring: Measuring, user: httpx.AsyncClient, other_user: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    vm_id = await create(user, "web-1")
    assert refused(await other_user.get(f"/v1/metrics/vms/{vm_id}"), 404)["code"] == "vm_not_found"
    assert (await history(viewer, f"vms/{vm_id}"))["points"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"},
        {"from": "2026-03-01T00:00:00"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"to": "9999-12-31T23:59:59-14:00"},
        {"from": "2026-03-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
        {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
        {"step": "0"},
        {"step": "-60"},
        {"step": "1e9"},
        {"step": "99999999999999999999"},
        {"from": "1" * 400},
        {"from": "nan"},
    ],
)
async def test_what_is_no_span_of_time_is_refused(
    measuring: Measuring, user: httpx.AsyncClient, query: dict[str, str]
) -> None:
    refused(await user.get(f"/v1/metrics/hosts/{measuring.host_id}", params=query), 422)


async def test_minutes_are_added_up_once_and_the_answer_stays_the_same(
    measuring: Measuring, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user, "web-1")
    machine_id = await machine_of(db, vm_id)
    begin = await db.fetchval("select date_bin('15 minutes', now() - interval '4 hours', 'epoch')")
    await partitions.ensure(db, since=begin)
    for day in {begin.date(), datetime.now(UTC).date()}:
        await db.execute(
            f"create table if not exists metric_minutes_{day:%Y%m%d} partition of metric_minutes "
            f"for values from ('{day}') to ('{day + timedelta(days=1)}')"
        )
    await db.execute("update metric_rollup set through = $1", begin)
    await db.execute(
        """
        insert into metric_minutes
        select $1, at, extract(minute from at) * 1000, 120000, 100 + extract(minute from at), 1024, 60, 0, 0, 6000,
               null, null, 60000, 60000, 90
        from generate_series($2::timestamptz, now(), interval '1 minute') as at
        """,
        machine_id,
        begin,
    )
    query = {"from": begin.isoformat(), "step": 900}
    before = await history(user, f"vms/{vm_id}", **query)
    assert len(before["points"]) in (16, 17)
    await tidying(db).tidy()
    through = await db.fetchval("select through from metric_rollup")
    assert timedelta(0) <= datetime.now(UTC) - through - timedelta(minutes=61) < QUARTER
    made = await db.fetchval("select count(*) from metric_quarters")
    assert made == (through - begin) // QUARTER
    await db.execute("delete from metric_minutes where at < $1", through)
    assert await history(user, f"vms/{vm_id}", **query) == before
    await tidying(db).tidy()
    assert await db.fetchval("select count(*) from metric_quarters") == made


async def test_partitions_are_made_ahead_and_dropped_when_their_time_is_over(db: Db, user: httpx.AsyncClient) -> None:
    await tidying(db).tidy()
    today = datetime.now(UTC)
    for days in (0, 1, 2):
        name = f"metric_minutes_{today + timedelta(days=days):%Y%m%d}"
        assert await db.fetchval("select to_regclass($1) is not null", name), name
    # of a time to come, so that neither they nor what is added up is touched by the manager's own sweeps meanwhile
    for name, first, last in (
        ("metric_minutes_20990520", "2099-05-20", "2099-05-21"),
        ("metric_quarters_20990501", "2099-05-01", "2099-06-01"),
    ):
        parent = name.rpartition("_")[0]
        await db.execute(f"create table {name} partition of {parent} for values from ('{first}') to ('{last}')")
    later = datetime(2100, 1, 1, tzinfo=UTC)
    await partitions.drop(db, minutes_before=later, quarters_before=today - timedelta(days=90))
    assert await db.fetchval("select to_regclass('metric_minutes_20990520') is not null"), "it is not added up"
    assert await db.fetchval("select to_regclass('metric_quarters_20990501') is not null"), "it is kept"
    through = await db.fetchval("select through from metric_rollup")
    await db.execute("update metric_rollup set through = $1", later)
    await partitions.drop(db, minutes_before=datetime(2099, 5, 21, tzinfo=UTC), quarters_before=later)
    await db.execute("update metric_rollup set through = $1", through)
    assert await db.fetchval("select to_regclass('metric_minutes_20990520') is null")
    assert await db.fetchval("select to_regclass('metric_quarters_20990501') is null")
    await tidying(db).tidy()
    kept = await db.fetchval("select count(*) from pg_inherits where inhparent = 'metric_minutes'::regclass")
    assert kept >= 3


async def test_a_report_makes_the_partition_that_it_needs(
    measuring: Measuring, user: httpx.AsyncClient, db: Db
) -> None:
    names = await db.fetch(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid "
        "where i.inhparent = 'metric_minutes'::regclass"
    )
    for row in names:
        await db.execute(f"drop table {row['relname']}")
    await measuring.tell(host_minutes=[minute(this_minute() - timedelta(minutes=2))])
    assert len((await history(user, f"hosts/{measuring.host_id}"))["points"]) == 1
