"""What can be asked of a VM and what can befall it, each from its beginning to what it promises."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.manager.compute.acting import machine_of, ok, until
from tests.manager.life.world import World

from nexus.agent.vmm.port import VmmTrouble
from nexus.protocol.machines import ExitReason

PATIENCE_S = 90.0
"""For what takes a moment, on a machine on which everything may take its time."""

Act = Callable[[World, UUID], Awaitable[None]]


@dataclass(frozen=True)
class Story:
    """From `given` on, `act` happens; in the end the VM is in `state` after `boots` boots, and the operation of the act
    is done, if it opened one. `state` None: it is gone. `or_else`: where it is when what was asked for has failed, and
    is as it was."""

    name: str
    given: Callable[[World], Awaitable[UUID]]
    act: Act
    state: str | None
    boots: int = 1
    or_else: str | None = None

    async def comes_true(self, world: World, vm_id: UUID) -> None:
        """Go on until it has."""
        await reaches(world, vm_id, self.state, boots=self._boots, or_else=self.or_else)

    async def is_true(self, world: World, vm_id: UUID) -> bool:
        if self.or_else is not None and await has_failed(world, vm_id) and await is_at(world, vm_id, self.or_else):
            return True
        return await is_at(world, vm_id, self.state, boots=self._boots)

    @property
    def _boots(self) -> int | None:
        return self.boots if self.state in ("running", "paused", "stopped") else None


async def create(world: World, **fields: object) -> UUID:
    """Ask for a VM; nothing has moved when this returns."""
    return UUID(ok(await world.client.post("/v1/vms", json={"name": "web-1", **fields}))["id"])


async def item(world: World, vm_id: UUID) -> dict[str, Any] | None:
    """The VM as its user sees it; None: it is gone."""
    answer = await world.client.get(f"/v1/vms/{vm_id}")
    return None if answer.status_code == 404 else ok(answer)["item"]


async def ask(world: World, vm_id: UUID, verb: str, **body: object) -> None:
    """Ask for a verb; nothing has moved when this returns."""
    if verb == "delete":
        ok(await world.client.delete(f"/v1/vms/{vm_id}"))
    else:
        ok(await world.client.post(f"/v1/vms/{vm_id}/{verb}", json=body or None))


async def is_at(world: World, vm_id: UUID, state: str | None, *, boots: int | None = None) -> bool:
    """Whether the VM is in this state, after so many boots, and nothing more is promised."""
    vm = await item(world, vm_id)
    if vm is None or vm["state"] != state:
        return vm is None and state is None
    seen_boot = "select seen_boot from machines m join vms v on v.machine_id = m.id where v.id = $1"
    return vm["operation_id"] is None and boots in (None, await world.db.fetchval(seen_boot, vm_id))


async def has_failed(world: World, vm_id: UUID) -> bool:
    """Whether a snapshot that somebody wants could not be taken, or something asked of the VM was not done."""
    return await world.db.fetchval(
        """
        select exists (select from operations
                       where (subject_kind = 'snapshot' or subject_id = $1) and status = 'failed')
        """,
        vm_id,
    )


async def reaches(
    world: World, vm_id: UUID, state: str | None, *, boots: int | None = None, or_else: str | None = None
) -> None:
    """Go on until the VM is there and its flow is over."""

    async def is_there() -> bool:
        await world.rest()
        if or_else is not None and await has_failed(world, vm_id) and await is_at(world, vm_id, or_else):
            return True
        return await is_at(world, vm_id, state, boots=boots)

    try:
        await until(is_there, within_s=PATIENCE_S)
    except TimeoutError:
        raise AssertionError(f"it does not come to be {state}: {await world.account(vm_id)}") from None


def verb(name: str, **body: object) -> Act:
    async def act(world: World, vm_id: UUID) -> None:
        await ask(world, vm_id, name, **body)

    return act


def bulk(name: str, **body: object) -> Act:
    async def act(world: World, vm_id: UUID) -> None:
        ok(await world.client.post("/v1/vms/bulk", json={"verb": name, "ids": [str(vm_id)], **body}))

    return act


async def drain(world: World, vm_id: UUID) -> None:
    """Its host is emptied; `reopen` has it take VMs again."""
    await _ask_of_host(world, "drain", {"stop": True, "grace_s": 5})


async def reopen(world: World) -> None:
    if await world.db.fetchval("select bool_or(cordoned) from hosts"):
        await _ask_of_host(world, "uncordon", None)


async def _ask_of_host(world: World, what: str, body: object) -> None:
    host_id = await world.db.fetchval("select id from hosts")
    ok(await world.client.post(f"/v1/hosts/{host_id}/{what}", json=body))


async def take(world: World, vm_id: UUID) -> None:
    ok(await world.client.post(f"/v1/vms/{vm_id}/snapshots", json={"name": "one"}))


async def take_and_delete(world: World, vm_id: UUID) -> None:
    """The VM goes before its snapshot is taken."""
    await take(world, vm_id)
    await ask(world, vm_id, "delete")


async def take_diff(world: World, vm_id: UUID) -> None:
    ok(await world.client.post(f"/v1/vms/{vm_id}/snapshots", json={"name": "two", "snapshot_type": "Diff"}))


async def _taken(world: World) -> str:
    """The last of the VM's snapshots."""
    return await world.db.fetchval("select id::text from snapshots order by created_at desc limit 1")


async def roll_back(world: World, vm_id: UUID) -> None:
    await ask(world, vm_id, "rollback", snapshot_id=await _taken(world))


async def instantiate(world: World, vm_id: UUID) -> None:
    ok(await world.client.post(f"/v1/snapshots/{await _taken(world)}/instantiate", json={"name": "web-2"}))


async def import_archive(world: World, vm_id: UUID) -> None:
    """Export the VM's snapshot, and import what comes of it; an agent that dies meanwhile has both break off."""
    archive = await world.client.get(f"/v1/snapshots/{await _taken(world)}/export")
    if archive.is_success:
        headers = {"Content-Type": archive.headers["content-type"]}
        await world.client.post("/v1/snapshots/import", content=archive.content, headers=headers)


async def delete_snapshot(world: World, vm_id: UUID) -> None:
    ok(await world.client.delete(f"/v1/snapshots/{await _taken(world)}"))


async def delete_chain(world: World, vm_id: UUID) -> None:
    """A diff, and at once what it is over."""
    for row in await world.db.fetch("select id from snapshots order by created_at desc"):
        ok(await world.client.delete(f"/v1/snapshots/{row['id']}"))


async def with_snapshot(world: World) -> UUID:
    """A VM, and a snapshot of it."""
    vm_id = await given("running")(world)
    await take(world, vm_id)
    await reaches(world, vm_id, "running")
    return vm_id


async def with_diff(world: World) -> UUID:
    """A VM, a snapshot of it, and a diff over that."""
    vm_id = await with_snapshot(world)
    await take_diff(world, vm_id)
    await reaches(world, vm_id, "running")
    return vm_id


async def suspended(world: World) -> UUID:
    vm_id = await given("running")(world)
    await ask(world, vm_id, "suspend")
    await reaches(world, vm_id, "suspended")
    return vm_id


def befalls(reason: ExitReason, why: str) -> Act:
    """The guest or its VMM ends by itself."""

    async def act(world: World, vm_id: UUID) -> None:
        world.vmm.end(await machine_of(world.db, vm_id), reason, why)

    return act


async def nothing(world: World, vm_id: UUID) -> None:
    """What was given is still under way."""


def given(state: str, **fields: object) -> Callable[[World], Awaitable[UUID]]:
    async def make(world: World) -> UUID:
        vm_id = await create(world, start=state != "stopped", **fields)
        await reaches(world, vm_id, "stopped" if state == "stopped" else "running")
        if state == "paused":
            await ask(world, vm_id, "pause")
            await reaches(world, vm_id, "paused")
        return vm_id

    return make


async def failed(world: World) -> UUID:
    """A VM whose hypervisor would not start."""

    async def fail(*_: object, **__: object) -> None:
        raise VmmTrouble("the accelerator is gone")

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(world.vmm, "start", fail)
        vm_id = await create(world)
        await reaches(world, vm_id, "error")
    return vm_id


async def asked(world: World) -> UUID:
    return await create(world)


async def asked_stopped(world: World) -> UUID:
    return await create(world, start=False)


async def deleting(world: World) -> UUID:
    vm_id = await given("running")(world)
    await ask(world, vm_id, "delete")
    return vm_id


async def lose(world: World, vm_id: UUID) -> None:
    """Somebody removed the machine behind the manager's back."""
    request = httpx.Request("DELETE", f"http://agent/v1/machines/{await machine_of(world.db, vm_id)}")
    try:
        await world.call_agent(request)
    except httpx.TransportError:
        await world.revive()
        await world.call_agent(request)


async def restart_agent(world: World, vm_id: UUID) -> None:
    await world.revive()


async def restart_host(world: World, vm_id: UUID) -> None:
    await world.restart_host()


def unseen(act: Act) -> Act:
    """`act` happens while the agent is down."""

    async def happen(world: World, vm_id: UUID) -> None:
        await world.bury()
        await act(world, vm_id)
        await world.revive()

    return happen


reboots = befalls(ExitReason.GUEST_REBOOT, "The guest restarted itself.")
powers_off = befalls(ExitReason.GUEST_SHUTDOWN, "The guest powered itself off.")
panics = befalls(ExitReason.GUEST_PANIC, "The guest's kernel panicked.")
is_killed = befalls(ExitReason.VMM_KILLED, "The VMM was killed by signal 9.")

running, stopped, paused = given("running"), given("stopped"), given("paused")

STORIES = [
    Story("create", asked, nothing, "running"),
    Story("create-stopped", asked_stopped, nothing, "stopped", boots=0),
    Story("start", stopped, verb("start"), "running"),
    Story("stop", running, verb("stop", grace_s=5), "stopped"),
    Story("cut-power", running, verb("stop", grace_s=0), "stopped"),
    Story("stop-paused", paused, verb("stop", grace_s=5), "stopped"),
    Story("pause", running, verb("pause"), "paused", or_else="running"),
    Story("resume", paused, verb("resume"), "running", or_else="paused"),
    Story("reboot", running, verb("reboot"), "running", boots=2),
    Story("stop-while-creating", asked, verb("stop"), "stopped", boots=0),
    Story("start-failed", failed, verb("start"), "running", boots=2),
    Story("stop-failed", failed, verb("stop"), "stopped"),
    Story("reboot-failed", failed, verb("reboot"), "running", boots=2),
    Story("delete", running, verb("delete"), None),
    Story("delete-stopped", stopped, verb("delete"), None),
    Story("delete-paused", paused, verb("delete"), None),
    Story("delete-failed", failed, verb("delete"), None),
    Story("delete-while-creating", asked, verb("delete"), None),
    Story("delete-twice", deleting, verb("delete"), None),
    Story("bulk-stop", running, bulk("stop", grace_s=5), "stopped"),
    Story("bulk-start", stopped, bulk("start"), "running"),
    Story("bulk-delete", running, bulk("delete"), None),
    Story("drain", running, drain, "stopped"),
    Story("drain-paused", paused, drain, "stopped"),
    Story("guest-reboots", running, reboots, "running", boots=2),
    Story("guest-powers-off", running, powers_off, "stopped"),
    Story("guest-panics", running, panics, "stopped"),
    Story("vmm-killed", running, is_killed, "stopped"),
    Story("vmm-killed-while-paused", paused, is_killed, "stopped"),
    Story("guest-reboots-unseen", running, unseen(reboots), "running", boots=2),
    Story("guest-powers-off-unseen", running, unseen(powers_off), "stopped"),
    Story("guest-panics-unseen", running, unseen(panics), "stopped"),
    Story("vmm-killed-unseen", running, unseen(is_killed), "stopped"),
    Story("agent-restarts", running, restart_agent, "running"),
    Story("agent-restarts-while-paused", paused, restart_agent, "paused"),
    Story("host-restarts", running, restart_host, "stopped"),
    Story("host-restarts-while-paused", paused, restart_host, "stopped"),
    Story("host-restarts-while-stopped", stopped, restart_host, "stopped", boots=0),
    Story("host-restarts-always", given("running", restart_policy="always"), restart_host, "running", boots=2),
    Story("lost", running, lose, "error"),
    Story("snapshot", running, take, "running"),
    Story("snapshot-while-deleting", running, take_and_delete, None),
    Story("snapshot-delete", with_snapshot, delete_snapshot, "running"),
    Story("rollback", with_snapshot, roll_back, "running", boots=2),
    Story("instantiate", with_snapshot, instantiate, "running"),
    Story("import", with_snapshot, import_archive, "running"),
    Story("diff", with_snapshot, take_diff, "running"),
    Story("diff-rollback", with_diff, roll_back, "running", boots=2),
    Story("chain-delete", with_diff, delete_chain, "running"),
    Story("clone", running, verb("clone", count=2), "running"),
    Story("suspend", running, verb("suspend"), "suspended", or_else="running"),
    Story("resume-suspended", suspended, verb("resume"), "running", boots=2),
    Story("delete-suspended", suspended, verb("delete"), None),
    Story("host-restarts-while-suspended", suspended, restart_host, "suspended"),
]
