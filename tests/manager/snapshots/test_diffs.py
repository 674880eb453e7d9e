"""Diffs over HTTP: what they are over, what begins from them, and that nobody takes their parents away."""

from uuid import UUID

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, ok, refused, until, vm_of
from tests.manager.snapshots.acting import in_state, named, snapshot_of, take

from nexus.agent.snapshots.registry import SnapshotRegistry
from nexus.agent.vmm.fake import FakeVmm
from nexus.agent.vmm.port import VmmTrouble
from nexus.kit.db import Db
from nexus.manager.settings import ManagerSettings
from nexus.manager.snapshots.lifecycle import Facts, Move, decide
from nexus.manager.snapshots.models import Purpose, SnapshotState
from nexus.protocol.trouble import Refused


async def _taken(client: httpx.AsyncClient, vm_id: UUID, name: str, **wanted: object) -> UUID:
    return await take(client, vm_id, name=name, snapshot_type="Diff", **wanted)


async def _refused(client: httpx.AsyncClient, vm_id: UUID, status: int = 409, **wanted: object) -> dict[str, str]:
    answer = await client.post(f"/v1/vms/{vm_id}/snapshots", json={"snapshot_type": "diff", **wanted})
    return refused(answer, status)


async def _delete(client: httpx.AsyncClient, snapshot_id: UUID) -> None:
    assert ok(await client.delete(f"/v1/snapshots/{snapshot_id}", params={"wait": 30}))["status"] == "done"


async def test_a_diff_is_over_what_its_vm_has_gone_on_from_or_what_is_named(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user)
    full = await take(user, vm_id, name="full")
    first, second = await _taken(user, vm_id, "first"), await _taken(user, vm_id, "second")
    beside = await _taken(user, vm_id, "beside", parent_id=str(full))
    items = {name: await snapshot_of(user, each) for name, each in (("first", first), ("second", second))}
    items["beside"], items["full"] = await snapshot_of(user, beside), await snapshot_of(user, full)
    assert {name: (item["snapshot_type"], item["parent_id"]) for name, item in items.items()} == {
        "full": ("Full", None),
        "first": ("Diff", str(full)),
        "second": ("Diff", str(first)),
        "beside": ("Diff", str(full)),
    }
    assert items["full"]["needed_by"] == ["beside", "first"]
    assert 0 < items["first"]["size_bytes"] < items["full"]["size_bytes"]
    assert (items["full"]["mem_path"] is None, items["first"]["mem_path"]) == (False, None)
    details = await db.fetchval("select details from audit where subject_id = $1 and verb = 'create'", second)
    assert (details["type"], details["parent"]) == ("Diff", "first")
    tree = ok(await user.get(f"/v1/vms/{vm_id}/snapshots/tree"))["item"]
    assert [node["snapshot_type"] for node in tree["snapshots"]] == ["Full", "Diff", "Diff", "Diff"]
    again = ok(await user.post(f"/v1/vms/{vm_id}/rollback", json={"snapshot_id": str(first)}, params={"wait": 30}))
    assert again["status"] == "done"
    assert (await snapshot_of(user, await _taken(user, vm_id, "third")))["parent_id"] == str(first)
    made = ok(await user.post(f"/v1/snapshots/{second}/instantiate", json={"name": "web-2"}, params={"wait": 30}))
    assert made["status"] == "done"
    assert (await vm_of(user, UUID(made["id"])))["guest"] == "ready"


@pytest.mark.parametrize("state", ["running", "paused", "stopped"])
async def test_a_vm_of_which_a_diff_is_taken_is_left_as_it_was(
    host: JoinedHost, user: httpx.AsyncClient, state: str
) -> None:
    vm_id = await in_state(user, state)
    await take(user, vm_id, name="full")
    diff = await snapshot_of(user, await _taken(user, vm_id, "diff"))
    assert diff["has_memory"] is (state != "stopped")
    assert (await vm_of(user, vm_id))["state"] == state


async def test_a_parent_stays_until_the_last_diff_over_it_is_going(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user)
    one = await take(user, vm_id, name="one")
    two, three = await _taken(user, vm_id, "two"), await _taken(user, vm_id, "three")
    for snapshot_id, by in ((one, "two"), (two, "three")):
        answer = refused(await user.delete(f"/v1/snapshots/{snapshot_id}"), 409)
        assert answer["code"] == "snapshot_in_use"
        assert f"{by} is a diff over it" in answer["error"]
        assert answer["suggestion"] == "Delete the diffs first."
    ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))
    for snapshot_id in (three, two):
        ok(await user.delete(f"/v1/snapshots/{snapshot_id}"))
    await _delete(user, one)
    assert await named(user) == []


async def test_a_parent_that_was_to_go_stays_with_a_diff_that_its_host_keeps(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = await create(user)
    full, diff = await take(user, vm_id, name="full"), await _taken(user, vm_id, "diff")
    discard = SnapshotRegistry.discard

    async def refuse(registry: SnapshotRegistry, snapshot: UUID) -> None:
        if snapshot == diff:
            raise Refused("it is needed")
        await discard(registry, snapshot)

    monkeypatch.setattr(SnapshotRegistry, "discard", refuse)
    answers = [ok(await user.delete(f"/v1/snapshots/{snapshot_id}")) for snapshot_id in (diff, full)]
    for answer in answers:
        ended = ok(await user.get(f"/v1/operations/{answer['operation_id']}", params={"wait": 60}))["item"]
        assert (ended["status"], ended["error"]["code"]) == ("failed", "snapshot_failed")
    for snapshot_id in (full, diff):
        assert (await snapshot_of(user, snapshot_id))["state"] == "completed"
    monkeypatch.undo()
    await _delete(user, diff)
    await _delete(user, full)


async def test_full_ones_move_up_when_their_parent_goes_and_diffs_keep_theirs(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user)
    one, two = await take(user, vm_id, name="one"), await take(user, vm_id, name="two")
    three = await _taken(user, vm_id, "three")
    await _delete(user, one)
    assert (await snapshot_of(user, two))["parent_id"] is None
    assert (await snapshot_of(user, three))["parent_id"] == str(two)
    await _delete(user, three)
    assert (await snapshot_of(user, await _taken(user, vm_id, "four")))["parent_id"] == str(two)


async def test_what_cannot_be_a_parent_is_refused_with_a_way_out(
    host: JoinedHost,
    user: httpx.AsyncClient,
    other_user: httpx.AsyncClient,
    db: Db,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vm_id, other = await create(user), await create(other_user, "db-1")
    nothing = await _refused(user, vm_id)
    assert (nothing["code"], "no snapshot of it yet" in nothing["error"]) == ("snapshot_parent_unusable", True)
    assert "Take a Full one" in nothing["suggestion"]
    full = await take(user, vm_id, name="full")
    assert (await _refused(other_user, other, 404, parent_id=str(full)))["code"] == "snapshot_not_found"
    web_2 = await create(user, "web-2")
    foreign = await _refused(user, web_2, parent_id=str(full))
    assert (foreign["code"], "not taken of it" in foreign["error"]) == ("snapshot_parent_unusable", True)
    wrong = await user.post(f"/v1/vms/{vm_id}/snapshots", json={"parent_id": str(full)})
    assert "parent_id" in refused(wrong, 422)["error"]
    for state, words in (("creating", "still being taken"), ("failed", "is not there"), ("deleting", "being deleted")):
        await db.execute("update snapshots set state = $1 where id = $2", state, full)
        unusable = await _refused(user, vm_id)
        assert (unusable["code"], words in unusable["error"]) == ("snapshot_parent_unusable", True)
    await db.execute("update snapshots set state = 'completed' where id = $1", full)
    monkeypatch.setattr("nexus.manager.snapshots.parents.MOST_DIFFS", 2)
    await _taken(user, vm_id, "one")
    await _taken(user, vm_id, "two")
    long = await _refused(user, vm_id)
    assert (long["code"], "the last of 2" in long["error"]) == ("snapshot_chain_too_long", True)
    assert "Take a Full one" in long["suggestion"]
    await _taken(user, vm_id, "beside", parent_id=str(full))


async def test_a_diff_that_cannot_be_taken_holds_nothing(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = await create(user)
    full = await take(user, vm_id, name="full")

    async def save(*_: object, **__: object) -> None:
        raise VmmTrouble("no space left on the device")

    monkeypatch.setattr(FakeVmm, "save", save)
    wanted = {"name": "diff", "snapshot_type": "Diff"}
    failed = refused(await user.post(f"/v1/vms/{vm_id}/snapshots", json=wanted, params={"wait": 30}), 502)
    assert (failed["code"], "no space left" in failed["error"]) == ("snapshot_failed", True)
    assert (await snapshot_of(user, full))["needed_by"] == []
    await _delete(user, full)
    item = await snapshot_of(user, UUID(failed["id"]))
    assert (item["state"], item["parent_id"]) == ("failed", None)
    await _delete(user, UUID(failed["id"]))


async def test_keeping_the_last_keeps_what_they_are_over_and_lets_whole_chains_go(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user)
    await take(user, vm_id, name="old")
    for name in ("old-1", "old-2"):
        await _taken(user, vm_id, name)
    await _taken(user, vm_id, "old-3", keep_last=1)
    assert await named(user, sort="name") == ["old", "old-1", "old-2", "old-3"]
    await take(user, vm_id, name="new")
    await _taken(user, vm_id, "new-1", keep_last=1)

    async def only_the_new() -> bool:
        return await named(user, sort="name") == ["new", "new-1"]

    await until(only_the_new)
    assert (await snapshot_of(user, await _taken(user, vm_id, "new-2")))["state"] == "completed"


async def test_room_for_memory_that_is_composed_is_reserved(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user)
    full = await take(user, vm_id, name="full")
    diff = await _taken(user, vm_id, "diff")
    disk = await db.fetchval("select sum(size_bytes) from drives where not is_read_only")
    kept = await db.fetchval("select sum(size_bytes) from snapshots")
    memory = (await snapshot_of(user, diff))["mem_mib"] << 20
    await host.reporting.stop()
    may_be_reserved = disk + kept + disk + memory - 1
    overcommit = ManagerSettings.model_fields["disk_overcommit"].default
    await db.execute("update hosts set disk_bytes = $1", int(float(may_be_reserved) / overcommit))
    answer = refused(await user.post(f"/v1/snapshots/{diff}/instantiate", json={}), 503)
    assert answer["code"] == "no_room"
    assert ok(await user.post(f"/v1/snapshots/{full}/instantiate", json={}))["operation_id"]


@pytest.mark.parametrize(
    ("goes_after_diffs", "is_lost", "move"),
    [(True, False, Move.WAIT), (False, False, Move.DISCARD), (True, True, Move.ERASE)],
)
def test_what_diffs_are_over_goes_after_them(*, goes_after_diffs: bool, is_lost: bool, move: Move) -> None:
    facts = Facts(
        purpose=Purpose.KEEP,
        state=SnapshotState.DELETING,
        is_wanted=False,
        host_is_lost=is_lost,
        goes_after_diffs=goes_after_diffs,
    )
    assert decide(facts) is move
