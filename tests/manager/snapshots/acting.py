"""What tests of this folder ask, in their own words."""

from typing import Any
from uuid import UUID

import httpx
from tests.manager.compute.acting import create, ok


async def in_state(client: httpx.AsyncClient, state: str, name: str = "web-1") -> UUID:
    """A VM that has run, and is running, paused or stopped."""
    vm_id = await create(client, name)
    if verb := {"paused": "pause", "stopped": "stop"}.get(state):
        ok(await client.post(f"/v1/vms/{vm_id}/{verb}", params={"wait": 30}))
    return vm_id


async def take(client: httpx.AsyncClient, vm_id: UUID, **wanted: object) -> UUID:
    """A completed snapshot."""
    answer = ok(await client.post(f"/v1/vms/{vm_id}/snapshots", json=wanted, params={"wait": 30}))
    assert answer["status"] == "done", answer
    return UUID(answer["id"])


async def snapshot_of(client: httpx.AsyncClient, snapshot_id: UUID) -> dict[str, Any]:
    return ok(await client.get(f"/v1/snapshots/{snapshot_id}"))["item"]


async def named(client: httpx.AsyncClient, **query: str) -> list[str]:
    """The names of the snapshots of a list."""
    return [item["name"] for item in ok(await client.get("/v1/snapshots", params=query))["items"]]
