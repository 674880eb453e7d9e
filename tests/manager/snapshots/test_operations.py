"""The operations and the audit trail of a VM: its own, and those on its snapshots."""

import httpx
from tests.manager.compute.acting import JoinedHost, create, ok
from tests.manager.snapshots.acting import take


async def done(client: httpx.AsyncClient, **query: str) -> list[str]:
    """What was asked for, the oldest first."""
    items = ok(await client.get("/v1/operations", params={"sort": "created_at", **query}))["items"]
    return [f"{item['verb']} {item['subject_name']}" for item in items]


async def test_a_vms_operations_are_its_own_and_those_on_its_snapshots(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    vm_id, other_id = await create(user), await create(user, "web-2")
    snapshot_id = await take(user, vm_id, name="one")
    await take(user, other_id, name="two")
    ok(await user.delete(f"/v1/snapshots/{snapshot_id}", params={"wait": 30}))
    assert await done(user, vm_id=str(vm_id)) == ["create web-1", "create one", "delete one"]
    assert await done(user, vm_id=str(other_id), subject_kind="snapshot") == ["create two"]
    assert await done(user, vm_id=str(snapshot_id)) == []


async def test_suspending_and_cloning_are_called_after_the_vm(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user)
    ok(await user.post(f"/v1/vms/{vm_id}/clone", params={"wait": 30}))
    ok(await user.post(f"/v1/vms/{vm_id}/suspend", params={"wait": 30}))
    asked = await done(user, vm_id=str(vm_id), subject_kind="snapshot")
    assert [words for words in asked if not words.startswith("delete")] == ["clone web-1", "suspend web-1"]


async def test_a_vms_audit_trail_goes_on_in_its_snapshots_also_when_those_are_gone(
    host: JoinedHost, user: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    vm_id, other_id = await create(user), await create(user, "web-2")
    snapshot_id = await take(user, vm_id, name="one")
    await take(user, other_id, name="two")
    ok(await user.patch(f"/v1/snapshots/{snapshot_id}", json={"name": "first"}))
    assert (await user.get(f"/v1/snapshots/{snapshot_id}/export")).is_success
    ok(await user.delete(f"/v1/snapshots/{snapshot_id}", params={"wait": 30}))
    items = ok(await admin.get("/v1/audit", params={"sort": "at", "vm_id": str(vm_id)}))["items"]
    assert [f"{item['verb']} {item['subject_name']}" for item in items] == [
        *("create web-1", "create one", "edit one", "export first", "delete first")
    ]
    assert ok(await admin.get("/v1/audit", params={"vm_id": str(snapshot_id)}))["items"] == []
