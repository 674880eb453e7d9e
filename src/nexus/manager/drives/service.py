"""Drives of machines, as other slices make and describe them."""

from collections.abc import Sequence
from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.manager.drives import repository
from nexus.manager.drives.models import NewDrive
from nexus.protocol.machines import DiskSpec


async def add(tx: Tx, machine_id: UUID, drives: Sequence[NewDrive]) -> None:
    """Give a machine its drives; the first is vda."""
    await repository.add(tx, machine_id, drives)


async def specs(reader: Reader, machine_id: UUID) -> tuple[DiskSpec, ...]:
    """A machine's drives as its host must provide them, vda first."""
    return await repository.specs(reader, machine_id)
