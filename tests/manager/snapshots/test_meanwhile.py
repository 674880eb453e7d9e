"""What is asked of a VM while something is done with a snapshot of it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, refused, until, vm_of
from tests.manager.snapshots.acting import snapshot_of, take

from nexus.agent.vmm.fake import FakeVmm
from nexus.kit.db import Db
from nexus.manager.machines.lifecycle import Facts as MachineFacts
from nexus.manager.machines.lifecycle import Goal
from nexus.manager.snapshots.lifecycle import Facts, Move, decide
from nexus.manager.snapshots.models import Purpose, SnapshotState
from nexus.manager.vms import repository as vms
from nexus.protocol.machines import Power


class Held:
    """An effect of the hypervisor that takes until it is let go on."""

    def __init__(self, patching: pytest.MonkeyPatch, effect: str) -> None:
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()
        real: Callable[..., Awaitable[object]] = getattr(FakeVmm, effect)

        async def held(vmm: FakeVmm, machine: UUID, *more: Path) -> object:
            self.reached.set()
            await self.go_on.wait()
            return await real(vmm, machine, *more)

        patching.setattr(FakeVmm, effect, held)


async def test_who_stops_a_vm_that_is_going_off_to_sleep_gives_its_memory_up(
    host: JoinedHost, user: httpx.AsyncClient, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = await create(user)
    memory = host.vmm.memory(await machine_of(db, vm_id))[0]
    going_off = Held(monkeypatch, "stop")
    ok(await user.post(f"/v1/vms/{vm_id}/suspend"))
    await going_off.reached.wait()
    ok(await user.post(f"/v1/vms/{vm_id}/stop", json={"grace_s": 0}))
    going_off.go_on.set()
    await until(lambda: _is(user, vm_id, "stopped"))
    await until(lambda: _has_no_snapshots(user))
    assert ok(await user.post(f"/v1/vms/{vm_id}/start", params={"wait": 60}))["status"] == "done"
    assert host.vmm.memory(await machine_of(db, vm_id))[0] != memory


async def test_a_snapshot_during_which_a_drive_was_added_is_not_kept_as_if_it_had_it(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = await create(user)
    saving = Held(monkeypatch, "save")
    taken = ok(await user.post(f"/v1/vms/{vm_id}/snapshots"))
    await saving.reached.wait()
    ok(await user.post(f"/v1/vms/{vm_id}/drives", json={"drive_id": "data", "size_bytes": 1 << 20, "format": "raw"}))
    saving.go_on.set()
    ended = ok(await user.get(f"/v1/operations/{taken['operation_id']}", params={"wait": 60}))["item"]
    assert ended["status"] == "failed"
    snapshot = await snapshot_of(user, taken["id"])
    assert snapshot["state"] == "failed"
    assert "added or removed" in snapshot["fault"]
    assert snapshot["size_bytes"] > 0, "its host keeps it until it is deleted"
    assert (await vm_of(user, vm_id))["state"] == "running"


async def test_a_diff_that_is_of_no_use_is_named_while_its_host_keeps_it(
    host: JoinedHost, user: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = await create(user)
    full = await take(user, vm_id, name="full")
    saving = Held(monkeypatch, "save")
    taken = ok(await user.post(f"/v1/vms/{vm_id}/snapshots", json={"name": "diff", "snapshot_type": "Diff"}))
    await saving.reached.wait()
    ok(await user.post(f"/v1/vms/{vm_id}/drives", json={"drive_id": "data", "size_bytes": 1 << 20, "format": "raw"}))
    saving.go_on.set()
    ok(await user.get(f"/v1/operations/{taken['operation_id']}", params={"wait": 60}))
    assert "diff is a diff over it" in refused(await user.delete(f"/v1/snapshots/{full}"), 409)["error"]
    for each in (taken["id"], full):
        assert ok(await user.delete(f"/v1/snapshots/{each}", params={"wait": 60}))["status"] == "done"


@pytest.mark.parametrize(("told", "move"), [(3, Move.WAIT), (4, Move.TAKE)])
def test_nothing_is_taken_before_the_host_knows_the_vm_as_it_is(told: int, move: Move) -> None:
    vm = MachineFacts(goal=Goal.ON, generation=4, seen=Power.ON, seen_generation=told)
    creating = Facts(purpose=Purpose.KEEP, state=SnapshotState.CREATING, is_wanted=True, vm=vm)
    assert decide(creating) is move


async def test_who_waited_for_a_deletion_is_told_of_it(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    """And does not wish for something else, by what the VM was before the wait."""
    vm_id = await create(user)
    async with db.transaction() as tx:
        await vms.lock(tx, vm_id, sees_only=None)
        deleting = asyncio.create_task(user.delete(f"/v1/vms/{vm_id}", params={"wait": 60}))
        await until(lambda: _waiting(db, 1))
        stopping = asyncio.create_task(user.post(f"/v1/vms/{vm_id}/stop", json={"grace_s": 0}))
        await until(lambda: _waiting(db, 2))
    assert ok(await deleting)["status"] == "done"
    assert (await stopping).status_code in (404, 409)


async def _waiting(db: Db, count: int) -> bool:
    return await db.fetchval("select count(*) from pg_locks where not granted") >= count


async def _is(client: httpx.AsyncClient, vm_id: UUID, state: str) -> bool:
    return (await vm_of(client, vm_id))["state"] == state


async def _has_no_snapshots(client: httpx.AsyncClient) -> bool:
    return not ok(await client.get("/v1/snapshots"))["items"]
