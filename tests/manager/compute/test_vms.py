"""VMs from request to host and back: the manager, a real database, the real agent, a hypervisor that runs nothing."""

import httpx
from tests.manager.compute.acting import JoinedHost, create, ok, refused, vm_of


async def test_a_vm_is_created_runs_and_leaves_nothing(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user)
    vm = await vm_of(user, vm_id)
    assert (vm["state"], vm["guest"], vm["host_name"]) == ("running", "ready", "host-1")
    assert ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))["status"] == "done"
    refused(await user.get(f"/v1/vms/{vm_id}"), 404)
    assert host.machines.list() == ()
