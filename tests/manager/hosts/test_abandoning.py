"""Giving up a host that is lost: what becomes of its VMs, and that it is refused whatever it says afterwards."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, refused, until, vm_of
from tests.manager.compute.test_hosts import join
from tests.manager.hosts.acting import PATIENCE_S, host_is_in, host_of, is_in, told
from tests.manager.hosts.conftest import Silence

from nexus.agent import credential
from nexus.agent.settings import AgentSettings
from nexus.kit.db import Db
from nexus.manager.hosts.errors import HostNotFound
from nexus.manager.hosts.models import HostRef
from nexus.manager.hosts.placement import Overcommit
from nexus.manager.hosts.service import Hosts
from nexus.manager.machines.service import Machines
from nexus.protocol.hosts import Heartbeat
from nexus.protocol.machines import ExitReason, GuestPhase, Power

LOST = "Its host host-1 was given up for lost, and its disks with it."


async def abandon(admin: httpx.AsyncClient, **body: object) -> httpx.Response:
    host_id = (await host_of(admin))["id"]
    return await admin.post(f"/v1/hosts/{host_id}/abandon", json={"name": "host-1"} | body)


async def test_only_a_silent_host_is_abandoned_by_an_admin_who_names_it(
    host: JoinedHost, admin: httpx.AsyncClient, user: httpx.AsyncClient, silence: Silence
) -> None:
    vm_id = await create(user)
    assert refused(await abandon(admin), 409)["code"] == "host_reports"
    await silence(host)
    await is_in(user, vm_id, "unknown")
    assert (await host_of(admin))["state"] == "silent"
    assert "called host-1" in refused(await abandon(admin, name="host-2"), 422)["error"]
    refused(await abandon(user), 403)
    refused(await admin.post(f"/v1/hosts/{uuid4()}/abandon", json={"name": "host-1"}), 404)
    assert (await host_of(admin))["state"] == "silent"
    assert (await vm_of(user, vm_id))["state"] == "unknown"


async def test_vms_of_an_abandoned_host_say_that_they_are_lost_and_can_only_be_deleted(
    host: JoinedHost, admin: httpx.AsyncClient, user: httpx.AsyncClient, silence: Silence, db: Db
) -> None:
    running, off = await create(user), await create(user, "web-2", start=False)
    await silence(host)
    await is_in(user, running, "unknown")
    assert ok(await abandon(admin))["vms"] == 2
    for vm_id in (running, off):
        vm = await vm_of(user, vm_id)
        assert (vm["state"], vm["why"], vm["fault"], vm["guest_ip"]) == ("error", LOST, LOST, None)
        refusals = {action["verb"]: action["refusal"] for action in vm["actions"]}
        assert refusals.pop("delete") is None
        assert all("its host was given up for lost, and its disks were there" in why for why in refusals.values())
        for verb in ("start", "stop", "reboot"):
            assert refused(await user.post(f"/v1/vms/{vm_id}/{verb}"), 409)["suggestion"] == "Delete it."
        refused(await user.get(f"/v1/vms/{vm_id}/console"), 409)
        events, verbs = await told(db, vm_id)
        assert (events.count("vm.lost"), verbs.count("lose")) == (1, 1)
    item = await host_of(user)
    assert (item["state"], item["is_cordoned"]) == ("abandoned", True)
    detail = ok(await user.get(f"/v1/hosts/{item['id']}"))["item"]
    assert detail["reserved"]["memory_mib"] == 0
    body = refused(await user.post("/v1/vms", json={"name": "web-3"}), 503)
    assert body["fault_message"] == "host-1: was abandoned."
    assert ok(await abandon(admin))["vms"] == 0, "again: nothing is left to be done"
    for vm_id in (running, off):
        ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))
        refused(await user.get(f"/v1/vms/{vm_id}"), 404)
    for table in ("machines", "nics", "drives", "flows"):
        assert not await db.fetchval(f"select count(*) from {table}")
    assert not await db.fetchval("select next_host - 2 - (select count(*) from released_addresses) from networks")
    events, verbs = await told(db, item["id"])
    assert events == ["host.joined", "host.silent", "host.abandoned"]
    assert verbs == ["register", "find-silent", "abandon"]


async def test_what_was_under_way_on_an_abandoned_host_ends(
    host: JoinedHost, admin: httpx.AsyncClient, user: httpx.AsyncClient, silence: Silence, db: Db
) -> None:
    deleting, stopping = await create(user), await create(user, "web-2")
    await silence(host)
    for vm_id in (deleting, stopping):
        await is_in(user, vm_id, "unknown")
    await db.execute("update hosts set address = 'unix:/nowhere/agent.sock'")
    deletion = ok(await user.delete(f"/v1/vms/{deleting}"))["operation_id"]
    await db.execute("update vms set state = 'running' where id = $1", stopping)
    stop = ok(await user.post(f"/v1/vms/{stopping}/stop"))["operation_id"]
    ok(await abandon(admin))
    answer = ok(await user.get(f"/v1/operations/{deletion}", params={"wait": 60}))["item"]
    assert answer["status"] == "done"
    refused(await user.get(f"/v1/vms/{deleting}"), 404)
    answer = ok(await user.get(f"/v1/operations/{stop}", params={"wait": 60}))["item"]
    assert (answer["status"], answer["error"]["error"]) == ("failed", f"web-2 has failed: {LOST}")
    assert answer["error"]["suggestion"] == "Delete it."
    await until(lambda: db.fetchval("select count(*) = 0 from flows"))


async def test_an_abandoned_host_is_refused_and_nothing_it_says_is_believed(
    host: JoinedHost,
    agent_settings: AgentSettings,
    admin: httpx.AsyncClient,
    anonymous: httpx.AsyncClient,
    user: httpx.AsyncClient,
    silence: Silence,
    db: Db,
) -> None:
    vm_id = await create(user)
    machine_id = await machine_of(db, vm_id)
    kept = credential.load(agent_settings.run_dir / "credential.json")
    assert kept is not None
    await silence(host)
    await is_in(user, vm_id, "unknown")
    ok(await abandon(admin))
    host.reporting.start()
    headers = {"Authorization": f"Bearer {kept.credential}"}
    beat = {"boot_id": "x", "seq": 1, "full": True}
    refused(await anonymous.post(f"/v1/hosts/{kept.host_id}/heartbeat", json=beat, headers=headers), 401)
    host.vmm.end(machine_id, ExitReason.GUEST_REBOOT, "The guest restarted itself.")
    await until(lambda: _is_off(host, machine_id))
    assert (await vm_of(user, vm_id))["why"] == LOST
    assert (await host_of(user))["state"] == "abandoned"
    token = ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"]
    assert refused(await join(anonymous, token, "host-1"), 409)["code"] == "host_abandoned"
    ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))
    ok(await admin.delete(f"/v1/hosts/{kept.host_id}"))
    ok(await join(anonymous, token, "host-1"))


async def _is_off(host: JoinedHost, machine_id: Any) -> bool:
    return (await host.vmm.observe(machine_id)).power is Power.OFF


async def test_a_machine_that_joins_again_under_the_name_is_a_new_host_and_removes_what_was_deleted(
    host: JoinedHost,
    agent_settings: AgentSettings,
    admin: httpx.AsyncClient,
    user: httpx.AsyncClient,
    silence: Silence,
    db: Db,
) -> None:
    vm_id = await create(user)
    before = (await host_of(user))["id"]
    await silence(host)
    await is_in(user, vm_id, "unknown")
    ok(await abandon(admin))
    assert "machine is on it" in refused(await admin.delete(f"/v1/hosts/{before}"), 409)["error"]
    ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))
    ok(await admin.delete(f"/v1/hosts/{before}"))
    assert len(host.machines.list()) == 1, "what was lost still runs there"
    (agent_settings.run_dir / "credential.json").unlink()
    host.reporting.start()
    assert (await host_is_in(user, "online"))["id"] != before

    async def is_clean() -> bool:
        return not host.machines.list()

    await until(is_clean, within_s=PATIENCE_S)
    await create(user, "web-2")


async def test_a_manager_that_dies_between_giving_up_a_host_and_its_vms_is_made_up_for(
    host: JoinedHost, user: httpx.AsyncClient, silence: Silence, db: Db
) -> None:
    vm_id = await create(user)
    await silence(host)
    await is_in(user, vm_id, "unknown")
    await db.execute("update hosts set abandoned_at = now()")
    await is_in(user, vm_id, "error")
    assert (await vm_of(user, vm_id))["why"] == LOST


async def test_what_was_on_its_way_when_a_host_was_abandoned_changes_nothing_any_more(
    host: JoinedHost, admin: httpx.AsyncClient, user: httpx.AsyncClient, silence: Silence, db: Db
) -> None:
    """A report that was let in before, and an agent's answer to a flow."""
    vm_id = await create(user)
    [seen] = host.machines.list()
    before = await host_ref(db)
    await silence(host)
    await is_in(user, vm_id, "unknown")
    ok(await abandon(admin))
    late = seen.model_copy(update={"seq": seen.seq + 1_000_000, "guest": GuestPhase.BOOTING})
    hosts = Hosts(db, Machines(), overcommit=Overcommit(vcpus=1, memory=1, disk=1))
    beat = Heartbeat(boot_id=before.boot_id, seq=late.seq, full=True, machines=(late,))
    with pytest.raises(HostNotFound):
        await hosts.heartbeat(before.id, beat)
    async with db.transaction() as tx:
        await Machines().absorb(tx, before, late)
        await Machines().take_in(tx, before.id, beat, floor_seq=0)
    vm = await vm_of(user, vm_id)
    assert (vm["state"], vm["guest"], vm["why"]) == ("error", "absent", LOST)


async def host_ref(db: Db) -> HostRef:
    row = await db.fetchrow("select id, name, address, joining, boot_id, seen_seq from hosts")
    assert row is not None
    known: dict[str, Any] = {name: False for name in HostRef.__dataclass_fields__ if name.startswith("is_")}
    return HostRef(**(known | dict(row)), offers=frozenset())
