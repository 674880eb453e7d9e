"""Emptying a host: every VM on it is stopped in order, and the operation says what became of each."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, refused, until, vm_of
from tests.manager.hosts.acting import PATIENCE_S, host_of, is_in, told
from tests.manager.hosts.conftest import Silence

from nexus.kit.db import Db
from nexus.manager.hosts.draining import Entry, Occupant, Outcome, survey
from nexus.manager.operations import Operation, Status
from nexus.manager.subjects import Subject
from nexus.protocol.machines import Power

STOP = {"stop": True, "grace_s": 5}


async def drain(admin: httpx.AsyncClient, *, wait: float | None = None, **body: object) -> httpx.Response:
    host_id = (await host_of(admin))["id"]
    params = {} if wait is None else {"wait": wait}
    return await admin.post(f"/v1/hosts/{host_id}/drain", json=STOP | body, params=params)


def outcomes(operation: dict[str, Any]) -> dict[str, str]:
    return {vm["name"]: vm["outcome"] for vm in operation["result"]["vms"]}


async def test_a_drained_host_has_every_vm_off_and_says_what_became_of_each(
    host: JoinedHost, admin: httpx.AsyncClient, user: httpx.AsyncClient, db: Db
) -> None:
    running, paused = await create(user, "web-1"), await create(admin, "web-2")
    ok(await admin.post(f"/v1/vms/{paused}/pause", params={"wait": 30}))
    off = await create(user, "web-3", start=False)
    answer = ok(await drain(admin, wait=60))
    assert answer["status"] == "done"
    operation = answer["operation"]
    assert (operation["verb"], operation["subject_kind"], operation["progress"]) == ("drain", "host", 100)
    assert outcomes(operation) == {"web-1": "stopped", "web-2": "stopped", "web-3": "was_off"}
    for vm_id in (running, paused, off):
        assert (await vm_of(user if vm_id != paused else admin, vm_id))["state"] == "stopped"
        assert (await host.vmm.observe(await machine_of(db, vm_id))).power is Power.OFF
    assert (await vm_of(user, running))["why"] == "Its host host-1 was drained by root."
    [row] = await db.fetch("select details from audit where subject_id = $1 and verb = 'stop'", running)
    assert row["details"] == {"why": "Its host host-1 was drained by root."}
    events, verbs = await told(db, (await host_of(admin))["id"])
    assert events == ["host.joined", "host.cordoned", "host.drained"]
    assert verbs == ["register", "cordon", "drain", "finish-draining"]
    assert not await db.fetchval("select count(*) from drains")


async def test_vms_of_a_drained_host_stay_off_until_it_is_uncordoned(
    host: JoinedHost, admin: httpx.AsyncClient, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user, restart_policy="always")
    ok(await drain(admin, wait=60))
    body = refused(await user.post(f"/v1/vms/{vm_id}/start"), 503)
    assert body["fault_message"] == "host-1: takes no new machines (cordoned)."
    refused(await user.post("/v1/vms", json={"name": "web-2"}), 503)
    ok(await admin.post(f"/v1/hosts/{(await host_of(admin))['id']}/uncordon"))
    assert (await vm_of(user, vm_id))["state"] == "stopped"
    ok(await user.post(f"/v1/vms/{vm_id}/start", params={"wait": 60}))
    assert (await vm_of(user, vm_id))["why"] is None


async def test_draining_an_empty_host_is_done_at_once(host: JoinedHost, admin: httpx.AsyncClient) -> None:
    answer = ok(await drain(admin, wait=30))
    assert (answer["status"], answer["operation"]["result"]) == ("done", {"vms": []})
    assert (await host_of(admin))["is_cordoned"]


async def test_a_second_drain_is_the_first_ones_operation_and_uncordoning_ends_it(
    host: JoinedHost, admin: httpx.AsyncClient, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, db: Db
) -> None:
    vm_id = await create(user)
    released = asyncio.Event()

    async def hang(*_: object, **__: object) -> None:
        await released.wait()

    monkeypatch.setattr(host.vmm, "stop", hang)
    first = ok(await drain(admin, grace_s=0))["operation_id"]

    async def is_stopping() -> bool:
        operation = ok(await admin.get(f"/v1/operations/{first}"))["item"]
        return operation["result"] is not None and outcomes(operation) == {"web-1": "stopping"}

    await until(is_stopping, within_s=PATIENCE_S)
    assert ok(await drain(admin))["operation_id"] == first
    item = await host_of(admin)
    assert item["operation_id"] == first
    ok(await admin.post(f"/v1/hosts/{item['id']}/uncordon"))
    operation = ok(await admin.get(f"/v1/operations/{first}"))["item"]
    assert operation["status"] == "superseded"
    assert (await host_of(admin))["operation_id"] is None
    released.set()
    monkeypatch.undo()
    ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 60}))
    await until(lambda: db.fetchval("select count(*) = 0 from flows where subject_kind = 'host'"))


async def test_many_drains_at_once_are_one(
    host: JoinedHost, admin: httpx.AsyncClient, user: httpx.AsyncClient, db: Db
) -> None:
    await create(user)
    answers = await asyncio.gather(*(drain(admin, wait=60) for _ in range(5)))
    assert len({ok(answer)["operation_id"] for answer in answers}) <= 2, "one, or one after it was done"
    assert await db.fetchval("select count(*) from audit where verb = 'stop'") == 1


async def test_a_vm_that_cannot_be_stopped_fails_the_drain_and_is_named(
    host: JoinedHost, admin: httpx.AsyncClient, user: httpx.AsyncClient, db: Db
) -> None:
    """Its operation is over time: the drain does not wait for ever."""
    vm_id, other = await create(user), await create(user, "web-2")
    await host.reporting.stop()
    with pytest.MonkeyPatch.context() as broken:
        machine_id = await machine_of(db, vm_id)
        stop = host.vmm.stop

        async def refuse(machine: UUID) -> None:
            if machine != machine_id:
                await stop(machine)

        broken.setattr(host.vmm, "stop", refuse)
        host.reporting.start()
        operation_id = ok(await drain(admin, grace_s=0))["operation_id"]
        await is_in(user, other, "stopped")

        async def is_overdue() -> str:
            for table in ("operations", "flows"):
                await db.execute(f"update {table} set deadline = now() where subject_id = $1", vm_id)
            return await db.fetchval(
                "select max(status) from operations where subject_id = $1 and verb = 'stop' and status = 'failed'",
                vm_id,
            )

        await until(is_overdue, within_s=PATIENCE_S)
        operation = ok(await admin.get(f"/v1/operations/{operation_id}", params={"wait": 60}))["item"]
    assert operation["status"] == "failed"
    assert operation["error"]["code"] == "host_not_drained"
    assert operation["error"]["error"] == "host-1 is not empty: 1 of its VMs could not be stopped (web-1)."
    assert outcomes(operation) == {"web-1": "failed", "web-2": "stopped"}
    [why] = [vm["why"] for vm in operation["result"]["vms"] if vm["name"] == "web-1"]
    assert "web-1 in time" in why


async def test_a_host_that_is_silent_cannot_be_drained_and_nobody_but_an_admin_drains(
    host: JoinedHost, admin: httpx.AsyncClient, user: httpx.AsyncClient, silence: Silence
) -> None:
    vm_id = await create(user)
    path = f"/v1/hosts/{(await host_of(user))['id']}/drain"
    refused(await user.post(path, json=STOP), 403)
    refused(await admin.post(f"/v1/hosts/{uuid4()}/drain", json=STOP), 404)
    for body in ({}, {"stop": False}, {"stop": True, "grace_s": -1}):
        refused(await admin.post(path, json=body), 422)
    await silence(host)
    await is_in(user, vm_id, "unknown")
    assert refused(await admin.post(path, json=STOP), 409)["code"] == "host_silent"
    assert not (await host_of(admin))["is_cordoned"], "refused is refused whole"


def occupant(number: int = 1, **other: Any) -> Occupant:
    fields: dict[str, Any] = {"is_wanted": False, "is_off": False, "is_leaving": False, "fault": None}
    return Occupant(subject=Subject("vm", UUID(int=number), f"vm-{number}"), **(fields | other))


def entry(outcome: Outcome, number: int = 1) -> Entry:
    return Entry(id=UUID(int=number), name=f"vm-{number}", outcome=outcome, operation_id=UUID(int=100 + number))


def stop(status: Status, number: int = 1) -> Operation:
    blank: dict[str, Any] = dict.fromkeys(Operation.__dataclass_fields__)
    error = {"error": "It did not go off."} if status is Status.FAILED else None
    fields: dict[str, Any] = blank | {"id": UUID(int=100 + number), "status": status, "error": error}
    return Operation(**fields)


@pytest.mark.parametrize(
    ("there", "known", "asked", "outcome", "why"),
    [
        (occupant(is_wanted=True), None, None, None, None),
        (occupant(is_off=True), None, None, Outcome.WAS_OFF, None),
        (occupant(is_off=True), Outcome.WAS_OFF, None, Outcome.WAS_OFF, None),
        (occupant(), None, None, Outcome.STOPPING, None),
        (occupant(is_off=True), Outcome.STOPPING, None, Outcome.STOPPED, None),
        (occupant(), Outcome.STOPPING, Status.RUNNING, Outcome.STOPPING, None),
        (occupant(fault="Full."), Outcome.STOPPING, Status.RUNNING, Outcome.STOPPING, None),
        (occupant(), Outcome.STOPPING, Status.FAILED, Outcome.FAILED, "It did not go off."),
        (occupant(is_off=True), Outcome.FAILED, Status.FAILED, Outcome.STOPPED, None),
        (occupant(is_wanted=True), Outcome.STOPPING, Status.SUPERSEDED, None, None),
        (occupant(is_off=True), Outcome.STOPPING, Status.SUPERSEDED, Outcome.STOPPED, None),
        (occupant(fault="Full."), Outcome.STOPPING, Status.SUPERSEDED, Outcome.FAILED, "Full."),
        (occupant(is_leaving=True), Outcome.STOPPING, Status.SUPERSEDED, Outcome.STOPPING, None),
        (None, Outcome.STOPPING, Status.SUPERSEDED, Outcome.DELETED, None),
    ],
)
def test_what_is_said_of_a_vm_follows_from_what_it_is_and_what_it_was_told(
    there: Occupant | None, known: Outcome | None, asked: Status | None, outcome: Outcome | None, why: str | None
) -> None:
    seen = survey([there] if there else [], [entry(known)] if known else [], [stop(asked)] if asked else [])
    if outcome is None:
        assert [one.subject.id for one in seen.untold] == [UUID(int=1)]
        assert not seen.is_over
    else:
        assert [(one.outcome, one.why) for one in seen.entries] == [(outcome, why)]
        assert seen.is_over is (outcome is not Outcome.STOPPING)
