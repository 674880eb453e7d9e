"""Drives of machines, as other slices make and describe them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.manager.drives import repository
from nexus.manager.drives.models import NewDrive
from nexus.protocol.machines import DiskSpec


async def add(tx: Tx, machine_id: UUID, drives: Sequence[NewDrive]) -> None:
    """Give a machine its drives; the first is vda."""
    await repository.add(tx, machine_id, drives)


async def described(reader: Reader, machine_id: UUID) -> list[dict[str, Any]]:
    """What there is to a machine's drives but their content, as JSON, vda first. `path_on_host`: a host's own file."""
    return await repository.described(reader, machine_id)


async def add_described(tx: Tx, machine_id: UUID, described: Sequence[Mapping[str, Any]]) -> None:
    """Give a machine drives like those; none is a host's own file."""
    await repository.add_described(tx, machine_id, described)


async def specs(reader: Reader, machine_id: UUID) -> tuple[DiskSpec, ...]:
    """A machine's drives as its host must provide them, vda first."""
    return await repository.specs(reader, machine_id)
