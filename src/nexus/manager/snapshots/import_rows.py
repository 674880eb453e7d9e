"""The SQL of snapshots that come as archives."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.manager.snapshots.errors import SnapshotNameTaken


@dataclass(frozen=True, kw_only=True)
class NewImport:
    """`machine_id`: made up; no host has it."""

    id: UUID
    project_id: UUID
    created_by_user_id: UUID
    name: str
    description: str
    vm_name: str
    machine_id: UUID
    host_id: UUID
    vcpus: int
    memory_mib: int
    definition: dict[str, Any]
    image_ids: set[UUID]
    expected_bytes: int


async def add(tx: Tx, new: NewImport) -> None:
    """Add a snapshot that is coming in. Raises SnapshotNameTaken."""
    is_added = await tx.fetchval(
        """
        insert into snapshots (id, project_id, created_by_user_id, name, description, vm_name, machine_id, host_id,
                               type, purpose, vcpus, memory_mib, definition, expected_bytes, is_imported)
        values ($1, $2, $3, $4, $5, $6, $7, $8, 'Full', 'keep', $9, $10, $11, $12, true)
        on conflict (project_id, name) do nothing returning true
        """,
        new.id,
        new.project_id,
        new.created_by_user_id,
        new.name,
        new.description,
        new.vm_name,
        new.machine_id,
        new.host_id,
        new.vcpus,
        new.memory_mib,
        new.definition,
        new.expected_bytes,
    )
    if not is_added:
        raise SnapshotNameTaken(new.name)
    await tx.execute(
        "insert into snapshot_images (snapshot_id, image_id) select $1, unnest($2::uuid[])", new.id, list(new.image_ids)
    )


async def is_taken(reader: Reader, *, project_id: UUID, name: str) -> bool:
    return await reader.fetchval(
        "select exists (select from snapshots where project_id = $1 and name = $2)", project_id, name
    )
