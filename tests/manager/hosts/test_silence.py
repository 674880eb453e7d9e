"""A host that stops reporting, and comes back."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, refused, until, vm_of
from tests.manager.hosts.acting import PATIENCE_S, host_is_in, host_of, is_in, told
from tests.manager.hosts.conftest import Silence

from nexus.kit.db import Db
from nexus.manager.hosts import sweep
from nexus.manager.hosts.models import SILENT_AFTER_S
from nexus.protocol.machines import ExitReason


async def test_a_silent_host_makes_its_vms_unknown_until_it_reports_again(
    host: JoinedHost, user: httpx.AsyncClient, silence: Silence, db: Db
) -> None:
    vm_id = await create(user)
    host_id = (await host_of(user))["id"]
    await silence(host)
    await is_in(user, vm_id, "unknown")
    item = await host_of(user)
    assert (item["state"], item["silent_since"]) == ("silent", item["last_seen_at"])
    assert "has not been heard from" in refused(await user.post(f"/v1/vms/{vm_id}/stop"), 409)["error"]
    body = refused(await user.post("/v1/vms", json={"name": "web-2"}), 503)
    assert body["fault_message"] == "host-1: has not been heard from."
    host.reporting.start()
    await is_in(user, vm_id, "running")
    item = await host_is_in(user, "online")
    assert item["silent_since"] is None
    events, verbs = await told(db, host_id)
    assert events == ["host.joined", "host.silent", "host.online"]
    assert verbs == ["register", "find-silent", "return"]


async def test_what_befell_a_vm_while_its_host_was_silent_is_told_when_it_returns(
    host: JoinedHost, user: httpx.AsyncClient, silence: Silence, db: Db
) -> None:
    ended, running = await create(user), await create(user, "web-2")
    before = await db.fetch("select id, host_id, generation, boot from machines order by id")
    await silence(host)
    await is_in(user, ended, "unknown")
    host.vmm.end(await machine_of(db, ended), ExitReason.GUEST_SHUTDOWN, "The guest powered itself off.")
    assert (await vm_of(user, ended))["state"] == "unknown", "nobody can know"
    assert before == await db.fetch("select id, host_id, generation, boot from machines order by id"), (
        "nothing was started elsewhere, nor wished for"
    )
    host.reporting.start()
    await is_in(user, ended, "stopped")
    assert (await vm_of(user, ended))["why"] == "The guest powered itself off."
    await is_in(user, running, "running")
    ok(await user.post(f"/v1/vms/{ended}/start", params={"wait": 60}))


async def test_a_vm_deleted_while_its_host_is_silent_says_what_it_waits_for_and_is_gone_once_that_returns(
    host: JoinedHost, user: httpx.AsyncClient, silence: Silence, db: Db
) -> None:
    vm_id = await create(user)
    await silence(host)
    await is_in(user, vm_id, "unknown")
    address = await db.fetchval("select address from hosts")
    await db.execute("update hosts set address = 'unix:/nowhere/agent.sock'")
    operation_id = ok(await user.delete(f"/v1/vms/{vm_id}"))["operation_id"]

    async def has_failed() -> dict[str, Any] | None:
        for table in ("operations", "flows"):
            await db.execute(f"update {table} set deadline = now() where subject_id = $1", vm_id)
        operation = ok(await user.get(f"/v1/operations/{operation_id}"))["item"]
        return operation if operation["status"] == "failed" else None

    failed = await until(has_failed, within_s=PATIENCE_S)
    assert failed["error"]["error"] == "Cannot delete web-1 in time: its host host-1 has not been heard from."
    assert "abandon" in failed["error"]["suggestion"]
    assert (await vm_of(user, vm_id))["state"] == "deleting"
    await db.execute("update hosts set address = $1", address)
    host.reporting.start()

    async def is_gone() -> bool:
        return (await user.get(f"/v1/vms/{vm_id}")).status_code == 404

    await until(is_gone, within_s=PATIENCE_S)
    assert not host.machines.list()


async def test_a_manager_that_has_just_come_up_finds_nobody_silent_before_it_has_listened(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    """Otherwise all VMs would be unknown for a moment whenever the manager was away for a while."""
    vm_id = await create(user)
    await db.execute("update hosts set last_seen_at = now() - interval '1 hour'")
    await until(lambda: db.fetchval("select last_seen_at > now() - interval '1 minute' from hosts"))
    events = await db.fetch("select data from events where subject_id = $1 and type = 'vm.state_changed'", vm_id)
    assert "unknown" not in {row["data"]["state"] for row in events}
    assert (await host_of(user))["state"] == "online"


def test_silence_is_found_within_twenty_seconds() -> None:
    """A host is overdue after SILENT_AFTER_S at the latest, and somebody looks every LOOK_EVERY_S."""
    assert SILENT_AFTER_S + sweep.LOOK_EVERY_S <= 18


async def test_heartbeats_and_the_sweep_may_meet(
    host: JoinedHost, user: httpx.AsyncClient, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is faster: in the end the host reports and nothing is unknown, and no silence is left untold."""
    monkeypatch.setattr(sweep, "LISTEN_FIRST_S", 0)
    vm_ids = [await create(user, f"web-{number}") for number in (1, 2)]
    for _ in range(5):
        await asyncio.gather(
            *(db.execute("update hosts set last_seen_at = now() - interval '16 seconds'") for _ in range(3)),
            *(user.get(f"/v1/vms/{vm_id}") for vm_id in vm_ids),
        )
    for vm_id in vm_ids:
        await is_in(user, vm_id, "running")
    host_id = UUID((await host_is_in(user, "online"))["id"])
    events, _ = await told(db, host_id)
    assert events.count("host.silent") == events.count("host.online")
