"""The SQL of drives."""

from collections.abc import Sequence
from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.kit.ids import new_id
from nexus.manager.drives.models import NewDrive
from nexus.protocol.machines import DiskSpec


async def add(tx: Tx, machine_id: UUID, drives: Sequence[NewDrive]) -> None:
    """Give a machine its drives; the first is vda."""
    await tx.executemany(
        """
        insert into drives (id, machine_id, drive_id, position, role, format, image_id, size_bytes, is_read_only)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        [
            (
                new_id(),
                machine_id,
                drive.drive_id,
                position,
                drive.role,
                drive.format,
                drive.image_id,
                drive.size_bytes,
                drive.is_read_only,
            )
            for position, drive in enumerate(drives)
        ],
    )


async def specs(reader: Reader, machine_id: UUID) -> tuple[DiskSpec, ...]:
    """A machine's drives as its host must provide them, vda first."""
    rows = await reader.fetch(
        """
        select d.id, d.drive_id, d.role, d.format, i.sha256, d.size_bytes, d.is_read_only
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
        )
        for row in rows
    )
