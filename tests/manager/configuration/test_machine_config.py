"""A VM's size: what is recorded, what its host is told, when it takes effect, and who may have how much."""

from typing import Any
from uuid import UUID

import httpx
from tests.manager.compute.acting import JoinedHost, create, ok, refused, until, vm_of

from nexus.kit.db import Db
from nexus.protocol.machines import ExitReason


async def resize(client: httpx.AsyncClient, vm_id: UUID, **size: int) -> dict[str, Any]:
    return ok(await client.patch(f"/v1/vms/{vm_id}/machine-config", json=size))


async def size_of(client: httpx.AsyncClient, vm_id: UUID) -> dict[str, Any]:
    return ok(await client.get(f"/v1/vms/{vm_id}/machine-config"))["item"]


async def test_a_running_vm_has_its_new_size_after_the_restart_that_was_announced(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user, vcpu=1, mem_mib=256)
    answer = await resize(user, vm_id, vcpu=2, mem_mib=384)
    assert (answer["applied"], answer["pending_changes"]) == ("next_start", ["memory_mib", "vcpus"])
    assert answer["operation_id"]
    assert await size_of(user, vm_id) == {"vcpu": 2, "mem_mib": 384, "running_vcpu": 1, "running_mem_mib": 256}
    vm = await vm_of(user, vm_id)
    assert (vm["vcpu"], vm["mem_mib"], vm["state"]) == (2, 384, "running")
    assert sorted(vm["pending_changes"]) == ["memory_mib", "vcpus"]
    assert ok(await user.post(f"/v1/vms/{vm_id}/reboot", params={"wait": 60}))["status"] == "done"
    assert await size_of(user, vm_id) == {"vcpu": 2, "mem_mib": 384, "running_vcpu": 2, "running_mem_mib": 384}
    assert (await vm_of(user, vm_id))["pending_changes"] == []


async def test_a_vm_that_is_off_has_nothing_pending_and_starts_with_its_new_size(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user, start=False)
    answer = ok(
        await user.put(f"/v1/vms/{vm_id}/machine-config", json={"vcpu": 2, "mem_mib": 300}, params={"wait": 60})
    )
    assert (answer["applied"], answer["pending_changes"], answer["status"]) == ("next_start", [], "done")
    assert (await vm_of(user, vm_id))["state"] == "stopped"
    ok(await user.post(f"/v1/vms/{vm_id}/start", params={"wait": 60}))
    assert await size_of(user, vm_id) == {"vcpu": 2, "mem_mib": 300, "running_vcpu": 2, "running_mem_mib": 300}


async def test_what_is_set_already_is_no_change(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user, vcpu=1)
    answer = await resize(user, vm_id, vcpu=1)
    assert (answer["applied"], answer["operation_id"]) == ("now", None)
    assert (await resize(user, vm_id, vcpu=2))["applied"] == "next_start"
    again = await resize(user, vm_id, vcpu=2)
    assert (again["applied"], again["operation_id"]) == ("next_start", None)
    assert (await resize(user, vm_id, vcpu=1))["applied"] == "now", "back to what the running boot has"
    assert (await vm_of(user, vm_id))["pending_changes"] == []
    assert await db.fetchval("select count(*) from audit where verb = 'configure'") == 2


async def test_a_start_under_way_is_not_superseded_by_a_change(host: JoinedHost, user: httpx.AsyncClient) -> None:
    host.vmm.boot_s = 1
    created = ok(await user.post("/v1/vms", json={"name": "web-1"}))
    changed = await resize(user, created["id"], vcpu=2)
    assert changed["operation_id"] != created["operation_id"]
    for operation in (created["operation_id"], changed["operation_id"]):
        ended = ok(await user.get(f"/v1/operations/{operation}", params={"wait": 60}))["item"]
        assert ended["status"] == "done"


async def test_a_vm_that_has_failed_keeps_its_fault_and_is_told_when_it_starts(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user)
    machine = await db.fetchval("select machine_id from vms where id = $1", vm_id)
    host.vmm.end(machine, ExitReason.VMM_FAILED, "Its VMM failed with status 1.")
    await until(lambda: _is_in(user, vm_id, "error"))
    answer = await resize(user, vm_id, vcpu=2)
    assert (answer["applied"], answer["operation_id"]) == ("next_start", None)
    vm = await vm_of(user, vm_id)
    assert (vm["state"], vm["vcpu"], vm["fault"]) == ("error", 2, "Its VMM failed with status 1.")
    ok(await user.post(f"/v1/vms/{vm_id}/start", params={"wait": 60}))
    assert (await size_of(user, vm_id))["running_vcpu"] == 2


async def _is_in(client: httpx.AsyncClient, vm_id: UUID, state: str) -> bool:
    return (await vm_of(client, vm_id))["state"] == state


async def test_what_a_host_has_not_left_is_refused_and_changes_nothing(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user, mem_mib=256)
    body = refused(await user.patch(f"/v1/vms/{vm_id}/machine-config", json={"mem_mib": 1 << 20}), 503)
    assert body["code"] == "no_room"
    assert (await size_of(user, vm_id))["mem_mib"] == 256
    assert await db.fetchval("select count(*) from audit where verb = 'configure'") == 0


async def test_a_smaller_size_frees_nothing_before_the_running_boot_is_over(
    host: JoinedHost, user: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    vm_id = await create(user, mem_mib=512, vcpu=2)
    await resize(user, vm_id, mem_mib=256, vcpu=1)
    [item] = ok(await admin.get("/v1/hosts"))["items"]

    async def reserved() -> tuple[int, int]:
        amounts = ok(await admin.get(f"/v1/hosts/{item['id']}"))["item"]["reserved"]
        return amounts["vcpus"], amounts["memory_mib"]

    assert await reserved() == (2, 512)
    ok(await user.post(f"/v1/vms/{vm_id}/reboot", params={"wait": 60}))
    assert await reserved() == (1, 256)


async def test_a_size_that_no_machine_can_have_is_refused(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user, start=False)
    for size in ({"vcpu": 0}, {"vcpu": 33}, {"mem_mib": 127}, {"vcpu": None}, {"cpus": 2}):
        refused(await user.patch(f"/v1/vms/{vm_id}/machine-config", json=size), 422)


async def test_a_vm_that_is_not_ones_own_is_not_there(
    host: JoinedHost, user: httpx.AsyncClient, other_user: httpx.AsyncClient
) -> None:
    vm_id = await create(user, start=False)
    refused(await other_user.get(f"/v1/vms/{vm_id}/machine-config"), 404)
    refused(await other_user.patch(f"/v1/vms/{vm_id}/machine-config", json={"vcpu": 2}), 404)
    etag = (await user.get(f"/v1/vms/{vm_id}")).headers["etag"]
    await resize(user, vm_id, vcpu=2)
    stale = await user.patch(f"/v1/vms/{vm_id}/machine-config", json={"vcpu": 3}, headers={"If-Match": etag})
    refused(stale, 412)
