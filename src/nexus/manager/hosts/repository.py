"""The SQL of hosts and join tokens."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from nexus.kit.db import Reader, Record, Tx
from nexus.kit.ids import new_id
from nexus.kit.paging import Page, conditions
from nexus.manager.hosts.models import IS_SILENT, REF_COLUMNS, Host, HostRef, HostState, ref_of
from nexus.manager.hosts.placement import Amounts, Room
from nexus.protocol.hosts import Offer, RegisterRequest

_ROOMS = f"""
select h.id, h.name, h.cordoned, {IS_SILENT} as is_silent, h.abandoned_at is not null as is_abandoned,
       h.facts -> 'offers' as offers, h.vcpus, h.memory_mib, h.disk_bytes,
       coalesce(busy.vcpus, 0)::bigint as reserved_vcpus, coalesce(busy.memory_mib, 0)::bigint as reserved_memory_mib,
       (coalesce(stored.bytes, 0) + coalesce(kept.bytes, 0) + coalesce(composed.bytes, 0))::bigint
           as reserved_disk_bytes
from hosts h
left join lateral (
    select sum(greatest(m.vcpus, m.seen_vcpus)) as vcpus,
           sum(greatest(m.memory_mib, m.seen_memory_mib)) as memory_mib
    from machines m
    where m.host_id = h.id and m.id is distinct from $2
      and (m.goal in ('on', 'paused') or m.seen in ('on', 'paused'))
) busy on true
left join lateral (
    select sum(d.size_bytes) as bytes from machines m join drives d on d.machine_id = m.id
    where m.host_id = h.id and m.id is distinct from $2 and not d.is_read_only
      and d.resolved_path is null
) stored on true
left join lateral (
    select sum(coalesce(s.size_bytes, s.expected_bytes)) as bytes from snapshots s
    where s.host_id = h.id and (s.state <> 'failed' or s.size_bytes is not null)
) kept on true
left join lateral (
    select sum(s.memory_mib::bigint << 20) as bytes from snapshots s
    where s.host_id = h.id and s.type = 'Diff' and s.has_memory and s.state <> 'failed'
      and exists (select from machines m where m.restore_snapshot_id = s.id and m.restore_boot is not null
                      and m.goal <> 'gone' and m.id is distinct from $2)
) composed on true
where $1::uuid[] is null or h.id = any($1)
order by h.name
"""


async def rooms(reader: Reader, *, of: Sequence[UUID] | None = None, besides: UUID | None = None) -> list[Room]:
    """What hosts (all, or those named) have and have reserved, not counting the machine `besides`."""
    rows = await reader.fetch(_ROOMS, None if of is None else list(of), besides)
    return [
        Room(
            host_id=row["id"],
            name=row["name"],
            is_silent=row["is_silent"],
            is_abandoned=row["is_abandoned"],
            is_cordoned=row["cordoned"],
            offers=frozenset(Offer(offer) for offer in row["offers"]),
            has=Amounts(vcpus=row["vcpus"], memory_mib=row["memory_mib"], disk_bytes=row["disk_bytes"]),
            reserved=Amounts(
                vcpus=row["reserved_vcpus"],
                memory_mib=row["reserved_memory_mib"],
                disk_bytes=row["reserved_disk_bytes"],
            ),
        )
        for row in rows
    ]


async def lock_rooms(tx: Tx) -> None:
    """Let nobody else reserve anything before `tx` ends. One lock for all hosts, so that no two can be taken in
    different orders; not on their rows, because heartbeats must not wait for it."""
    await tx.execute("select pg_advisory_xact_lock(hashtextextended('rooms', 0))")


async def add_join_token(tx: Tx, digest: bytes, *, created_by: UUID, life: timedelta) -> tuple[UUID, datetime]:
    """Its id, and until when it can be spent, by the database's clock."""
    token_id = new_id()
    until = await tx.fetchval(
        """
        insert into join_tokens (id, token_sha256, created_by_user_id, expires_at) values ($1, $2, $3, now() + $4)
        returning expires_at
        """,
        token_id,
        digest,
        created_by,
        life,
    )
    return token_id, until


async def knows_join_token(reader: Reader, digest: bytes) -> bool:
    """Whether a join token can be spent now."""
    return await reader.fetchval(
        "select exists (select from join_tokens where token_sha256 = $1 and used_at is null and expires_at > now())",
        digest,
    )


async def use_join_token(tx: Tx, digest: bytes) -> UUID | None:
    """Spend a join token: its id, or None when it is unknown, spent or expired."""
    return await tx.fetchval(
        """
        update join_tokens set used_at = now() where token_sha256 = $1 and used_at is null and expires_at > now()
        returning id
        """,
        digest,
    )


async def note_join(tx: Tx, token_id: UUID, host_id: UUID) -> None:
    await tx.execute("update join_tokens set host_id = $2 where id = $1", token_id, host_id)


@dataclass(frozen=True)
class Joined:
    """A host, and how often it has joined."""

    host_id: UUID
    joining: int


async def is_abandoned(tx: Tx, name: str) -> bool:
    """Whether the host of this name was abandoned, and its VMs are not all deleted yet."""
    return await tx.fetchval("select exists (select from hosts where name = $1 and abandoned_at is not null)", name)


async def is_elsewhere(tx: Tx, name: str, *, address: str) -> bool:
    """Whether the host of this name is online at another address."""
    sql = f"select exists (select from hosts h where h.name = $1 and h.address <> $2 and not {IS_SILENT})"
    return await tx.fetchval(sql, name, address)


async def register(tx: Tx, request: RegisterRequest, *, credential_sha256: bytes) -> Joined:
    """Add a host, or give the one of that name its new address, facts and credential."""
    facts = request.facts
    row = await tx.fetchrow(
        """
        insert into hosts (id, name, address, credential_sha256, vmm, facts, vcpus, memory_mib, disk_bytes, boot_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        on conflict (name) do update set
            address = excluded.address, credential_sha256 = excluded.credential_sha256, vmm = excluded.vmm,
            facts = excluded.facts, vcpus = excluded.vcpus, memory_mib = excluded.memory_mib,
            disk_bytes = excluded.disk_bytes, joining = hosts.joining + 1, updated_at = now()
        returning id, joining
        """,
        new_id(),
        facts.name,
        request.address,
        credential_sha256,
        facts.vmm,
        facts.model_dump(mode="json"),
        facts.vcpus,
        facts.memory_mib,
        facts.disk_bytes,
        facts.boot_id,
    )
    assert row is not None
    return Joined(row["id"], row["joining"])


async def move(tx: Tx, host_id: UUID, *, address: str) -> tuple[Joined, str] | None:
    """Record where a host's agent is; the host and its name, or None for an unknown one."""
    row = await tx.fetchrow(
        """
        update hosts set address = $2, updated_at = case when address = $2 then updated_at else now() end
        where id = $1 and abandoned_at is null returning joining, name
        """,
        host_id,
        address,
    )
    return None if row is None else (Joined(host_id, row["joining"]), row["name"])


async def find(reader: Reader, host_id: UUID) -> Host | None:
    row = await reader.fetchrow(f"{_HOST} where h.id = $1", host_id)
    return None if row is None else _host_of(row)


async def find_ref(reader: Reader, host_id: UUID) -> HostRef | None:
    row = await reader.fetchrow(f"select h.id as host_id, {REF_COLUMNS} from hosts h where h.id = $1", host_id)
    return None if row is None else ref_of(row)


async def lock(tx: Tx, host_id: UUID) -> Host | None:
    """The host, with what is asked of it locked until `tx` ends; its heartbeats wait. Whoever locks machines or rooms
    as well has done so before."""
    row = await tx.fetchrow(f"{_HOST} where h.id = $1 for no key update", host_id)
    return None if row is None else _host_of(row)


_HOST = f"""
select h.id, h.name, h.generation, h.cordoned, {IS_SILENT} as is_silent, h.abandoned_at is not null as is_abandoned
from hosts h
"""


def _host_of(row: Record) -> Host:
    return Host(
        id=row["id"],
        name=row["name"],
        generation=row["generation"],
        is_cordoned=row["cordoned"],
        is_silent=row["is_silent"],
        is_abandoned=row["is_abandoned"],
    )


async def set_cordoned(tx: Tx, host_id: UUID, *, is_cordoned: bool) -> bool:
    """Whether that changed anything."""
    changed = await tx.fetchval(
        "update hosts set cordoned = $2, updated_at = now() where id = $1 and cordoned <> $2 returning id",
        host_id,
        is_cordoned,
    )
    return changed is not None


async def ask(tx: Tx, host_id: UUID) -> int:
    """Count one more thing that is asked of the host itself; its number."""
    return await tx.fetchval(
        "update hosts set generation = generation + 1, updated_at = now() where id = $1 returning generation", host_id
    )


async def abandon(tx: Tx, host_id: UUID) -> None:
    """Have everything the host holds open nothing from now on: no credential has this digest, and its certificates are
    for a joining that is over."""
    await tx.execute(
        """
        update hosts set abandoned_at = now(), silent_since = coalesce(silent_since, now()), cordoned = true,
            credential_sha256 = $2, joining = joining + 1, generation = generation + 1, updated_at = now()
        where id = $1
        """,
        host_id,
        secrets.token_bytes(32),
    )


async def to_write_off(reader: Reader) -> list[Host]:
    """Abandoned hosts with machines that do not know it yet."""
    rows = await reader.fetch(
        f"""
        {_HOST} where h.abandoned_at is not null
            and exists (select from machines m where m.host_id = h.id and not m.abandoned)
        """
    )
    return [_host_of(row) for row in rows]


async def with_vmm(reader: Reader, *, name: str, version: str, acceleration: str) -> list[UUID]:
    """Hosts that have this hypervisor."""
    rows = await reader.fetch(
        "select id from hosts where vmm = $1 and facts ->> 'vmm_version' = $2 and facts ->> 'acceleration' = $3",
        name,
        version,
        acceleration,
    )
    return [row["id"] for row in rows]


async def count_machines(tx: Tx, host_id: UUID) -> int:
    return await tx.fetchval("select count(*) from machines where host_id = $1", host_id)


async def count_snapshots(tx: Tx, host_id: UUID) -> int:
    return await tx.fetchval("select count(*) from snapshots where host_id = $1", host_id)


async def remove(tx: Tx, host_id: UUID) -> None:
    """Remove the row of a host without machines or snapshots."""
    await tx.execute("delete from hosts where id = $1", host_id)


_STATE = f"case when h.abandoned_at is not null then 'abandoned' when {IS_SILENT} then 'silent' else 'online' end"
ITEM = f"""
json_build_object(
    'id', h.id, 'name', h.name, 'state', {_STATE},
    'is_cordoned', h.cordoned, 'address', h.address, 'vmm', h.vmm, 'vmm_version', h.facts -> 'vmm_version',
    'acceleration', h.facts -> 'acceleration', 'why_vmm', h.facts -> 'why_vmm', 'offers', h.facts -> 'offers',
    'agent_version', h.facts -> 'agent_version', 'vcpus', h.vcpus, 'memory_mib', h.memory_mib,
    'disk_bytes', h.disk_bytes, 'usage', h.usage, 'last_seen_at', h.last_seen_at,
    'silent_since', h.silent_since, 'abandoned_at', h.abandoned_at,
    'operation_id', (select o.id from operations o
                     where o.subject_kind = 'host' and o.subject_id = h.id and o.status = 'running'
                     order by o.generation desc limit 1),
    'created_at', h.created_at, 'updated_at', h.updated_at
)
"""
"""A host as `schemas.HostBody` describes it; reservations are added where one host is asked for."""


async def list_json(reader: Reader, page: Page, *, state: HostState | None, name: str | None, q: str | None) -> bytes:
    args: list[object] = []
    where = conditions(
        args,
        (f"{_STATE} = {{}}", state),
        ("h.name = {}", name),
        ("strpos(lower(h.name || ' ' || h.address), lower({})) > 0", q),
    )
    sql = page.json_query(item=ITEM, source="hosts h", where=where, args=args)
    return page.json_answer(await reader.fetchrow(sql, *args))


async def find_json(reader: Reader, host_id: UUID) -> dict[str, Any] | None:
    return await reader.fetchval(f"select {ITEM} from hosts h where h.id = $1", host_id)
