"""VMs from request to host and back: the manager, a real database, the real agent, a hypervisor that runs nothing."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, refused, until, vm_of

from nexus.agent.vmm.port import VmmTrouble
from nexus.kit.db import Db
from nexus.manager.vms.schemas import ListedVm, VmItem, VmList
from nexus.protocol.machines import ExitReason, MachineSeen, MachineSpec, Power


async def act(client: httpx.AsyncClient, vm_id: UUID, verb: str, **body: object) -> dict[str, Any]:
    """Do a verb, wait until it is done; the VM as it is then."""
    answer = ok(await client.post(f"/v1/vms/{vm_id}/{verb}", json=body, params={"wait": 30}))
    assert answer["status"] == "done", answer
    return await vm_of(client, vm_id)


async def in_state(client: httpx.AsyncClient, vm_id: UUID, state: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        vm = await vm_of(client, vm_id)
        return vm if vm["state"] == state else None

    return await until(look)


async def test_a_vm_is_created_runs_and_leaves_nothing(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user)
    vm = await vm_of(user, vm_id)
    assert (vm["state"], vm["guest"], vm["host_name"]) == ("running", "ready", "host-1")
    assert ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))["status"] == "done"
    refused(await user.get(f"/v1/vms/{vm_id}"), 404)
    refused(await user.delete(f"/v1/vms/{vm_id}"), 404)
    assert host.machines.list() == ()
    for table in ("vms", "machines", "drives", "nics"):
        assert await db.fetchval(f"select count(*) from {table}") == 0, table
    # a report that came while the flow ended has it look once more, at nothing
    await until(lambda: db.fetchval("select not exists (select from flows)"))


async def test_a_vm_goes_through_every_verb(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user)
    assert (await act(user, vm_id, "pause"))["state"] == "paused"
    assert (await act(user, vm_id, "resume"))["state"] == "running"
    assert (await act(user, vm_id, "reboot"))["state"] == "running"
    assert (await act(user, vm_id, "stop", grace_s=5))["state"] == "stopped"
    assert (await act(user, vm_id, "start"))["state"] == "running"
    [machine] = host.machines.list()
    assert machine.boot == 3, "created, rebooted, started"


async def test_a_vm_that_is_not_to_start_is_stopped_and_reserves_no_memory(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user, start=False)
    assert (await vm_of(user, vm_id))["state"] == "stopped"
    [item] = ok(await user.get("/v1/hosts"))["items"]
    reserved = ok(await user.get(f"/v1/hosts/{item['id']}"))["item"]["reserved"]
    assert (reserved["vcpus"], reserved["memory_mib"]) == (0, 0)
    assert reserved["disk_bytes"] == 4 << 30


@pytest.mark.parametrize(
    ("verb", "sentence"),
    [
        ("start", "Cannot start web-1: it is already running."),
        ("resume", "Cannot resume web-1: it is already running."),
    ],
)
async def test_a_verb_that_the_state_does_not_allow_is_refused_with_the_way_out(
    host: JoinedHost, user: httpx.AsyncClient, verb: str, sentence: str
) -> None:
    vm_id = await create(user)
    body = refused(await user.post(f"/v1/vms/{vm_id}/{verb}"), 409)
    assert (body["error"], body["code"]) == (sentence, "vm_state_conflict")
    assert body["suggestion"]
    refusals = {action["verb"]: action["refusal"] for action in (await vm_of(user, vm_id))["actions"]}
    assert refusals[verb] == f"{body['error']} {body['suggestion']}"
    assert refusals["stop"] is None


async def test_deleting_twice_is_one_operation(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user)
    first, second = await asyncio.gather(user.delete(f"/v1/vms/{vm_id}"), user.delete(f"/v1/vms/{vm_id}"))
    assert ok(first)["operation_id"] == ok(second)["operation_id"] is not None


async def test_deleting_pre_empts_whatever_else_is_under_way(host: JoinedHost, user: httpx.AsyncClient) -> None:
    host.vmm.boot_s = 60
    created = ok(await user.post("/v1/vms", json={"name": "slow"}))
    deleted = ok(await user.delete(f"/v1/vms/{created['id']}", params={"wait": 30}))
    assert deleted["status"] == "done"
    creation = ok(await user.get(f"/v1/operations/{created['operation_id']}"))["item"]
    assert creation["status"] == "superseded"
    assert host.machines.list() == ()


async def test_a_wait_that_ends_before_the_boot_says_so(host: JoinedHost, user: httpx.AsyncClient) -> None:
    host.vmm.boot_s = 2
    answer = ok(await user.post("/v1/vms", json={"name": "slow"}, params={"wait": 0.2}))
    assert answer["status"] == "running"
    vm = await vm_of(user, answer["id"])
    assert vm["operation_id"] == answer["operation_id"]
    assert vm["guest"] != "ready"
    done = ok(await user.get(f"/v1/operations/{answer['operation_id']}", params={"wait": 20}))["item"]
    assert done["status"] == "done"
    assert (await vm_of(user, answer["id"]))["guest"] == "ready"


async def test_a_wish_that_takes_too_long_fails_in_words_and_may_still_come_true(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    host.vmm.boot_s = 3
    answer = ok(await user.post("/v1/vms", json={"name": "slow"}))
    await until(lambda: db.fetchval("select begun_at is not null from operations where status = 'running'"))
    await db.execute("update operations set deadline = now() - interval '1 s' where status = 'running'")
    await db.execute("update flows set deadline = now() - interval '1 s', wake_at = now()")
    await db.execute("notify flows")
    path = f"/v1/operations/{answer['operation_id']}"
    operation = ok(await user.get(path, params={"wait": 20}))["item"]
    assert (operation["status"], operation["error"]["code"]) == ("failed", "vm_overdue")

    async def is_ready() -> bool:
        return (await vm_of(user, UUID(answer["id"])))["guest"] == "ready"

    await until(is_ready)


async def test_a_guest_that_powers_itself_off_stays_off(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user)
    host.vmm.end(await machine_of(db, vm_id), ExitReason.GUEST_SHUTDOWN, "The guest powered itself off.")
    vm = await in_state(user, vm_id, "stopped")
    assert (vm["why"], vm["fault"]) == ("The guest powered itself off.", None)
    assert (await act(user, vm_id, "start"))["why"] is None


async def test_a_guest_that_reboots_comes_back(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user)
    machine_id = await machine_of(db, vm_id)
    host.vmm.end(machine_id, ExitReason.GUEST_REBOOT, "The guest restarted itself.")

    async def booted_twice() -> bool:
        [machine] = host.machines.list()
        return machine.boot == 2

    await until(booted_twice)
    assert (await in_state(user, vm_id, "running"))["why"] == "The guest restarted itself."


async def test_a_guest_that_reboots_before_it_is_paused_is_paused_when_it_has(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    """The pause was promised; that the guest runs again does not keep it."""
    vm_id = await create(user)
    machine_id = await machine_of(db, vm_id)
    await host.reporting.stop()
    host.vmm.end(machine_id, ExitReason.GUEST_REBOOT, "The guest restarted itself.")
    pausing = asyncio.create_task(act(user, vm_id, "pause"))
    await until(lambda: db.fetchval("select goal = 'paused' from machines"))
    host.reporting.start()
    await pausing
    assert (await vm_of(user, vm_id))["state"] == "paused"
    seen = host.machines.get(machine_id).seen()
    assert (seen.power, seen.boot) == (Power.PAUSED, 2)


async def test_a_vm_whose_vmm_was_killed_is_stopped_with_a_fault(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user)
    host.vmm.end(await machine_of(db, vm_id), ExitReason.VMM_KILLED, "The VMM was killed by signal 9.")
    vm = await in_state(user, vm_id, "stopped")
    assert vm["fault"] == "The VMM was killed by signal 9."
    assert (await act(user, vm_id, "start"))["fault"] is None


async def test_a_boot_that_fails_is_an_error_that_verbs_work_from(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: object, **_more: object) -> None:
        raise VmmTrouble("the accelerator is gone")

    with monkeypatch.context() as broken:
        broken.setattr(host.vmm, "start", fail)
        created = ok(await user.post("/v1/vms", json={"name": "web-1"}))
        vm = await in_state(user, created["id"], "error")
    assert "the accelerator is gone" in vm["fault"]
    operation = ok(await user.get(f"/v1/operations/{created['operation_id']}"))["item"]
    assert (operation["status"], operation["error"]["code"]) == ("failed", "vm_faulted")
    assert (await act(user, created["id"], "start"))["state"] == "running"


async def test_an_operation_that_fails_while_waited_for_is_the_error(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: object, **_more: object) -> None:
        raise VmmTrouble("the accelerator is gone")

    monkeypatch.setattr(host.vmm, "start", fail)
    body = refused(await user.post("/v1/vms", json={"name": "web-1"}, params={"wait": 30}), 502)
    assert body["code"] == "vm_faulted"
    assert (await vm_of(user, body["id"]))["state"] == "error"
    assert body["operation_id"]


async def test_who_does_not_own_a_vm_finds_nothing(
    host: JoinedHost, user: httpx.AsyncClient, other_user: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    vm_id = await create(user)
    path = f"/v1/vms/{vm_id}"
    refused(await other_user.get(path), 404)
    refused(await other_user.patch(path, json={"description": "mine now"}), 404)
    for method, way in (
        *(("POST", verb) for verb in ("start", "stop", "pause", "resume", "reboot", "ctrl-alt-del")),
        *(("GET", what) for what in ("shell", "metrics", "console")),
    ):
        refused(await other_user.request(method, f"{path}/{way}"), 404)
    refused(await other_user.post(f"{path}/exec", json={"argv": ["id"]}), 404)
    refused(await other_user.delete(path), 404)
    assert ok(await other_user.get("/v1/vms"))["items"] == []
    assert len(ok(await viewer.get("/v1/vms"))["items"]) == 1
    refused(await viewer.post(f"{path}/stop"), 403)
    assert (await vm_of(user, vm_id))["state"] == "running"


async def test_the_password_is_sealed_and_only_shell_tells_it(
    host: JoinedHost, user: httpx.AsyncClient, viewer: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user, username="ada", password="hunter2 and more")
    item = ok(await user.get(f"/v1/vms/{vm_id}/shell"))["item"]
    assert item == {"username": "ada", "password": "hunter2 and more"}
    refused(await viewer.get(f"/v1/vms/{vm_id}/shell"), 403)
    assert "hunter2" not in (await user.get(f"/v1/vms/{vm_id}")).text
    for table in ("vms", "events", "audit", "operations"):
        rows = await db.fetch(f"select to_jsonb(t)::text as row from {table} t")
        assert all("hunter2" not in row["row"] for row in rows), table
    assert await db.fetchval("select count(*) from audit where verb = 'read-password' and subject_id = $1", vm_id) == 1
    [machine] = host.machines.list()
    assert machine.boot == 1
    generated = await create(user, "web-2")
    assert len(ok(await user.get(f"/v1/vms/{generated}/shell"))["item"]["password"]) == 16


async def test_names_are_unique_and_freed_by_deleting(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user)
    assert refused(await user.post("/v1/vms", json={"name": "web-1"}), 409)["code"] == "vm_name_taken"
    ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))
    await create(user)


async def test_editing_changes_what_is_given_and_nothing_else(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user, tags=["a"], description="first", start=False)
    await create(user, "web-2", start=False)
    ok(await user.patch(f"/v1/vms/{vm_id}", json={"name": "front", "tags": ["b", "c"]}))
    vm = await vm_of(user, vm_id)
    assert (vm["name"], vm["tags"], vm["description"]) == ("front", ["b", "c"], "first")
    refused(await user.patch(f"/v1/vms/{vm_id}", json={"name": "web-2"}), 409)
    refused(await user.patch(f"/v1/vms/{vm_id}", json={"vcpu": 4}), 422)
    refused(await user.patch(f"/v1/vms/{vm_id}", json={"tags": None}), 422)


async def test_lists_are_filtered_sorted_and_paged_and_match_their_model(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    for number in range(5):
        await create(user, f"web-{number}", start=number == 0, tags=["odd" if number % 2 else "even", "all"])

    async def names(**query: str | list[str]) -> list[str]:
        body = ok(await user.get("/v1/vms", params=query))
        VmList.model_validate(body, strict=False)
        assert all(set(item) == set(ListedVm.model_fields) for item in body["items"])
        return [item["name"] for item in body["items"]]

    assert await names(sort="name") == [f"web-{number}" for number in range(5)]
    assert await names() == [f"web-{number}" for number in reversed(range(5))]
    assert await names(state="running") == ["web-0"]
    assert await names(state=["running", "stopped"], sort="name", tag=["all", "odd"]) == ["web-1", "web-3"]
    assert await names(name="web-4") == ["web-4"]
    assert await names(q="EB-2") == ["web-2"]
    assert await names(q="%") == []
    paged: list[str] = []
    cursor = None
    while True:
        query = {"sort": "-name", "limit": 2} | ({"cursor": cursor} if cursor else {})
        body = ok(await user.get("/v1/vms", params=query))
        paged += [item["name"] for item in body["items"]]
        if (cursor := body["next_cursor"]) is None:
            break
    assert paged == [f"web-{number}" for number in reversed(range(5))]


async def test_one_vm_and_the_list_tell_the_same(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user)
    [listed] = ok(await user.get("/v1/vms"))["items"]
    assert listed.pop("usage") is None, "what changes by the second is in no version of a VM"
    assert listed == await vm_of(user, vm_id)
    VmItem.model_validate({"item": listed})


async def test_metrics_and_console_come_from_the_host(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user)
    host.vmm.console(await machine_of(db, vm_id)).write_bytes(b"Linux says hello\n")
    sample = ok(await user.get(f"/v1/vms/{vm_id}/metrics"))["item"]
    assert sample["host"]["cpu_seconds"] >= 0
    assert sample["guest"] is not None
    console = await user.get(f"/v1/vms/{vm_id}/console", params={"offset": 6})
    assert (console.content, console.headers["Nexus-Offset"], console.headers["Nexus-Size"]) == (
        b"says hello\n",
        "6",
        "17",
    )


async def test_ctrl_alt_del_reaches_the_guest(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user)
    ok(await user.post(f"/v1/vms/{vm_id}/ctrl-alt-del"))

    async def booted_twice() -> bool:
        [machine] = host.machines.list()
        return machine.boot == 2

    await until(booted_twice)


async def test_what_a_guest_will_not_run_is_a_conflict_in_its_own_words(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user)
    body = refused(await user.post(f"/v1/vms/{vm_id}/exec", json={"command": "id"}), 409)
    assert "a simulated guest runs no processes" in body["error"]


NONSENSE: list[tuple[dict[str, Any], int]] = [
    ({}, 422),
    ({"name": "ab"}, 422),
    ({"name": "-abc"}, 422),
    ({"name": "a" * 64}, 422),
    ({"name": "web\0one"}, 422),
    ({"name": "web_1"}, 422),
    ({"name": "web-1\n"}, 422),
    ({"name": 12345}, 422),
    ({"name": "web-1", "vcpu": 0}, 422),
    ({"name": "web-1", "vcpu": "many"}, 422),
    ({"name": "web-1", "vcpu": 10**30}, 422),
    ({"name": "web-1", "mem_mib": 127}, 422),
    ({"name": "web-1", "mem_mib": 1e400}, 400),
    ({"name": "web-1", "disk_size_bytes": 1}, 422),
    ({"name": "web-1", "tags": ["a b"]}, 422),
    ({"name": "web-1", "tags": ["x"] * 33}, 422),
    ({"name": "web-1", "description": "\0"}, 422),
    ({"name": "web-1", "owner": "a\nb"}, 422),
    ({"name": "web-1", "username": "Robert'); drop table vms"}, 422),
    ({"name": "web-1", "password": "a\nb"}, 422),
    ({"name": "web-1", "ssh_authorized_keys": ["not a key"]}, 422),
    ({"name": "web-1", "boot_args": "quiet\ninit=/bin/sh"}, 422),
    ({"name": "web-1", "kernel_path": "/etc/passwd"}, 422),
    ({"name": "web-1", "kernel": "x", "kernel_image_id": str(uuid4())}, 422),
    ({"name": "web-1", "image": "../../etc/passwd"}, 422),
    ({"name": "web-1", "rootfs_image_id": "nonsense"}, 422),
    ({"name": "web-1", "rootfs_image_id": str(uuid4())}, 404),
    ({"name": "web-1", "image": "no-such-image"}, 404),
    ({"name": "web-1", "mem_mib": 1 << 20}, 503),
]


async def test_nonsense_is_refused_and_changes_nothing(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    for body, status in NONSENSE:
        content = json.dumps(body).replace("Infinity", "1e400")
        answer = await user.post("/v1/vms", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, (body, answer.text)
        refused(answer, status)
    assert await db.fetchval("select count(*) from machines") == 0
    for path in ("not-a-uuid", "%00", "web-1", "..%2f..", "0" * 400):
        assert (await user.get(f"/v1/vms/{path}")).status_code in (400, 404, 422)
    for query in ({"limit": 0}, {"limit": 10**9}, {"cursor": "x"}, {"sort": "password"}, {"state": "happy"}):
        assert (await user.get("/v1/vms", params=query)).status_code in (400, 422), query
    refused(await user.post("/v1/vms", content=b"{", headers={"Content-Type": "application/json"}), 400)
    refused(await user.post("/v1/vms", json=["web-1"]), 400)


async def test_concurrent_creates_never_share_an_address_or_pass_the_capacity(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    memory_mib = await db.fetchval("select memory_mib from hosts")
    share = memory_mib // 4 - 1
    answers = await asyncio.gather(
        *(user.post("/v1/vms", json={"name": f"crowd-{number}", "mem_mib": share}) for number in range(12))
    )
    admitted = [answer for answer in answers if answer.is_success]
    assert len(admitted) == 4
    for answer in answers:
        if not answer.is_success:
            body = refused(answer, 503)
            assert "host-1: MiB of memory" in body["fault_message"]
    assert await db.fetchval("select count(distinct address) = count(*) and count(*) = 4 from nics")
    assert await db.fetchval("select count(distinct mac) from nics") == 4


async def test_of_two_creates_of_one_name_one_is_refused(host: JoinedHost, user: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(user.post("/v1/vms", json={"name": "only"}) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]


async def test_without_a_host_there_is_no_room(images: dict[str, str], user: httpx.AsyncClient) -> None:
    body = refused(await user.post("/v1/vms", json={"name": "web-1"}), 503)
    assert body["fault_message"] == "No host has joined yet."


async def test_starting_again_needs_room_too(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    memory_mib = await db.fetchval("select memory_mib from hosts")
    first = await create(user, "first", mem_mib=memory_mib - 200)
    await act(user, first, "stop")
    second = await create(user, "second", mem_mib=memory_mib - 200)
    assert refused(await user.post(f"/v1/vms/{first}/start"), 503)["code"] == "no_room"
    await act(user, second, "stop")
    assert (await act(user, first, "start"))["state"] == "running"


async def test_an_agent_that_is_older_and_takes_only_the_definition_is_told_the_wish_as_well(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    define = host.machines.define

    async def older(spec: MachineSpec, *_: object, **__: object) -> MachineSeen:
        return await define(spec)

    monkeypatch.setattr(host.machines, "define", older)
    vm_id = await create(user)
    assert (await vm_of(user, vm_id))["guest"] == "ready"
    assert (await act(user, vm_id, "stop", grace_s=0))["state"] == "stopped"
    assert (await act(user, vm_id, "start"))["guest"] == "ready"


async def test_every_change_of_state_is_told_in_order(
    host: JoinedHost, user: httpx.AsyncClient, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, may_start = host.vmm.start, asyncio.Event()

    async def held(*args: Any, **named: Any) -> None:
        """What is started before its host has answered was never seen starting."""
        await may_start.wait()
        await start(*args, **named)

    monkeypatch.setattr(host.vmm, "start", held)
    vm_id = await create(user, wait=None)
    await in_state(user, vm_id, "starting")
    may_start.set()
    await in_state(user, vm_id, "running")
    ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))
    rows = await db.fetch("select type, data from events where subject_id = $1 order by seq", vm_id)
    assert rows[0]["type"] == "vm.created"
    assert rows[-1]["type"] == "vm.deleted"
    changes = [row["data"] for row in rows if row["type"] == "vm.state_changed"]
    assert [change["state"] for change in changes] == ["starting", "running", "deleting"]
    assert [change["previous"] for change in changes] == ["creating", "starting", "running"]
