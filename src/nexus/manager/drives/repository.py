"""The SQL of drives. Who may see a drive is who may see its VM; the machine's row is locked by whoever changes one."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.kit.ids import new_id
from nexus.manager.access import visible_to
from nexus.manager.drives.models import COLUMNS, Drive, HostFile, NewDrive, drive_of
from nexus.manager.limits.bodies import Device, stored
from nexus.protocol.machines import DiskSpec


async def add(tx: Tx, machine_id: UUID, drives: Sequence[NewDrive]) -> list[UUID]:
    """Give a machine drives, after those it has; the first of all is vda. Their ids."""
    rows = [_row(new_id(), machine_id, drive) for drive in drives]
    await tx.executemany(
        """
        insert into drives (id, machine_id, drive_id, position, role, format, image_id, size_bytes, is_read_only,
                            host_id, path_on_host, resolved_path, cache_type, io_engine, rate_limiter)
        values ($1, $2, $3, (select coalesce(max(position) + 1, 0) from drives where machine_id = $2), $4, $5, $6, $7,
                $8, $9, $10, $11, $12, $13, $14)
        """,
        rows,
    )
    return [row[0] for row in rows]


def _row(drive_id: UUID, machine_id: UUID, drive: NewDrive) -> tuple[Any, ...]:
    return (
        drive_id,
        machine_id,
        drive.drive_id,
        drive.role,
        drive.format,
        drive.image_id,
        drive.size_bytes,
        drive.is_read_only,
        drive.file.host_id if drive.file else None,
        drive.file.path if drive.file else None,
        drive.file.resolved_path if drive.file else None,
        drive.cache_type,
        drive.io_engine,
        stored(drive.rate_limiter, device=Device.DRIVE),
    )


async def find(reader: Reader, machine_id: UUID, named: UUID | str) -> Drive | None:
    """The machine's drive of this id, or of this drive_id."""
    column = "id" if isinstance(named, UUID) else "drive_id"
    row = await reader.fetchrow(
        f"select {COLUMNS} from drives d where d.machine_id = $1 and d.{column} = $2", machine_id, named
    )
    return None if row is None else drive_of(row)


async def ids(reader: Reader, machine_id: UUID) -> list[str]:
    """The `drive_id` of each of a machine's drives."""
    rows = await reader.fetch("select drive_id from drives where machine_id = $1", machine_id)
    return [row["drive_id"] for row in rows]


async def described(reader: Reader, machine_id: UUID) -> list[dict[str, Any]]:
    """What there is to a machine's drives but their content, as JSON, vda first."""
    return await reader.fetchval(
        """
        select coalesce(jsonb_agg(jsonb_build_object(
            'id', d.id, 'drive_id', d.drive_id, 'position', d.position, 'role', d.role, 'format', d.format,
            'image_id', d.image_id, 'size_bytes', d.size_bytes, 'is_read_only', d.is_read_only,
            'path_on_host', d.path_on_host, 'cache_type', d.cache_type, 'io_engine', d.io_engine,
            'rate_limiter', d.rate_limiter) order by d.position), '[]')
        from drives d where d.machine_id = $1
        """,
        machine_id,
    )


async def add_described(tx: Tx, machine_id: UUID, described: Sequence[Mapping[str, Any]]) -> None:
    """Give a machine drives like those (`described`), with ids of their own."""
    await tx.execute(
        """
        insert into drives (id, machine_id, drive_id, position, role, format, image_id, size_bytes, is_read_only,
                            cache_type, io_engine, rate_limiter)
        select d.id, $1, d.drive_id, d.position, d.role, d.format, d.image_id, d.size_bytes, d.is_read_only,
               d.cache_type, d.io_engine, d.rate_limiter
        from jsonb_to_recordset($2) as d(
            id uuid, drive_id text, position integer, role text, format text, image_id uuid, size_bytes bigint,
            is_read_only boolean, cache_type text, io_engine text, rate_limiter jsonb)
        """,
        machine_id,
        [{**drive, "id": str(new_id())} for drive in described],
    )


async def change(tx: Tx, drive: Drive) -> None:
    """Store what may change about a drive, but its file (`move`)."""
    await tx.execute(
        """
        update drives set size_bytes = $2, cache_type = $3, io_engine = $4, rate_limiter = $5, updated_at = now()
        where id = $1
        """,
        drive.id,
        drive.size_bytes,
        drive.cache_type,
        drive.io_engine,
        stored(drive.rate_limiter, device=Device.DRIVE),
    )


async def move(tx: Tx, drive_id: UUID, file: HostFile) -> None:
    """Have a drive be another file of the host's."""
    await tx.execute(
        """
        update drives set host_id = $2, path_on_host = $3, resolved_path = $4, size_bytes = $5, updated_at = now()
        where id = $1
        """,
        drive_id,
        file.host_id,
        file.path,
        file.resolved_path,
        file.size_bytes,
    )


async def remove(tx: Tx, drive_id: UUID) -> None:
    await tx.execute("delete from drives where id = $1", drive_id)


async def users_of_file(
    tx: Tx, host_id: UUID, resolved_path: str, *, besides: UUID | None, reads_only: bool
) -> list[str]:
    """The VMs with whose use of a file this one does not go together. Until `tx` ends nobody else is answered about
    this file."""
    await tx.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"drive {host_id} {resolved_path}")
    rows = await tx.fetch(
        """
        select v.name from drives d join vms v on v.machine_id = d.machine_id
        where d.host_id = $1 and d.resolved_path = $2 and d.id is distinct from $3 and not (d.is_read_only and $4)
        order by v.name
        """,
        host_id,
        resolved_path,
        besides,
        reads_only,
    )
    return [row["name"] for row in rows]


async def specs(reader: Reader, machine_id: UUID) -> tuple[DiskSpec, ...]:
    """A machine's drives as its host must provide them, vda first."""
    rows = await reader.fetch(
        """
        select d.id, d.drive_id, d.role, d.format, i.sha256, d.size_bytes, d.is_read_only, d.resolved_path,
               d.cache_type, d.io_engine, d.rate_limiter
        from drives d left join images i on i.id = d.image_id where d.machine_id = $1 order by d.position
        """,
        machine_id,
    )
    return tuple(
        DiskSpec(
            id=row["id"],
            drive_id=row["drive_id"],
            role=row["role"],
            format=row["format"],
            image_sha256=row["sha256"],
            size_bytes=None if row["is_read_only"] else row["size_bytes"],
            read_only=row["is_read_only"],
            path_on_host=row["resolved_path"],
            cache_type=row["cache_type"],
            io_engine=row["io_engine"],
            rate_limiter=row["rate_limiter"],
        )
        for row in rows
    )


ITEM = """
json_build_object(
    'id', d.id, 'vm_id', v.id, 'drive_id', d.drive_id, 'role', d.role, 'is_root_device', d.role = 'root',
    'is_read_only', d.is_read_only, 'path_on_host', d.path_on_host, 'image_id', d.image_id, 'image', i.name,
    'format', d.format, 'size_bytes', d.size_bytes, 'cache_type', d.cache_type, 'io_engine', d.io_engine,
    'rate_limiter', d.rate_limiter, 'is_pending', 'drives.' || d.drive_id = any(m.seen_pending),
    'created_at', d.created_at, 'updated_at', d.updated_at
)
"""
"""A drive as `schemas.DriveBody` describes it; a test compares the two."""


async def list_json(reader: Reader, vm_id: UUID, *, sees_only: UUID | None) -> str | None:
    """The drives of a VM as a JSON array, vda first; None for a VM that is not there, or not the asker's."""
    return await reader.fetchval(
        f"""
        select coalesce(json_agg({ITEM} order by d.position) filter (where d.id is not null), '[]')::text
        from vms v join machines m on m.id = v.machine_id
        left join drives d on d.machine_id = m.id left join images i on i.id = d.image_id
        where v.id = $1 and {visible_to(2, owner="v.created_by_user_id")} group by v.id
        """,
        vm_id,
        sees_only,
    )


async def find_json(reader: Reader, drive_id: UUID) -> str | None:
    """One drive as JSON text."""
    return await reader.fetchval(
        f"""
        select ({ITEM})::text
        from drives d join machines m on m.id = d.machine_id join vms v on v.machine_id = m.id
        left join images i on i.id = d.image_id where d.id = $1
        """,
        drive_id,
    )
