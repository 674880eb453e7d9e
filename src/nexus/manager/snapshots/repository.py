"""The SQL of snapshots. Whoever locks both locks the VM's machine first and then the snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from nexus.kit.db import Reader, Tx
from nexus.kit.paging import Page, conditions
from nexus.manager.access import visible_to
from nexus.manager.snapshots.errors import SnapshotNameTaken, SnapshotNotFound
from nexus.manager.snapshots.models import SELECT, Purpose, Snapshot, SnapshotState, snapshot_of
from nexus.protocol.snapshots import SnapshotSeen, SnapshotType

_IS_VISIBLE = f"s.project_id = $1 and {visible_to(2, owner='s.created_by_user_id')}"
AWAITING = """
from machines m join vms v on v.machine_id = m.id
where m.restore_snapshot_id = s.id and m.restore_boot is not null and m.goal <> 'gone'
"""
"""Who has yet to begin from the snapshot `s`."""
DIFFS = """
from snapshots d where d.parent_id = s.id and d.type = 'Diff' and (d.state <> 'failed' or d.size_bytes is not null
    and not exists (select from hosts l where l.id = d.host_id and l.abandoned_at is not null))
"""
"""What is over the snapshot `s`. Of one that failed its host has something only if its size is known."""
_NEEDED_BY = f"""
(select coalesce(json_agg(n.name order by n.is_diff, n.name), '[]') from (
    select v.name, false as is_diff {AWAITING} union all select d.name, true {DIFFS} and d.goal = 'kept') n)
"""
ITEM = f"""
json_build_object(
    'id', s.id, 'name', s.name, 'description', s.description, 'vm_id', s.vm_id, 'vm_name', s.vm_name,
    'is_imported', s.is_imported,
    'host_id', h.id, 'host_name', h.name, 'snapshot_type', s.type, 'state', s.state, 'fault', s.fault,
    'warning', s.warning, 'purpose', s.purpose, 'parent_id', s.parent_id, 'has_memory', s.has_memory,
    'vcpu', s.vcpus, 'mem_mib', s.memory_mib, 'size_bytes', s.size_bytes, 'memory_bytes', s.memory_bytes,
    'checksum', s.checksum, 'pins', s.pins,
    'snapshot_path', case when s.has_memory then s.path || '/state' end,
    'mem_path', case when s.has_memory and s.type = 'Full' then s.path || '/memory' end, 'paused_ms', s.paused_ms,
    'needed_by', {_NEEDED_BY}, 'taken_at', s.taken_at,
    'operation_id', (select o.id from operations o
                     where o.subject_kind = 'snapshot' and o.subject_id = s.id and o.status = 'running'
                     order by o.generation desc limit 1),
    'created_by_user_id', s.created_by_user_id, 'created_at', s.created_at, 'updated_at', s.updated_at
)
"""
"""A snapshot as `schemas.SnapshotBody` describes it."""
_JOINS = "join hosts h on h.id = s.host_id"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which snapshots a list is to hold; None: all."""

    name: str | None = None
    q: str | None = None
    vm_id: UUID | None = None
    state: SnapshotState | None = None


async def list_json(reader: Reader, page: Page, wanted: Wanted, *, project_id: UUID, sees_only: UUID | None) -> bytes:
    """The answer of `GET /v1/snapshots`."""
    args: list[object] = []
    where = conditions(
        args,
        ("s.project_id = {}", project_id),
        ("s.created_by_user_id = {}", sees_only),
        ("s.name = {}", wanted.name),
        ("strpos(lower(concat_ws(' ', s.name, s.description, s.vm_name)), lower({})) > 0", wanted.q),
        ("s.vm_id = {}", wanted.vm_id),
        ("s.state = {}", wanted.state),
    )
    rows = f"join snapshots s on s.id = page_id {_JOINS}"
    sql = page.json_query(item=ITEM, source="snapshots s", where=where, args=args, rows=rows)
    return page.json_answer(await reader.fetchrow(sql, *args))


async def find_json(reader: Reader, snapshot_id: UUID, *, project_id: UUID, sees_only: UUID | None) -> str | None:
    """One snapshot as JSON text, if the asker may see it."""
    return await reader.fetchval(
        f"select ({ITEM})::text from snapshots s {_JOINS} where {_IS_VISIBLE} and s.id = $3",
        project_id,
        sees_only,
        snapshot_id,
    )


_VM = """
json_build_object('id', v.id, 'name', v.name, 'state', v.state, 'disk_size_bytes', (
    select coalesce(sum(d.size_bytes), 0) from drives d where d.machine_id = v.machine_id and not d.is_read_only))
"""


async def tree_json(reader: Reader, vm_id: UUID, *, project_id: UUID, sees_only: UUID | None) -> str | None:
    """`schemas.TreeBody` as JSON text, if the asker may see the VM."""
    return await reader.fetchval(
        f"""
        select json_build_object(
            'vm_id', o.id, 'vm_name', o.name,
            'size_bytes', (select coalesce(sum(s.size_bytes), 0) from snapshots s where s.vm_id = o.id),
            'snapshots', (select coalesce(json_agg(json_build_object(
                'id', s.id, 'name', s.name, 'state', s.state, 'snapshot_type', s.type, 'has_memory', s.has_memory,
                'parent_id', (select p.id from snapshots p where p.id = s.parent_id and p.vm_id = o.id),
                'size_bytes', s.size_bytes, 'is_current', s.id is not distinct from o.last_snapshot_id,
                'created_at', s.created_at,
                'vms', (select coalesce(json_agg({_VM} order by v.name), '[]') from vms v
                        where v.source_snapshot_id = s.id and {visible_to(2, owner="v.created_by_user_id")})
                ) order by s.created_at, s.id), '[]') from snapshots s where s.vm_id = o.id),
            'clones', (select coalesce(json_agg({_VM} order by v.name), '[]') from vms v
                       where v.cloned_from_id = o.id and v.source_snapshot_id is null
                           and {visible_to(2, owner="v.created_by_user_id")}))::text
        from vms o where o.project_id = $1 and {visible_to(2, owner="o.created_by_user_id")} and o.id = $3
        """,
        project_id,
        sees_only,
        vm_id,
    )


async def lock(tx: Tx, snapshot_id: UUID, *, project_id: UUID, sees_only: UUID | None) -> Snapshot:
    """The snapshot, locked until `tx` ends. Raises SnapshotNotFound, also for one that is not the asker's."""
    row = await tx.fetchrow(
        f"{SELECT} where {_IS_VISIBLE} and s.id = $3 for update of s", project_id, sees_only, snapshot_id
    )
    if row is None:
        raise SnapshotNotFound
    return snapshot_of(row)


async def waiting_for(tx: Tx, vm_id: UUID, *, begun_from: UUID | None) -> list[UUID]:
    """Snapshots that go with what becomes of a VM: it is to be suspended, or was cloned from one."""
    rows = await tx.fetch(
        """
        select id from snapshots
        where (vm_id = $1 and purpose = 'suspend') or (id = $2 and purpose = 'clone') order by id
        """,
        vm_id,
        begun_from,
    )
    return [row["id"] for row in rows]


async def vm_of(reader: Reader, snapshot_id: UUID) -> UUID | None:
    """The VM a snapshot was taken of, while both are there."""
    return await reader.fetchval("select vm_id from snapshots where id = $1", snapshot_id)


async def lock_any(tx: Tx, snapshot_id: UUID) -> Snapshot | None:
    row = await tx.fetchrow(f"{SELECT} where s.id = $1 for update of s", snapshot_id)
    return None if row is None else snapshot_of(row)


@dataclass(frozen=True, kw_only=True)
class NewSnapshot:
    """`name`: None, to be called after its VM and the time. `parent_id`: of a Diff, what it is over."""

    id: UUID
    project_id: UUID
    created_by_user_id: UUID
    name: str | None
    description: str
    vm_id: UUID
    machine_id: UUID
    host_id: UUID
    type: SnapshotType
    parent_id: UUID | None
    purpose: Purpose
    keep_last: int | None
    vcpus: int
    memory_mib: int
    definition: dict[str, Any]
    image_ids: set[UUID]
    expected_bytes: int
    vm_generation: int | None
    resumes: bool


async def add(tx: Tx, new: NewSnapshot) -> str:
    """Add a snapshot that is yet to be taken, after its parent or the last one of its VM; its name. Raises
    SnapshotNameTaken."""
    name = await tx.fetchval(
        """
        insert into snapshots (id, project_id, created_by_user_id, name, description, vm_id, vm_name, machine_id,
                               host_id, type, purpose, keep_last, vcpus, memory_mib, definition, expected_bytes,
                               vm_generation, resumes, parent_id)
        select $1::uuid, $2::uuid, $3::uuid,
               coalesce($4::text, left(v.name, 60) || to_char(now() at time zone 'utc', '-YYYYMMDD-HH24MISS-')
                                  || right($1::uuid::text, 4)),
               $5::text, v.id, v.name, $7::uuid, $8::uuid, $17::text, $9::text, $10::integer, $11::integer,
               $12::integer, $13::jsonb, $14::bigint, $15::bigint, $16::boolean,
               coalesce($18::uuid, v.last_snapshot_id)
        from vms v where v.id = $6 on conflict (project_id, name) do nothing returning name
        """,
        new.id,
        new.project_id,
        new.created_by_user_id,
        new.name,
        new.description,
        new.vm_id,
        new.machine_id,
        new.host_id,
        new.purpose,
        new.keep_last,
        new.vcpus,
        new.memory_mib,
        new.definition,
        new.expected_bytes,
        new.vm_generation,
        new.resumes,
        new.type,
        new.parent_id,
    )
    if name is None:
        raise SnapshotNameTaken(new.name or "")
    await tx.execute(
        "insert into snapshot_images (snapshot_id, image_id) select $1, unnest($2::uuid[])", new.id, list(new.image_ids)
    )
    return name


async def edit(tx: Tx, snapshot_id: UUID, *, name: str | None, description: str | None) -> None:
    """Set what is given. Raises SnapshotNameTaken."""
    try:
        await tx.execute(
            """
            update snapshots set name = coalesce($2, name), description = coalesce($3, description), updated_at = now()
            where id = $1
            """,
            snapshot_id,
            name,
            description,
        )
    except asyncpg.UniqueViolationError as taken:
        raise SnapshotNameTaken(name or "") from taken


async def want_gone(tx: Tx, snapshot_id: UUID) -> int:
    """Wish a snapshot gone; the generation of that wish."""
    return await tx.fetchval(
        """
        update snapshots set goal = 'gone', state = 'deleting', generation = generation + 1, updated_at = now()
        where id = $1 returning generation
        """,
        snapshot_id,
    )


async def want_back(tx: Tx, snapshot_id: UUID) -> None:
    """Take back the wish that it were gone: its host keeps it."""
    await tx.execute(
        """
        update snapshots set goal = 'kept', updated_at = now(),
            state = case when checksum is null then 'failed' else 'completed' end
        where id = $1
        """,
        snapshot_id,
    )


async def note_fault(tx: Tx, snapshot_id: UUID, fault: str) -> None:
    """Record that it could not be taken, or is lost."""
    await tx.execute(
        "update snapshots set state = 'failed', fault = $2, updated_at = now() where id = $1", snapshot_id, fault
    )


async def note_size(tx: Tx, snapshot_id: UUID, size_bytes: int) -> None:
    """Record what its host has of one that is of no use, until it is deleted."""
    await tx.execute("update snapshots set size_bytes = $2 where id = $1", snapshot_id, size_bytes)


async def complete(tx: Tx, snapshot_id: UUID, seen: SnapshotSeen) -> None:
    """Record what its host took."""
    await tx.execute(
        """
        update snapshots set state = 'completed', size_bytes = $2, memory_bytes = $3, has_memory = $4, checksum = $5,
            path = $6, pins = $7, warning = $8, paused_ms = $9, taken_at = $10, updated_at = now()
        where id = $1
        """,
        snapshot_id,
        seen.size_bytes,
        seen.memory_bytes,
        seen.has_memory,
        seen.checksum,
        seen.path,
        seen.pins.model_dump(mode="json") if seen.pins else None,
        seen.warning,
        seen.paused_ms,
        seen.taken_at,
    )


async def erase(tx: Tx, snapshot_id: UUID) -> None:
    """Remove the row; what came after it comes after what it came after."""
    for table, column in (("snapshots", "parent_id"), ("vms", "last_snapshot_id")):
        await tx.execute(
            f"update {table} t set {column} = s.parent_id from snapshots s where s.id = $1 and t.{column} = $1",
            snapshot_id,
        )
    await tx.execute("delete from snapshots where id = $1", snapshot_id)


async def needed_by(reader: Reader, snapshot_id: UUID) -> list[str]:
    """The VMs that have yet to begin from it, by name."""
    rows = await reader.fetch(
        f"select a.name from snapshots s, lateral (select v.name {AWAITING}) a where s.id = $1 order by a.name",
        snapshot_id,
    )
    return [row["name"] for row in rows]


@dataclass(frozen=True)
class Clone:
    """A VM that begins from a snapshot, and what has become of the promise that it will."""

    name: str
    status: str | None


async def clones(reader: Reader, snapshot_id: UUID) -> list[Clone]:
    rows = await reader.fetch(
        """
        select v.name, (select o.status from operations o where o.subject_kind = 'vm' and o.subject_id = v.id
                        and o.verb = 'create' order by o.created_at limit 1) as status
        from vms v join machines m on m.id = v.machine_id where m.restore_snapshot_id = $1 order by v.name
        """,
        snapshot_id,
    )
    return [Clone(row["name"], row["status"]) for row in rows]


async def spent(reader: Reader) -> Sequence[UUID]:
    """Snapshots that were taken for something that is over: VMs that went on from them, and clones that began."""
    rows = await reader.fetch(
        f"""
        select s.id from snapshots s
        where s.goal = 'kept' and s.purpose <> 'keep' and s.state <> 'creating' and not exists (select {AWAITING})
          and not exists (select from operations o
                          where o.subject_kind = 'snapshot' and o.subject_id = s.id and o.status = 'running')
        order by s.id limit 100
        """
    )
    return [row["id"] for row in rows]


async def lost(reader: Reader) -> Sequence[UUID]:
    """Snapshots on hosts that were given up, as far as that is not recorded."""
    rows = await reader.fetch(
        """
        select s.id from snapshots s join hosts h on h.id = s.host_id
        where h.abandoned_at is not null and s.state <> 'failed' order by s.id limit 100
        """
    )
    return [row["id"] for row in rows]
