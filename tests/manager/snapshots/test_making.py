"""What snapshots are for: new VMs, VMs that are what they were, clones, and VMs that sleep on disk.

The simulated hypervisor gives every boot another memory, so that it shows which boots went on from a snapshot; what a
disk holds is written into its file.
"""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, refused, until, vm_of
from tests.manager.snapshots.acting import in_state, named, snapshot_of, take

from nexus.agent.vmm.fake import FakeVmm
from nexus.agent.vmm.port import VmmTrouble
from nexus.kit.db import Db
from nexus.manager.snapshots import flow, repository
from nexus.protocol.machines import ExitReason


class Disks:
    """Memory and disks of VMs on the one host, as they really are."""

    def __init__(self, host: JoinedHost, db: Db) -> None:
        self._host = host
        self._db = db

    async def memory(self, vm_id: UUID) -> str:
        return self._host.vmm.memory(await machine_of(self._db, vm_id))[0]

    async def write(self, vm_id: UUID, text: str) -> None:
        disk = await self._overlay(vm_id)
        with disk.open("r+b") as file:
            file.write(text.encode().ljust(64))

    async def read(self, vm_id: UUID) -> str:
        disk = await self._overlay(vm_id)
        with disk.open("rb") as file:
            return file.read(64).decode(errors="replace").strip(" \0")

    async def _overlay(self, vm_id: UUID) -> Path:
        overlay = await self._db.fetchval(
            "select d.id from drives d join vms v using (machine_id) where v.id = $1 and d.role = 'overlay'", vm_id
        )
        return self._host.vmm.drives(await machine_of(self._db, vm_id))[overlay].path


@pytest.fixture
def disks(host: JoinedHost, db: Db) -> Disks:
    return Disks(host, db)


async def ask(client: httpx.AsyncClient, vm_id: UUID, verb: str, **body: object) -> dict[str, Any]:
    answer = ok(await client.post(f"/v1/vms/{vm_id}/{verb}", json=body or None, params={"wait": 60}))
    assert answer["status"] == "done", answer
    return answer


async def test_a_new_vm_goes_on_where_the_snapshot_stood_and_is_its_own(
    host: JoinedHost, user: httpx.AsyncClient, disks: Disks
) -> None:
    vm_id = await create(user, vcpu=2, mem_mib=256, tags=["a"], boot_args="quiet")
    await disks.write(vm_id, "then")
    snapshot_id = await take(user, vm_id, name="one")
    await disks.write(vm_id, "later")
    made = ok(await user.post(f"/v1/snapshots/{snapshot_id}/instantiate", json={"name": "web-2"}, params={"wait": 60}))
    assert made["status"] == "done"
    old, new = await vm_of(user, vm_id), await vm_of(user, UUID(made["id"]))
    same = ("vcpu", "mem_mib", "tags", "boot_args", "disk_size_bytes", "image", "kernel", "host_id", "username")
    assert [new[field] for field in same] == [old[field] for field in same]
    assert new["guest_mac"] != old["guest_mac"]
    assert (new["source_snapshot_id"], new["cloned_from_id"]) == (str(snapshot_id), str(vm_id))
    assert await disks.memory(UUID(new["id"])) == await disks.memory(vm_id)
    assert (await disks.read(UUID(new["id"])), await disks.read(vm_id)) == ("then", "later")
    logins = [ok(await user.get(f"/v1/vms/{one}/shell"))["item"]["password"] for one in (vm_id, made["id"])]
    assert logins[0] != logins[1]
    await ask(user, UUID(new["id"]), "reboot")
    assert await disks.memory(UUID(new["id"])) != await disks.memory(vm_id), "a later boot is an ordinary one"
    assert await disks.read(UUID(new["id"])) == "then"


async def test_without_a_name_a_new_vm_gets_the_next_number(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user)
    snapshot_id = await take(user, vm_id)
    path = f"/v1/snapshots/{snapshot_id}/instantiate"
    for expected in ("web-1-2", "web-1-3"):
        made = ok(await user.post(path, params={"wait": 60}))
        assert (await vm_of(user, UUID(made["id"])))["name"] == expected
    assert refused(await user.post(path, json={"name": "WEB-1"}), 409)["code"] == "vm_name_taken"


async def test_of_a_vm_that_was_off_a_new_one_boots_from_its_disks(
    host: JoinedHost, user: httpx.AsyncClient, disks: Disks
) -> None:
    vm_id = await create(user)
    await disks.write(vm_id, "then")
    before = await disks.memory(vm_id)
    await ask(user, vm_id, "stop")
    snapshot_id = await take(user, vm_id)
    made = ok(await user.post(f"/v1/snapshots/{snapshot_id}/instantiate", params={"wait": 60}))
    assert await disks.read(UUID(made["id"])) == "then"
    assert await disks.memory(UUID(made["id"])) != before


@pytest.mark.parametrize("state", ["running", "stopped"])
async def test_a_vm_goes_back_to_what_it_was(
    host: JoinedHost, user: httpx.AsyncClient, disks: Disks, state: str
) -> None:
    vm_id = await create(user, mem_mib=256)
    await disks.write(vm_id, "then")
    memory = await disks.memory(vm_id)
    snapshot_id = await take(user, vm_id)
    await disks.write(vm_id, "later")
    ok(await user.put(f"/v1/vms/{vm_id}/machine-config", json={"vcpu": 2, "mem_mib": 512}))
    await ask(user, vm_id, "reboot" if state == "running" else "stop")
    await ask(user, vm_id, "rollback", snapshot_id=str(snapshot_id))
    vm = await vm_of(user, vm_id)
    assert (vm["state"], vm["vcpu"], vm["mem_mib"], vm["pending_changes"]) == ("running", 1, 256, [])
    assert (await disks.memory(vm_id), await disks.read(vm_id)) == (memory, "then")
    await ask(user, vm_id, "reboot")
    assert await disks.memory(vm_id) != memory
    assert await disks.read(vm_id) == "then"


async def test_a_vm_that_has_failed_goes_back_too(
    host: JoinedHost, user: httpx.AsyncClient, disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = await create(user)
    memory = await disks.memory(vm_id)
    snapshot_id = await take(user, vm_id)

    async def start(*_: object, **__: object) -> None:
        raise VmmTrouble("its file system is broken")

    with monkeypatch.context() as broken:
        broken.setattr(FakeVmm, "start", start)
        refused(await user.post(f"/v1/vms/{vm_id}/reboot", params={"wait": 60}), 502)
    await ask(user, vm_id, "rollback", snapshot_id=str(snapshot_id))
    assert await disks.memory(vm_id) == memory


async def test_nothing_goes_back_to_what_is_not_its_own_or_does_not_fit(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    vm_id, other = await create(user), await create(user, "web-2")
    snapshot_id = await take(user, vm_id, name="one")
    wanted = {"snapshot_id": str(snapshot_id)}
    answer = refused(await user.post(f"/v1/vms/{other}/rollback", json=wanted), 409)
    assert (answer["code"], "restore one" in answer["suggestion"]) == ("not_its_snapshot", True)
    drive = ok(await user.post(f"/v1/vms/{vm_id}/drives", json={"drive_id": "data", "size_bytes": 1 << 26}))
    answer = refused(await user.post(f"/v1/vms/{vm_id}/rollback", json=wanted), 409)
    assert (answer["code"], "drive data" in answer["error"]) == ("snapshot_layout_differs", True)
    ok(await user.delete(f"/v1/vms/{vm_id}/drives/{drive['id']}"))
    refused(await user.post(f"/v1/vms/{vm_id}/rollback", json={"snapshot_id": str(UUID(int=1))}), 404)
    await ask(user, vm_id, "rollback", **wanted)


async def test_nothing_goes_back_or_to_sleep_that_is_not_what_was_seen(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user)
    snapshot_id = await take(user, vm_id)
    seen = {"If-Match": (await user.get(f"/v1/vms/{vm_id}")).headers["etag"]}
    ok(await user.patch(f"/v1/vms/{vm_id}", json={"description": "edited"}))
    for path, body in (("rollback", {"snapshot_id": str(snapshot_id)}), ("suspend", None)):
        assert refused(await user.post(f"/v1/vms/{vm_id}/{path}", json=body, headers=seen), 412)["code"] == "stale"


async def test_a_restore_that_fails_is_tried_again_by_the_next_start(
    host: JoinedHost, user: httpx.AsyncClient, disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = await create(user)
    await disks.write(vm_id, "then")
    snapshot_id = await take(user, vm_id)

    async def restore(*_: object, **__: object) -> None:
        raise VmmTrouble("not enough memory")

    with monkeypatch.context() as broken:
        broken.setattr(FakeVmm, "restore", restore)
        path = f"/v1/snapshots/{snapshot_id}/instantiate"
        failed = refused(await user.post(path, json={"name": "web-2"}, params={"wait": 60}), 502)
    made = UUID(failed["id"])
    assert (await vm_of(user, made))["state"] == "error"
    assert refused(await user.post(f"/v1/vms/{made}/snapshots", json={}), 409)["code"] == "vm_state_conflict"
    await ask(user, made, "start")
    assert (await disks.memory(made), await disks.read(made)) == (await disks.memory(vm_id), "then")


async def _refuse(*_: object, **__: object) -> None:
    raise VmmTrouble("not enough memory")


async def test_a_vm_that_has_come_up_from_a_snapshot_never_goes_back_to_it_by_itself(
    host: JoinedHost, user: httpx.AsyncClient, db: Db, disks: Disks
) -> None:
    vm_id = await create(user)
    snapshot_id = await take(user, vm_id)
    await ask(user, vm_id, "rollback", snapshot_id=str(snapshot_id))
    await disks.write(vm_id, "a week of work")
    clones = ok(await user.post(f"/v1/vms/{vm_id}/clone", json={"name": "copy"}, params={"wait": 60}))
    clone = UUID(clones["items"][0]["id"])
    await until(lambda: _is_only_one(user))
    for one in (vm_id, clone):
        host.vmm.end(await machine_of(db, one), ExitReason.VMM_FAILED, "Its VMM failed with status 1.")
        await until(lambda one=one: _is_in(user, one, "error"))
        await ask(user, one, "start")
        assert await disks.read(one) == "a week of work"


@pytest.mark.parametrize("then", ["start", "stop"])
async def test_a_suspended_vm_that_could_not_go_on_is_tried_again_or_given_up(
    host: JoinedHost, user: httpx.AsyncClient, db: Db, disks: Disks, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    vm_id = await create(user)
    await disks.write(vm_id, "kept")
    memory = await disks.memory(vm_id)
    await ask(user, vm_id, "suspend")
    with monkeypatch.context() as broken:
        broken.setattr(FakeVmm, "restore", _refuse)
        refused(await user.post(f"/v1/vms/{vm_id}/resume", params={"wait": 60}), 502)
    assert await repository.spent(db) == [], "its snapshot is not for the sweep"
    await ask(user, vm_id, then)
    if then == "stop":
        await ask(user, vm_id, "start")
    assert (await disks.memory(vm_id) == memory) is (then == "start")
    assert await disks.read(vm_id) == "kept"
    await until(lambda: _there_are_none(user))


async def test_a_rollback_that_cannot_be_is_given_up_by_stopping(
    host: JoinedHost, user: httpx.AsyncClient, disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = await create(user)
    snapshot_id = await take(user, vm_id)
    await disks.write(vm_id, "later")
    asked = {"snapshot_id": str(snapshot_id)}

    def differ(*_: object) -> None:
        raise VmmTrouble("other devices")

    monkeypatch.setattr(FakeVmm, "check", differ)
    refused(await user.post(f"/v1/vms/{vm_id}/rollback", json=asked, params={"wait": 60}), 502)
    await ask(user, vm_id, "stop")
    await ask(user, vm_id, "start")
    assert await disks.read(vm_id) == "later"


async def test_a_cordon_keeps_no_snapshot_from_being_taken(
    host: JoinedHost, user: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    vm_id = await create(user)
    host_id = (await vm_of(user, vm_id))["host_id"]
    ok(await admin.post(f"/v1/hosts/{host_id}/cordon"))
    await take(user, vm_id)
    await ask(user, vm_id, "suspend")


@pytest.mark.parametrize("state", ["running", "stopped"])
async def test_clones_are_what_the_vm_is_now_and_leave_it(
    host: JoinedHost, user: httpx.AsyncClient, disks: Disks, state: str
) -> None:
    vm_id = await create(user)
    await disks.write(vm_id, "now")
    memory = await disks.memory(vm_id)
    if state == "stopped":
        await ask(user, vm_id, "stop")
    answer = await ask(user, vm_id, "clone", name="copy", count=3, description="for a test")
    assert [item["name"] for item in answer["items"]] == ["copy-1", "copy-2", "copy-3"]
    assert answer["id"] == answer["items"][0]["id"]
    for item in answer["items"]:
        vm = await vm_of(user, UUID(item["id"]))
        assert (vm["state"], vm["cloned_from_id"], vm["source_snapshot_id"]) == ("running", str(vm_id), None)
        assert vm["description"] == "for a test"
        assert await disks.read(UUID(item["id"])) == "now"
        assert (await disks.memory(UUID(item["id"])) == memory) is (state == "running")
    assert (await vm_of(user, vm_id))["state"] == state
    macs = {(await vm_of(user, UUID(one)))["guest_mac"] for one in (str(vm_id), *(i["id"] for i in answer["items"]))}
    assert len(macs) == 4
    await until(lambda: _there_are_none(user))
    tree = ok(await user.get(f"/v1/vms/{vm_id}/snapshots/tree"))["item"]
    assert [vm["name"] for vm in tree["clones"]] == ["copy-1", "copy-2", "copy-3"]


async def test_clones_are_admitted_all_or_none(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    vm_id, taken = await create(user), await create(user, "copy-2", start=False)
    path = f"/v1/vms/{vm_id}/clone"
    refused(await user.post(path, json={"count": 101}), 422)
    assert refused(await user.post(path, json={"name": "copy", "count": 3}), 409)["code"] == "vm_name_taken"
    await db.execute("update hosts set memory_mib = 1024")
    refusal = refused(await user.post(path, json={"count": 100}), 503)
    assert (refusal["code"], "100 times" in refusal["error"]) == ("no_room", True)
    assert await db.fetchval("select array_agg(id) from vms") == [vm_id, taken]
    assert await named(user) == []


async def test_while_clones_begin_it_is_told_how_many_have(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = await create(user)
    may_begin, restore = asyncio.Semaphore(1), FakeVmm.restore

    async def restore_when_it_may(*about: Any, **how: Any) -> None:
        await may_begin.acquire()
        await restore(*about, **how)

    monkeypatch.setattr(FakeVmm, "restore", restore_when_it_may)
    answer = ok(await user.post(f"/v1/vms/{vm_id}/clone", json={"name": "copy", "count": 2}))

    async def stage() -> tuple[str, str | None, bool]:
        seen = ok(await user.get(f"/v1/operations/{answer['operation_id']}"))["item"]
        return seen["status"], seen["stage"], 50 < seen["progress"] < 99

    async def one_has_begun() -> bool:
        return await stage() == ("running", "1 of 2 clones have begun", True)

    async def is_done() -> bool:
        return (await stage())[0] == "done"

    await until(one_has_begun)
    may_begin.release()
    await until(is_done)


async def test_clones_of_what_cannot_be_taken_fail_with_the_reason_and_can_be_deleted(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = await create(user)

    async def save(*_: object, **__: object) -> None:
        raise VmmTrouble("no space left on the device")

    monkeypatch.setattr(FakeVmm, "save", save)
    answer = refused(await user.post(f"/v1/vms/{vm_id}/clone", json={"name": "copy"}, params={"wait": 60}), 502)
    assert "no space left" in answer["error"]
    [clone] = [vm for vm in ok(await user.get("/v1/vms"))["items"] if vm["name"] == "copy"]
    await until(lambda: _is_in(user, UUID(clone["id"]), "error"))
    assert "no space left" in (await vm_of(user, UUID(clone["id"])))["fault"]
    ok(await user.delete(f"/v1/vms/{clone['id']}", params={"wait": 60}))
    await until(lambda: _there_are_none(user))
    assert (await vm_of(user, vm_id))["state"] == "running"


@pytest.mark.parametrize("state", ["running", "paused"])
@pytest.mark.parametrize("verb", ["start", "resume"])
async def test_a_suspended_vm_goes_on_where_it_stood(
    host: JoinedHost, user: httpx.AsyncClient, disks: Disks, state: str, verb: str
) -> None:
    vm_id = await in_state(user, state)
    await disks.write(vm_id, "kept")
    memory = await disks.memory(vm_id)
    answer = await ask(user, vm_id, "suspend")
    vm = await vm_of(user, vm_id)
    assert vm["state"] == "suspended"
    asked = ok(await user.get("/v1/operations", params={"subject_id": str(vm_id)}))["items"]
    assert asked[0]["verb"] == "suspend", "what the platform does for a user is the user's to follow"
    refusals = {action["verb"]: action["refusal"] for action in vm["actions"]}
    assert [name for name, why in refusals.items() if why is None] == ["start", "stop", "resume", "rollback", "delete"]
    assert (await snapshot_of(user, UUID(answer["snapshot_id"])))["needed_by"] == ["web-1"]
    in_use = refused(await user.delete(f"/v1/snapshots/{answer['snapshot_id']}"), 409)
    assert (in_use["code"], "web-1 has yet to begin" in in_use["error"]) == ("snapshot_in_use", True)
    refused(await user.put(f"/v1/vms/{vm_id}/machine-config", json={"vcpu": 2, "mem_mib": 512}), 409)
    await ask(user, vm_id, verb)
    assert (await vm_of(user, vm_id))["state"] == "running"
    assert (await disks.memory(vm_id), await disks.read(vm_id)) == (memory, "kept")
    await until(lambda: _there_are_none(user))


async def test_what_waits_for_vms_is_woken_by_them(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "WAITING_S", 3600.0)
    vm_id = await create(user)
    operation = (await ask(user, vm_id, "clone", count=2))["operation_id"]
    assert ok(await user.get(f"/v1/operations/{operation}"))["item"]["status"] == "done"
    await until(lambda: _there_are_none(user))
    await ask(user, vm_id, "suspend")
    assert (await vm_of(user, vm_id))["state"] == "suspended"


@pytest.mark.parametrize("verb", ["stop", "delete"])
async def test_a_suspended_vm_can_be_given_up(
    host: JoinedHost, user: httpx.AsyncClient, disks: Disks, verb: str
) -> None:
    vm_id = await create(user)
    await disks.write(vm_id, "kept")
    memory = await disks.memory(vm_id)
    await ask(user, vm_id, "suspend")
    if verb == "delete":
        ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 60}))
    else:
        await ask(user, vm_id, "stop")
        await ask(user, vm_id, "start")
        assert await disks.memory(vm_id) != memory
        assert await disks.read(vm_id) == "kept"
    await until(lambda: _there_are_none(user))


async def test_a_vm_that_cannot_be_suspended_runs_on(
    host: JoinedHost, user: httpx.AsyncClient, disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = await create(user)
    memory = await disks.memory(vm_id)

    async def save(*_: object, **__: object) -> None:
        raise VmmTrouble("no space left on the device")

    monkeypatch.setattr(FakeVmm, "save", save)
    answer = refused(await user.post(f"/v1/vms/{vm_id}/suspend", params={"wait": 60}), 502)
    assert (answer["code"], "no space left" in answer["error"]) == ("snapshot_failed", True)
    await until(lambda: _is_in(user, vm_id, "running"))
    assert await disks.memory(vm_id) == memory
    await until(lambda: _there_are_none(user))


async def test_who_wants_something_else_meanwhile_gets_that(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id, reached, go_on = await create(user), asyncio.Event(), asyncio.Event()
    save = FakeVmm.save

    async def slow(self: FakeVmm, machine: UUID, into: Path) -> tuple[str, ...]:
        reached.set()
        await go_on.wait()
        return await save(self, machine, into)

    monkeypatch.setattr(FakeVmm, "save", slow)
    answer = ok(await user.post(f"/v1/vms/{vm_id}/suspend"))
    await reached.wait()
    ok(await user.post(f"/v1/vms/{vm_id}/stop", json={"grace_s": 0}))
    go_on.set()
    ended = ok(await user.get(f"/v1/operations/{answer['operation_id']}", params={"wait": 60}))["item"]
    assert ended["status"] == "failed"
    assert "Something else" in ended["error"]["error"] or "something else" in ended["error"]["error"]
    await until(lambda: _is_in(user, vm_id, "stopped"))


async def _is_in(client: httpx.AsyncClient, vm_id: UUID, state: str) -> bool:
    return (await vm_of(client, vm_id))["state"] == state


async def _is_only_one(client: httpx.AsyncClient) -> bool:
    return len(await named(client)) == 1


async def _there_are_none(client: httpx.AsyncClient) -> bool:
    return not await named(client)
