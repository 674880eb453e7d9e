"""What befalls real guests, from the hypervisor to what their users are told: a whole manager, and an agent of its own
process over QEMU. A restart of the host is its agent and all VMMs killed, and another boot id."""

import json
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.agent.lab import AgentProcess
from tests.manager.compute.acting import create, machine_of, ok, until, vm_of
from tests.manager.hosts.acting import host_is_in, told

from nexus.kit.db import Db
from nexus.local.images import Store
from nexus.manager.settings import ManagerSettings

pytestmark = pytest.mark.vm
PATIENCE_S = 150
KINDS = ("kernel", "initramfs", "rootfs")


@dataclass(frozen=True)
class Site:
    """A host with real guests; `home` is where its agent keeps everything."""

    home: Path
    agent: AgentProcess
    db: Db

    async def kill_vmm(self, vm_id: UUID) -> None:
        os.kill(await self._vmm(vm_id), signal.SIGKILL)

    async def restart(self, *vm_ids: UUID) -> None:
        """The whole machine, as a power cut would."""
        self.agent.kill()
        for vm_id in vm_ids:
            await self.kill_vmm(vm_id)
        self._boot_id.write_text(f"boot-{time.monotonic_ns()}")
        await self.agent.start()

    async def console(self, vm_id: UUID) -> bytes:
        return (self.home / "agent/machines" / str(await machine_of(self.db, vm_id)) / "console.log").read_bytes()

    async def _vmm(self, vm_id: UUID) -> int:
        record = self.home / "agent/machines" / str(await machine_of(self.db, vm_id)) / "vmm.json"
        return json.loads(record.read_bytes())["pid"]

    @property
    def _boot_id(self) -> Path:
        return self.home / "boot-id"


@pytest.fixture
async def site(
    admin: httpx.AsyncClient,
    served: str,
    manager_settings: ManagerSettings,
    join_token: str,
    built_images: Store,
    short_tmp: Path,
    db: Db,
) -> AsyncIterator[Site]:
    """One host that has joined, with the default images registered; nothing of its machines is left afterwards."""
    manager_settings.image_root.mkdir(mode=0o711)
    for kind in KINDS:
        found = built_images.default(kind)
        (manager_settings.image_root / found.sha256).hardlink_to(built_images.path(found))
        wanted = {"kind": kind, "name": f"real-{kind}", "path": found.sha256, "is_default": True}
        ok(await admin.post("/v1/images", json=wanted))
    home = short_tmp / "host"
    home.mkdir(mode=0o711)
    (home / "boot-id").write_text("boot-1")
    agent = AgentProcess(
        home,
        AGENT_NAME="host-1",
        AGENT_BOOT_ID_FILE=str(home / "boot-id"),
        AGENT_IMAGE_SEED=str(manager_settings.image_root),
        AGENT_JOIN_TOKEN=join_token,
        MANAGER_BASE=f"http://{served}",
        AGENT_BOOT_DEADLINE_S="120",
    )
    await agent.start()
    try:
        await host_is_in(admin, "online")
        yield Site(home, agent, db)
        for seen in (await agent.client.http.get("/v1/machines")).json()["items"]:
            ok(await agent.client.http.delete(f"/v1/machines/{seen['id']}"))
    finally:
        agent.kill()


async def comes_to(client: httpx.AsyncClient, vm_id: UUID, state: str, *, guest: str = "absent") -> dict[str, Any]:
    """The VM once it is in this state, with a guest in this phase."""

    async def is_there() -> dict[str, Any] | None:
        vm = await vm_of(client, vm_id)
        return vm if (vm["state"], vm["guest"]) == (state, guest) else None

    return await until(is_there, within_s=PATIENCE_S)


async def endings(db: Db, vm_id: UUID) -> list[tuple[str, bool]]:
    """Why its boots ended, and whether it booted again; the same in events and on record."""
    events = await db.fetch("select data from events where subject_id = $1 and type = 'vm.ended' order by seq", vm_id)
    audit = await db.fetch("select details from audit where subject_id = $1 and verb = 'end' order by at", vm_id)
    assert [row["data"] for row in events] == [row["details"] for row in audit]
    return [(row["data"]["reason"], row["data"]["boots_again"]) for row in events]


async def warnings(client: httpx.AsyncClient, vm_id: UUID) -> list[str]:
    return (await vm_of(client, vm_id))["warnings"]


async def run(client: httpx.AsyncClient, vm_id: UUID, script: str) -> None:
    ok(await client.post(f"/v1/vms/{vm_id}/exec", json={"argv": ["sh", "-c", script]}))


async def start(client: httpx.AsyncClient, vm_id: UUID) -> None:
    ok(await client.post(f"/v1/vms/{vm_id}/start"))
    await comes_to(client, vm_id, "running", guest="ready")


async def small(client: httpx.AsyncClient, name: str, **fields: object) -> UUID:
    vm_id = await create(client, name, wait=None, mem_mib=256, **fields)
    await comes_to(client, vm_id, "running", guest="ready")
    return vm_id


async def test_when_a_host_restarts_the_vms_that_should_come_back_do_and_the_others_say_why_they_are_off(
    site: Site, user: httpx.AsyncClient, db: Db
) -> None:
    comes_back = await small(user, "back", restart_policy="always")
    stays_off = await small(user, "off")
    assert (await vm_of(user, comes_back))["warnings"] == []
    await run(user, comes_back, "rm /etc/hostname && mkdir -p /etc/hostname/in-the-way && sync")
    await site.restart(comes_back, stays_off)
    vm = await comes_to(user, stays_off, "stopped")
    assert (vm["why"], vm["fault"]) == ("The host restarted.", None)

    async def has_booted_again() -> bool:
        vm = await vm_of(user, comes_back)
        return (vm["state"], vm["guest"], vm["why"]) == ("running", "ready", "The host restarted.")

    await until(has_booted_again, within_s=PATIENCE_S)
    assert "hostname" in " ".join(await until(lambda: warnings(user, comes_back), within_s=PATIENCE_S))
    assert await endings(db, comes_back) == [("host_rebooted", True)]
    assert await endings(db, stays_off) == [("host_rebooted", False)]
    events, verbs = await told(db, await db.fetchval("select id from hosts"))
    assert (events.count("host.restarted"), verbs.count("restart")) == (1, 1)
    await site.kill_vmm(comes_back)
    vm = await comes_to(user, comes_back, "stopped")
    assert vm["warnings"] == [], "a guest that is off says nothing"
    assert vm["fault"] == vm["why"]
    assert "killed by signal 9" in vm["why"]
    assert (await endings(db, comes_back))[1:] == [("vmm_killed", False)]
    await start(user, comes_back)
    assert (await vm_of(user, comes_back))["fault"] is None


async def test_what_guests_do_by_themselves_is_told_also_when_nobody_was_there_to_see_it(
    site: Site, user: httpx.AsyncClient, db: Db
) -> None:
    one, other = await small(user, "one"), await small(user, "other")
    await run(user, one, "(sleep 1; poweroff -f) >/dev/null 2>&1 &")
    await run(user, other, "(sleep 1; reboot -f) >/dev/null 2>&1 &")
    vm = await comes_to(user, one, "stopped")
    assert (vm["why"], vm["fault"]) == ("The guest powered itself off.", None)
    await until(lambda: _has_ended(db, other), within_s=PATIENCE_S)
    await comes_to(user, other, "running", guest="ready")
    assert await endings(db, other) == [("guest_reboot", True)]
    await start(user, one)
    await run(user, one, "(sleep 3; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &")
    await run(user, other, "(sleep 3; poweroff -f) >/dev/null 2>&1 &")
    site.agent.kill()

    async def are_over() -> bool:
        panicked = b"Kernel panic - not syncing" in await site.console(one)
        return panicked and b"reboot: Power down" in await site.console(other)

    await until(are_over, within_s=PATIENCE_S)
    await site.agent.start()
    vm = await comes_to(user, one, "stopped")
    assert vm["fault"] == vm["why"]
    assert vm["why"].startswith("The guest's kernel panicked")
    vm = await comes_to(user, other, "stopped")
    assert (vm["why"], vm["fault"]) == ("The guest powered itself off.", None)
    assert await endings(db, one) == [("guest_shutdown", False), ("guest_panic", False)]
    assert await endings(db, other) == [("guest_reboot", True), ("guest_shutdown", False)]
    await start(user, one)


async def _has_ended(db: Db, vm_id: UUID) -> bool:
    return await db.fetchval("select exists (select from events where subject_id = $1 and type = 'vm.ended')", vm_id)
