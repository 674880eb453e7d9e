"""What tests of this folder say and ask, in their own words."""

from typing import Any
from uuid import UUID

import httpx
from tests.manager.compute.acting import ok, until, vm_of

from nexus.kit.db import Db

PATIENCE_S = 120


async def host_of(client: httpx.AsyncClient, name: str = "host-1") -> dict[str, Any]:
    """The host of this name."""
    [item] = ok(await client.get("/v1/hosts", params={"name": name}))["items"]
    return item


async def is_in(client: httpx.AsyncClient, vm_id: UUID, state: str) -> None:
    """Wait until the VM is in this state."""

    async def is_there() -> bool:
        return (await vm_of(client, vm_id))["state"] == state

    await until(is_there, within_s=PATIENCE_S)


async def host_is_in(client: httpx.AsyncClient, state: str, name: str = "host-1") -> dict[str, Any]:
    """The host, once it is in this state."""

    async def is_there() -> dict[str, Any] | None:
        items = ok(await client.get("/v1/hosts", params={"name": name}))["items"]
        return next((item for item in items if item["state"] == state), None)

    return await until(is_there, within_s=PATIENCE_S)


async def told(db: Db, subject_id: str | UUID) -> tuple[list[str], list[str]]:
    """The types of the events about this thing, and the verbs on record, in order."""
    events = await db.fetch("select type from events where subject_id = $1 order by seq", UUID(str(subject_id)))
    audit = await db.fetch("select verb from audit where subject_id = $1 order by at, id", UUID(str(subject_id)))
    return [row["type"] for row in events], [row["verb"] for row in audit]
