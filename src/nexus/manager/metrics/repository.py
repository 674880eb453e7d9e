"""The SQL of metrics."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from nexus.kit.db import Db, Reader, Tx
from nexus.manager.access import Actor, visible_to
from nexus.manager.metrics.models import IS_FRESH, USAGE, Cut, Tier, Told
from nexus.protocol.metrics import Minute, SampleReport

LATE = timedelta(minutes=60)
"""A minute that arrives later than this after it began is not taken any more: what it belongs to may be added up."""

CHANNEL = "usage"


async def take_usage(tx: Tx, host_id: UUID, report: SampleReport) -> None:
    """Keep the last samples of this host's machines; those of others' are passed over."""
    await tx.execute(
        """
        insert into machine_usage (machine_id, at, cpu_percent, memory_used_kib, memory_total_kib, net_in_bytes_per_s,
                                   net_out_bytes_per_s, disk_read_bytes_per_s, disk_write_bytes_per_s, source)
        select distinct on (m.id) m.id, now(), s.cpu_percent, s.memory_used_kib, s.memory_total_kib,
               1000.0 * s.net_in_bytes / s.span_ms, 1000.0 * s.net_out_bytes / s.span_ms,
               1000.0 * s.disk_read_bytes / s.span_ms, 1000.0 * s.disk_write_bytes / s.span_ms, s.source
        from jsonb_to_recordset($2) as s(
            id uuid, span_ms integer, cpu_percent double precision, memory_used_kib bigint, memory_total_kib bigint,
            net_in_bytes bigint, net_out_bytes bigint, disk_read_bytes bigint, disk_write_bytes bigint, source text)
        join machines m on m.id = s.id and m.host_id = $1
        order by m.id
        on conflict (machine_id) do update set
            at = excluded.at, cpu_percent = excluded.cpu_percent, memory_used_kib = excluded.memory_used_kib,
            memory_total_kib = excluded.memory_total_kib, net_in_bytes_per_s = excluded.net_in_bytes_per_s,
            net_out_bytes_per_s = excluded.net_out_bytes_per_s,
            disk_read_bytes_per_s = excluded.disk_read_bytes_per_s,
            disk_write_bytes_per_s = excluded.disk_write_bytes_per_s, source = excluded.source
        """,
        host_id,
        [one.model_dump(mode="json") for one in report.machines],
    )
    tx.notify(CHANNEL, str(host_id))


_COLUMNS = """source_id, at, cpu_ms, capacity_ms, memory_used_kib, memory_total_kib, net_in_bytes, net_out_bytes,
disk_read_bytes, disk_write_bytes, storage_used_bytes, storage_total_bytes, span_ms, guest_ms, cpu_max_percent"""


async def take_minutes(tx: Tx, host_id: UUID, report: SampleReport) -> None:
    """Keep minutes of this host and its machines, each once. Raises CheckViolationError for want of a partition."""
    own = [_row(one) | {"id": str(host_id)} for one in report.host_minutes]
    await tx.execute(
        f"""
        insert into metric_minutes ({_COLUMNS})
        select s.id, date_trunc('minute', s.at), s.cpu_ms, s.span_ms::bigint * s.cpus, s.memory_used_kib,
               s.memory_total_kib, s.net_in_bytes, s.net_out_bytes, s.disk_read_bytes, s.disk_write_bytes,
               s.storage_used_bytes, s.storage_total_bytes, s.span_ms, least(s.guest_ms, s.span_ms), s.cpu_max_percent
        from jsonb_to_recordset($2) as s(
            id uuid, at timestamptz, span_ms integer, guest_ms integer, cpu_ms bigint, cpus integer,
            cpu_max_percent real, memory_used_kib bigint, memory_total_kib bigint, net_in_bytes bigint,
            net_out_bytes bigint, disk_read_bytes bigint, disk_write_bytes bigint, storage_used_bytes bigint,
            storage_total_bytes bigint)
        where s.at > now() - $3::interval and s.at <= now()
          and (s.id = $1 or exists (select from machines m where m.id = s.id and m.host_id = $1))
        on conflict do nothing
        """,
        host_id,
        [_row(one) for one in report.minutes] + own,
        LATE,
    )


def _row(minute: Minute) -> dict[str, Any]:
    """In UTC: PostgreSQL does not know every offset that a time may be sent with."""
    return minute.model_dump(mode="json") | {"at": minute.at.astimezone(UTC).isoformat()}


async def add_up(db: Db) -> int:
    """Add up minutes to quarters of an hour, as far as no more of them can arrive; how many quarters were made."""
    async with db.transaction() as tx:
        through: datetime = await tx.fetchval("select through from metric_rollup for update")
        final: datetime = await tx.fetchval(
            "select date_bin('15 minutes', now() - $1::interval - interval '1 minute', 'epoch')", LATE
        )
        if final <= through:
            return 0
        tag = await tx.execute(
            f"""
            insert into metric_quarters ({_COLUMNS})
            select source_id, date_bin('15 minutes', at, 'epoch') as quarter, sum(cpu_ms), sum(capacity_ms),
                   round(sum(memory_used_kib::numeric * span_ms) / sum(span_ms)), max(memory_total_kib),
                   sum(net_in_bytes), sum(net_out_bytes), sum(disk_read_bytes), sum(disk_write_bytes),
                   (array_agg(storage_used_bytes order by at desc) filter (where storage_used_bytes is not null))[1],
                   (array_agg(storage_total_bytes order by at desc) filter (where storage_total_bytes is not null))[1],
                   sum(span_ms), sum(guest_ms), max(cpu_max_percent)
            from metric_minutes where at >= $1 and at < $2 group by source_id, quarter
            on conflict do nothing
            """,
            through,
            final,
        )
        await tx.execute("update metric_rollup set through = $1", final)
        return int(tag.split()[-1])


async def rolled_through(reader: Reader) -> datetime:
    """Quarters before this are there."""
    return await reader.fetchval("select through from metric_rollup")


_FROM_MINUTES = "select * from metric_minutes where source_id = $1 and at >= $2 and at < $3"
_FROM_QUARTERS = """
select * from metric_quarters
where source_id = $1 and at >= $2 and at < least($3, (select through from metric_rollup))
union all
select * from metric_minutes
where source_id = $1 and at >= greatest($2, (select through from metric_rollup)) and at < $3
"""
_SOURCES = {Tier.MINUTES: _FROM_MINUTES, Tier.QUARTERS: _FROM_QUARTERS}


async def history(reader: Reader, source_id: UUID, wanted: Cut) -> str:
    """The points (`schemas.PointBody`) as a JSON array."""
    return await reader.fetchval(
        f"""
        with rows as ({_SOURCES[wanted.tier]}), steps as (
            select date_bin(make_interval(secs => $4), at, 'epoch') as step, sum(span_ms) as span_ms,
                   sum(guest_ms) as guest_ms, 100.0 * sum(cpu_ms) / greatest(sum(capacity_ms), 1) as cpu,
                   max(cpu_max_percent) as cpu_max,
                   sum(memory_used_kib::numeric * span_ms) / greatest(sum(span_ms), 1) as memory_used,
                   max(memory_total_kib) as memory_total, sum(net_in_bytes) as net_in, sum(net_out_bytes) as net_out,
                   sum(disk_read_bytes) as disk_read, sum(disk_write_bytes) as disk_write,
                   (array_agg(storage_used_bytes order by at desc) filter (where storage_used_bytes is not null))[1]
                       as storage_used,
                   (array_agg(storage_total_bytes order by at desc) filter (where storage_total_bytes is not null))[1]
                       as storage_total
            from rows group by step
        )
        select coalesce(json_agg(json_build_object(
            'at', step, 'covered_s', round(span_ms / 1000.0, 1), 'cpu_usage_percent', round(least(cpu, 100), 2),
            'cpu_usage_percent_max', round(greatest(cpu_max::numeric, least(cpu, 100)), 2),
            'memory_usage_percent', round(100 * memory_used / nullif(memory_total, 0), 2),
            'memory_used_kb', round(memory_used), 'memory_total_kb', memory_total,
            'network_in_bytes_per_s', round(1000.0 * net_in / span_ms, 1),
            'network_out_bytes_per_s', round(1000.0 * net_out / span_ms, 1),
            'disk_read_bytes_per_s', round(1000.0 * disk_read / span_ms, 1),
            'disk_write_bytes_per_s', round(1000.0 * disk_write / span_ms, 1),
            'storage_used_bytes', storage_used, 'storage_total_bytes', storage_total,
            'source', case guest_ms when span_ms then 'guest' when 0 then 'host' else 'mixed' end
        ) order by step), '[]')::text
        from steps
        """,
        source_id,
        wanted.start,
        wanted.end,
        float(wanted.step_s),
    )


async def machine_of(reader: Reader, vm_id: UUID, *, actor: Actor) -> UUID | None:
    """The machine of a VM that the actor may see."""
    return await reader.fetchval(
        f"""
        select v.machine_id from vms v
        where v.id = $1 and v.project_id = $2 and {visible_to(3, owner="v.created_by_user_id")}
        """,
        vm_id,
        actor.project_id,
        actor.sees_only,
    )


async def knows_host(reader: Reader, host_id: UUID) -> bool:
    return await reader.fetchval("select exists (select from hosts where id = $1)", host_id)


async def last_of(reader: Reader, *, host_ids: Sequence[UUID] | None) -> list[Told]:
    """The last samples of the VMs on these hosts (None: on all)."""
    rows = await reader.fetch(
        f"""
        select v.id, v.project_id, v.created_by_user_id, {USAGE} as usage
        from machine_usage u join machines m on m.id = u.machine_id join vms v on v.machine_id = m.id
        where ($1::uuid[] is null or m.host_id = any($1)) and {IS_FRESH}
        order by v.id
        """,
        None if host_ids is None else list(host_ids),
    )
    return [
        Told(row["id"], row["project_id"], row["created_by_user_id"], {"vm_id": str(row["id"]), **row["usage"]})
        for row in rows
    ]
