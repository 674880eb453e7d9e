"""The SQL of hearing hosts, and of not hearing them.

What must stay true: that a host is silent, and that its machines are unknown for it, becomes true and ceases to be true
in one transaction, whoever is faster of a heartbeat and the sweep. Both lock machines before their host.
"""

from dataclasses import dataclass
from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.manager.hosts.models import IS_OVERDUE, IS_SILENT
from nexus.protocol.hosts import HostFacts, HostUsage


@dataclass(frozen=True)
class LastHeard:
    """What was known of a host before the present heartbeat."""

    name: str
    boot_id: str
    seen_seq: int
    was_silent: bool
    """Known to be, or about to be found so."""
    is_past: bool
    """Whether the heartbeat is from a boot of the host that is over."""
    was_just_heard: bool
    """Within the last second: that it is heard again is nothing to write down."""


async def last_heard(tx: Tx, host_id: UUID, *, boot_id: str) -> LastHeard | None:
    row = await tx.fetchrow(
        f"""
        select h.name, h.boot_id, h.seen_seq, ({IS_SILENT} or {IS_OVERDUE}) as was_silent,
               $2 = any(h.past_boot_ids) as is_past,
               h.last_seen_at > now() - interval '1 second' as was_just_heard
        from hosts h where h.id = $1 and h.abandoned_at is null
        """,
        host_id,
        boot_id,
    )
    return None if row is None else LastHeard(**dict(row))


@dataclass(frozen=True)
class Heard:
    """What a heartbeat has changed about its host."""

    has_returned: bool
    """It was known to be silent."""
    has_restarted: bool


async def note_heartbeat(
    tx: Tx,
    host_id: UUID,
    *,
    boot_id: str,
    full_seq: int | None,
    facts: HostFacts | None,
    usage: HostUsage | None,
    ends_silence: bool,
) -> Heard | None:
    """Record that the host was heard; `full_seq` is the heartbeat's seq if it was full. The boot that is recorded is
    that of the newest full report, because the floor for reports is. `ends_silence`: those who know it as silent are
    told in this transaction. None: the host is gone, or was abandoned meanwhile."""
    row = await tx.fetchrow(
        """
        update hosts set last_seen_at = now(), usage = coalesce($5, hosts.usage),
            seen_seq = case when $3::bigint is null then hosts.seen_seq when hosts.boot_id <> $2 then $3
                            else greatest(hosts.seen_seq, $3) end,
            boot_id = case when $3::bigint is null then hosts.boot_id else $2 end,
            past_boot_ids = case when $3::bigint is null or hosts.boot_id = $2 then hosts.past_boot_ids
                                 else (hosts.boot_id || hosts.past_boot_ids)[:8] end,
            silent_since = case when $6 then null else hosts.silent_since end,
            facts = coalesce($4, hosts.facts), vmm = coalesce($4 ->> 'vmm', hosts.vmm),
            vcpus = coalesce(($4 ->> 'vcpus')::integer, hosts.vcpus),
            memory_mib = coalesce(($4 ->> 'memory_mib')::bigint, hosts.memory_mib),
            disk_bytes = coalesce(($4 ->> 'disk_bytes')::bigint, hosts.disk_bytes),
            updated_at = case when $4::jsonb is null then hosts.updated_at else now() end
        from (select silent_since, boot_id, seen_seq from hosts where id = $1 for no key update) before
        where hosts.id = $1 and hosts.abandoned_at is null
        returning $6 and before.silent_since is not null as has_returned,
            $3::bigint is not null and before.boot_id <> $2 and before.seen_seq > 0 as has_restarted
        """,
        host_id,
        boot_id,
        full_seq,
        None if facts is None else facts.model_dump(mode="json"),
        None if usage is None else usage.model_dump(mode="json"),
        ends_silence,
    )
    return None if row is None else Heard(**dict(row))


async def overdue(reader: Reader) -> list[UUID]:
    """Hosts that have not reported for too long and are not known to be silent."""
    rows = await reader.fetch(f"select h.id from hosts h where {IS_OVERDUE} and not {IS_SILENT} order by h.id")
    return [row["id"] for row in rows]


async def note_silence(tx: Tx, host_id: UUID) -> str | None:
    """Know the host to be silent, unless it was just heard or somebody else knows already; its name."""
    return await tx.fetchval(
        f"""
        update hosts h set silent_since = h.last_seen_at, updated_at = now()
        where h.id = $1 and {IS_OVERDUE} and not {IS_SILENT} returning h.name
        """,
        host_id,
    )
