"""What becomes of a wish whose time is over, verb by verb, with a hypervisor that hangs."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, until, vm_of
from tests.manager.compute.conftest import running_host

from nexus.agent.machines import registry
from nexus.agent.settings import AgentSettings
from nexus.kit.db import Db
from nexus.manager.machines.lifecycle import Facts, Goal
from nexus.manager.settings import ManagerSettings
from nexus.manager.vms.deadlines import Deadlines, has_begun
from nexus.manager.vms.lifecycle import Verb
from nexus.protocol.machines import Power

SOON_S = 0.3
LONG_S = 60


@pytest.fixture
def manager_settings(manager_settings: ManagerSettings, request: pytest.FixtureRequest) -> ManagerSettings:
    """Without the factor for hosts that are slow; the deadlines that are the test's parameter end soon."""
    soon = {f"{name}_deadline_s": SOON_S for name in getattr(request, "param", ())}
    return manager_settings.model_copy(update={"emulation_factor": 1.0, **soon})


def soon(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("manager_settings", [names], indirect=True)


@asynccontextmanager
async def hanging(host: JoinedHost, method: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[None]:
    """In the block, the hypervisor never comes back from this; afterwards it does what it was asked to."""
    released = asyncio.Event()
    real = getattr(host.vmm, method)

    async def hang(*args: Any, **named: Any) -> Any:
        await released.wait()
        return await real(*args, **named)

    monkeypatch.setattr(host.vmm, method, hang)
    try:
        yield
    finally:
        monkeypatch.setattr(host.vmm, method, real)
        released.set()


async def act(client: httpx.AsyncClient, vm_id: UUID, verb: str, **body: object) -> None:
    """The verb, which must be done."""
    answer = ok(await client.post(f"/v1/vms/{vm_id}/{verb}", params={"wait": LONG_S}, json=body or None))
    assert answer["status"] == "done", answer


async def is_late(client: httpx.AsyncClient, path: str, **body: object) -> str:
    """Ask for it; it must fail for lack of time. The error."""
    return await ends_late(client, ok(await client.post(path, json=body or None))["operation_id"])


async def ends_late(client: httpx.AsyncClient, operation_id: str) -> str:
    operation = ok(await client.get(f"/v1/operations/{operation_id}", params={"wait": LONG_S}))["item"]
    assert operation["status"] == "failed", operation
    assert operation["error"]["code"] == "vm_overdue"
    return operation["error"]["error"]


async def in_state(client: httpx.AsyncClient, vm_id: UUID, state: str) -> dict[str, Any]:
    async def is_so() -> dict[str, Any] | None:
        vm = await vm_of(client, vm_id)
        return vm if vm["state"] == state else None

    return await until(is_so, within_s=LONG_S)


async def every_verb_works(client: httpx.AsyncClient, vm_id: UUID) -> None:
    """From a VM that runs."""
    for verb in ("stop", "start", "pause", "resume", "reboot"):
        await act(client, vm_id, verb)
    answer = ok(await client.delete(f"/v1/vms/{vm_id}", params={"wait": LONG_S}))
    assert answer["status"] == "done"


@soon("create")
async def test_a_create_past_its_deadline_fails_and_may_be_stopped_started_or_deleted(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hanging(host, "start", monkeypatch):
        answers = [ok(await user.post("/v1/vms", json={"name": name})) for name in ("late", "unwanted")]
        for answer in answers:
            error = await ends_late(user, answer["operation_id"])
            assert f"{SOON_S:g} s after it began (booting)" in error
        late, unwanted = (UUID(answer["id"]) for answer in answers)
        vm = await in_state(user, late, "error")
        assert vm["fault"].startswith("Cannot create late in time")
        assert {action["verb"] for action in vm["actions"] if action["refusal"] is None} >= {"start", "stop", "delete"}
        await act(user, unwanted, "stop")
        assert ok(await user.delete(f"/v1/vms/{unwanted}", params={"wait": LONG_S}))["status"] == "done"
    vm = await in_state(user, late, "running")
    assert vm["fault"] is None
    await every_verb_works(user, late)


@soon("start", "reboot")
async def test_a_start_past_its_deadline_fails_and_what_was_asked_for_may_still_come_true(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nexus.manager.vms.service._REBOOT_GRACE_S", 0)  # it does not count before the deadline
    vm_id = await create(user)
    await act(user, vm_id, "stop", grace_s=0)
    async with hanging(host, "start", monkeypatch):
        assert "Cannot start web-1 in time" in await is_late(user, f"/v1/vms/{vm_id}/start")
        await in_state(user, vm_id, "error")
        assert "Cannot reboot web-1 in time" in await is_late(user, f"/v1/vms/{vm_id}/reboot")
        await in_state(user, vm_id, "error")
    await in_state(user, vm_id, "running")
    await act(user, vm_id, "stop")
    await in_state(user, vm_id, "stopped")


@soon("stop")
async def test_a_stop_past_its_deadline_and_the_guests_grace_fails(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = await create(user)
    async with hanging(host, "stop", monkeypatch):
        assert "Cannot stop web-1 in time" in await is_late(user, f"/v1/vms/{vm_id}/stop", grace_s=0)
        vm = await in_state(user, vm_id, "error")
        assert "in time" in vm["fault"]
    vm = await in_state(user, vm_id, "stopped")
    assert vm["fault"] is None
    await act(user, vm_id, "start")


@soon("pause", "resume")
async def test_a_vm_that_could_not_be_paused_or_resumed_in_time_is_what_it_was(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, db: Db
) -> None:
    vm_id = await create(user)
    async with hanging(host, "pause", monkeypatch):
        assert "Cannot pause web-1 in time" in await is_late(user, f"/v1/vms/{vm_id}/pause")
        await in_state(user, vm_id, "running")
        machine_id = await machine_of(db, vm_id)

        async def is_asked_to_run() -> bool:
            generation = await db.fetchval("select generation from machines where id = $1", machine_id)
            seen = host.machines.seen(machine_id)
            return seen.generation == generation and seen.power is Power.ON and seen.stage is None

        await until(is_asked_to_run, within_s=LONG_S)
    await db.execute("update machines set goal = 'paused', generation = generation + 1")  # by whom it was not late
    await db.execute(
        "insert into flows (subject_kind, subject_id, flow, step, wake_at) values ('vm', $1, 'vm', 'decide', now()) "
        "on conflict do nothing",
        vm_id,
    )
    await db.execute("notify flows")
    await in_state(user, vm_id, "paused")
    async with hanging(host, "resume", monkeypatch):
        assert "Cannot resume web-1 in time" in await is_late(user, f"/v1/vms/{vm_id}/resume")
        await in_state(user, vm_id, "paused")
    await act(user, vm_id, "stop")


@soon("delete")
async def test_a_delete_past_its_deadline_fails_goes_on_and_can_be_asked_for_again(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "DISCARD_PATIENCE_S", 0.1)
    vm_id = await create(user)
    path = f"/v1/vms/{vm_id}"
    async with hanging(host, "discard", monkeypatch):
        first = ok(await user.delete(path))["operation_id"]
        assert ok(await user.delete(path))["operation_id"] == first
        assert "Cannot delete web-1 in time" in await ends_late(user, first)
        assert (await vm_of(user, vm_id))["state"] == "deleting"
        again = ok(await user.delete(path))["operation_id"]
        assert again != first
        await ends_late(user, again)
        bulk = ok(await user.post("/v1/vms/bulk", json={"verb": "delete", "ids": [str(vm_id)]}))["bulk"]["id"]

        async def has_failed() -> bool:
            [item] = ok(await user.get(f"/v1/vms/bulk/{bulk}"))["item"]["items"]
            return item["status"] == "failed"

        await until(has_failed, within_s=LONG_S)

    async def is_gone() -> bool:
        return (await user.get(path)).status_code == 404

    await until(is_gone, within_s=LONG_S)


async def test_the_time_of_a_boot_does_not_count_while_it_waits_for_its_turn(
    agent_settings: AgentSettings,
    served: str,
    images: dict[str, str],
    user: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    db: Db,
) -> None:
    async with running_host(agent_settings.model_copy(update={"max_boots": 1})) as host:
        await until(lambda: db.fetchval("select usage is not null from hosts"))
        async with hanging(host, "start", monkeypatch):
            made = [ok(await user.post("/v1/vms", json={"name": name})) for name in ("one", "two")]

            async def of_each_stage() -> dict[str, str] | None:
                """Operations by their VMs' stage; they take their turns in any order."""
                stages = {(await vm_of(user, UUID(one["id"])))["stage"]: one["operation_id"] for one in made}
                return stages if set(stages) == {"booting", "waiting for a free boot slot"} else None

            operations = await until(of_each_stage, within_s=LONG_S)
            begun, waits = UUID(operations["booting"]), UUID(operations["waiting for a free boot slot"])
            has_begun = "select begun_at is not null from operations where id = $1"
            assert await until(lambda: db.fetchval(has_begun, begun), within_s=LONG_S)
            assert not await db.fetchval(has_begun, waits)
            patience = "select extract(epoch from deadline - created_at)::int from operations where id = $1"
            assert await db.fetchval(patience, waits) == 1800
        for one in made:
            done = ok(await user.get(f"/v1/operations/{one['operation_id']}", params={"wait": LONG_S}))["item"]
            assert done["status"] == "done"


@soon("queue")
async def test_a_host_that_never_begins_is_not_waited_for_for_ever(
    agent_settings: AgentSettings, served: str, images: dict[str, str], user: httpx.AsyncClient, db: Db
) -> None:
    async with running_host(agent_settings):
        await until(lambda: db.fetchval("select usage is not null from hosts"))
    made = ok(await user.post("/v1/vms", json={"name": "web-1"}))
    assert "host host-1 has not begun" in await ends_late(user, made["operation_id"])
    await in_state(user, UUID(made["id"]), "error")
    for verb in ("start", "stop", "start"):
        await is_late(user, f"/v1/vms/{made['id']}/{verb}")
    await ends_late(user, ok(await user.delete(f"/v1/vms/{made['id']}"))["operation_id"])


def test_deadlines_are_the_specified_ones_and_longer_without_kvm(manager_settings: ManagerSettings) -> None:
    fields = ManagerSettings.model_fields
    given = {name: fields[f"{name}_deadline_s"].default for name in ("create", "start", "stop")}
    assert given == {"create": 30, "start": 10, "stop": 30}
    each = Deadlines({"create": 30, Verb.START: 10, Verb.STOP: 30, Verb.REBOOT: 30}, 1800, 20)
    assert each.seconds(is_emulated=False, grace_s=5) == {"create": 30, "start": 10, "stop": 35, "reboot": 35}
    assert each.seconds(is_emulated=True, grace_s=5) == {"create": 600, "start": 200, "stop": 605, "reboot": 605}


WISHED = Facts(goal=Goal.ON, generation=2, boot=2, seen=Power.OFF, seen_generation=2, seen_boot=1)


@pytest.mark.parametrize(
    ("facts", "has"),
    [
        (WISHED, False),
        (replace(WISHED, seen_boot=2), True),
        (replace(WISHED, seen_boot=2, seen_generation=1), False),
        (replace(WISHED, seen=Power.ON), True),  # the boot before is being shut down
        (replace(WISHED, goal=Goal.OFF, seen=Power.ON), True),
        (replace(WISHED, goal=Goal.OFF, seen=Power.ON, seen_generation=1), False),
        (replace(WISHED, goal=Goal.PAUSED, seen=Power.ON, seen_boot=2), True),
        (replace(WISHED, goal=Goal.GONE), False),
    ],
)
def test_a_host_has_begun_once_it_acts_on_the_present_wish(facts: Facts, has: bool) -> None:
    assert has_begun(facts) is has
