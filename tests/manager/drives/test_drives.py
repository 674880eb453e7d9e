"""Drives of VMs: added, limited, grown and removed, on a VM that runs and on one that is off."""

import asyncio
import hashlib
import re
from typing import Any
from uuid import UUID

import httpx
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, refused, until, vm_of

from nexus.agent.vmm.fake import FakeDrive
from nexus.kit.db import Db
from nexus.manager.drives.models import MOST_DRIVES
from nexus.manager.drives.repository import ITEM
from nexus.manager.drives.schemas import DriveBody
from nexus.manager.settings import ManagerSettings

MIB = 1 << 20
TEN_MB_PER_S = {"bandwidth": {"size": 1_000_000, "refill_time": 100, "one_time_burst": None}, "ops": None}


async def add(client: httpx.AsyncClient, vm_id: UUID, drive_id: str = "data", **fields: object) -> dict[str, Any]:
    wanted = {"drive_id": drive_id, **({"size_bytes": 64 * MIB} if "path_on_host" not in fields else {}), **fields}
    return ok(await client.post(f"/v1/vms/{vm_id}/drives", json=wanted))


async def drives_of(client: httpx.AsyncClient, vm_id: UUID) -> list[dict[str, Any]]:
    return ok(await client.get(f"/v1/vms/{vm_id}/drives"))["items"]


async def served(host: JoinedHost, db: Db, vm_id: UUID) -> dict[str, FakeDrive]:
    """What the running VM's hypervisor serves, by drive_id."""
    names = {row["id"]: row["drive_id"] for row in await db.fetch("select id, drive_id from drives")}
    found = host.vmm.drives(await machine_of(db, vm_id))
    return {names.get(drive, str(drive)): served for drive, served in found.items()}


async def disk_files(host: JoinedHost, db: Db, vm_id: UUID) -> set[str]:
    machine = host.machines.get(await machine_of(db, vm_id))
    return {path.stem for path in (host.vmm.console(machine.id).parent / "disks").iterdir()}


async def test_a_vm_has_its_root_and_what_is_added_to_it_in_the_order_of_the_guest(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user, start=False)
    added = await add(user, vm_id, cache_type="Unsafe", io_engine="Async", rate_limiter=TEN_MB_PER_S)
    assert (added["ok"], added["drive_id"], added["applied"]) == (True, "data", "next_start")
    items = await drives_of(user, vm_id)
    assert [item["drive_id"] for item in items] == ["root", "overlay", "data"]
    assert [item["is_root_device"] for item in items] == [True, False, False]
    data = items[2]
    assert (data["cache_type"], data["io_engine"], data["rate_limiter"]) == ("Unsafe", "Async", TEN_MB_PER_S)
    assert (data["size_bytes"], data["format"], data["is_read_only"]) == (64 * MIB, "ext4", False)
    assert set(data) == set(DriveBody.model_fields)
    for name in (data["id"], "data"):
        answer = await user.get(f"/v1/vms/{vm_id}/drives/{name}")
        assert ok(answer)["item"] == data
        assert answer.headers["etag"]


async def test_a_running_vm_gets_a_drive_at_once_and_keeps_it_after_a_restart(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user)
    answer = await add(user, vm_id)
    assert (answer["applied"], answer["pending_changes"], answer["is_pending"]) == ("now", [], False)
    assert (await served(host, db, vm_id))["data"].size_bytes == 64 * MIB
    ok(await user.post(f"/v1/vms/{vm_id}/reboot", params={"wait": 60}))
    assert (await served(host, db, vm_id))["data"].size_bytes == 64 * MIB


async def test_limits_reach_a_running_vm_and_are_taken_away_again(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user)
    limited = ok(await user.patch(f"/v1/vms/{vm_id}/drives/overlay", json={"rate_limiter": TEN_MB_PER_S}))
    assert (limited["applied"], limited["rate_limiter"]) == ("now", TEN_MB_PER_S)
    limiter = (await served(host, db, vm_id))["overlay"].rate_limiter
    assert limiter is not None
    assert limiter.bandwidth is not None
    assert limiter.bandwidth.per_second == 10_000_000
    again = ok(await user.patch(f"/v1/vms/{vm_id}/drives/overlay", json={"rate_limiter": TEN_MB_PER_S}))
    assert (again["applied"], again["operation_id"]) == ("now", None)
    freed = ok(await user.patch(f"/v1/vms/{vm_id}/drives/overlay", json={"rate_limiter": None}))
    assert (freed["applied"], freed["rate_limiter"]) == ("now", None)
    assert (await served(host, db, vm_id))["overlay"].rate_limiter is None


async def test_a_drive_grows_under_a_running_vm_and_never_shrinks(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user)
    await add(user, vm_id)
    grown = ok(await user.patch(f"/v1/vms/{vm_id}/drives/data", json={"size_bytes": 80 * MIB}))
    assert (grown["applied"], grown["size_bytes"]) == ("now", 80 * MIB)
    assert (await served(host, db, vm_id))["data"].size_bytes == 80 * MIB
    body = refused(await user.patch(f"/v1/vms/{vm_id}/drives/data", json={"size_bytes": 70 * MIB}), 422)
    assert (body["code"], "cannot shrink" in body["error"]) == ("drive_refused", True)
    refused(await user.patch(f"/v1/vms/{vm_id}/drives/root", json={"size_bytes": 80 * MIB}), 422)


async def test_cache_and_engine_change_with_the_next_start(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user)
    await add(user, vm_id)
    answer = ok(await user.patch(f"/v1/vms/{vm_id}/drives/data", json={"cache_type": "Unsafe", "io_engine": "Async"}))
    assert (answer["applied"], answer["pending_changes"], answer["is_pending"]) == (
        "next_start",
        ["drives.data"],
        True,
    )
    ok(await user.post(f"/v1/vms/{vm_id}/reboot", params={"wait": 60}))
    assert (await vm_of(user, vm_id))["pending_changes"] == []
    assert [item["is_pending"] for item in await drives_of(user, vm_id)] == [False] * 3


async def test_a_running_vm_keeps_a_removed_drive_until_it_restarts_and_then_its_data_is_gone(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user)
    drive = (await add(user, vm_id))["id"]
    answer = ok(await user.delete(f"/v1/vms/{vm_id}/drives/data"))
    assert (answer["applied"], answer["data"]) == ("next_start", "deleted")
    assert [item["drive_id"] for item in await drives_of(user, vm_id)] == ["root", "overlay"]
    assert (await vm_of(user, vm_id))["pending_changes"] == ["drives.data"]
    assert drive in await served(host, db, vm_id)
    assert drive in await disk_files(host, db, vm_id)
    ok(await user.post(f"/v1/vms/{vm_id}/reboot", params={"wait": 60}))
    assert drive not in await served(host, db, vm_id)
    assert drive not in await disk_files(host, db, vm_id)


async def test_a_drive_of_the_same_name_waits_until_the_one_before_is_gone(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user)
    first = (await add(user, vm_id))["id"]
    ok(await user.delete(f"/v1/vms/{vm_id}/drives/data"))
    second = await add(user, vm_id)
    assert (second["applied"], second["is_pending"]) == ("next_start", True)
    assert first in await served(host, db, vm_id)
    ok(await user.post(f"/v1/vms/{vm_id}/reboot", params={"wait": 60}))
    assert set(await served(host, db, vm_id)) == {"root", "overlay", "data"}


async def test_a_vm_that_is_off_loses_a_removed_drives_data_at_once(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user)
    drive = (await add(user, vm_id))["id"]
    ok(await user.post(f"/v1/vms/{vm_id}/stop", params={"wait": 60}))
    assert drive in await disk_files(host, db, vm_id)
    ok(await user.delete(f"/v1/vms/{vm_id}/drives/{drive}", params={"wait": 60}))

    async def is_gone() -> bool:
        return drive not in await disk_files(host, db, vm_id)

    await until(is_gone)


async def test_the_root_file_system_stays(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user, start=False)
    for name in ("root", "overlay"):
        assert refused(await user.delete(f"/v1/vms/{vm_id}/drives/{name}"), 409)["code"] == "root_drive"
    wanted = {"drive_id": "second", "size_bytes": 64 * MIB, "is_root_device": True}
    assert refused(await user.post(f"/v1/vms/{vm_id}/drives", json=wanted), 409)["code"] == "root_drive"


async def test_a_drive_id_is_unique_within_its_vm_only(host: JoinedHost, user: httpx.AsyncClient) -> None:
    one, other = await create(user, start=False), await create(user, "web-2", start=False)
    await add(user, one)
    again = await user.post(f"/v1/vms/{one}/drives", json={"drive_id": "data", "size_bytes": 64 * MIB})
    assert refused(again, 409)["code"] == "drive_id_taken"
    await add(user, other)
    refused(await user.get(f"/v1/vms/{other}/drives/{(await drives_of(user, one))[2]['id']}"), 404)


async def test_there_are_never_more_drives_than_a_machine_has_places_for(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user, start=False)
    path = f"/v1/vms/{vm_id}/drives"
    wanted = [{"drive_id": f"d{n}", "size_bytes": 64 * MIB} for n in range(MOST_DRIVES)]
    answers = await asyncio.gather(*(user.post(path, json=one) for one in wanted))
    assert sorted(answer.status_code for answer in answers) == [200] * (MOST_DRIVES - 2) + [409] * 2
    assert len(await drives_of(user, vm_id)) == MOST_DRIVES


async def test_data_comes_from_an_image_and_a_read_only_one_is_shared(
    host: JoinedHost, user: httpx.AsyncClient, admin: httpx.AsyncClient, db: Db, manager_settings: ManagerSettings
) -> None:
    content = b"data" * 4096
    path = manager_settings.image_root / hashlib.sha256(content).hexdigest()
    path.write_bytes(content)
    image = {"kind": "data", "name": "set-1", "path": str(path)}
    image_id = ok(await admin.post("/v1/images", json=image))["id"]
    vm_id = await create(user)
    copy = await add(user, vm_id, "copy", size_bytes=1 * MIB, image="set-1")
    shared = await add(user, vm_id, "shared", size_bytes=None, image_id=image_id, is_read_only=True)
    assert (copy["image"], copy["format"], copy["size_bytes"]) == ("set-1", "raw", 1 * MIB)
    assert (shared["size_bytes"], shared["is_read_only"]) == (len(content), True)
    now = await served(host, db, vm_id)
    assert now["copy"].path.read_bytes()[: len(content)] == content
    assert now["shared"].path.read_bytes() == content
    assert now["shared"].path.name == path.name
    assert ok(await user.delete(f"/v1/vms/{vm_id}/drives/shared"))["data"] == "kept"
    assert refused(await admin.delete(f"/v1/images/{image_id}"), 409)["code"] == "image_in_use"
    small = {"drive_id": "small", "image": "set-1", "size_bytes": 1 << 20}
    assert refused(await user.post(f"/v1/vms/{vm_id}/drives", json=small | {"image": "none"}), 404)


UNACCEPTABLE: list[tuple[dict[str, object], int]] = [
    ({}, 422),
    ({"size_bytes": 0}, 422),
    ({"size_bytes": -1}, 422),
    ({"size_bytes": (1 << 26) + 1}, 422),
    ({"size_bytes": 1 << 20}, 422),
    ({"size_bytes": 1 << 50}, 422),
    ({"size_bytes": "64"}, 422),
    ({"size_bytes": 1 << 26, "is_read_only": True}, 422),
    ({"size_bytes": 1 << 26, "drive_id": "../x"}, 422),
    ({"size_bytes": 1 << 26, "drive_id": ""}, 422),
    ({"size_bytes": 1 << 26, "drive_id": "0123456789abcdef0123456789abcdef"}, 422),
    ({"size_bytes": 1 << 26, "cache_type": "unsafe"}, 422),
    ({"size_bytes": 1 << 26, "io_engine": "Threads"}, 422),
    ({"size_bytes": 1 << 26, "format": "squashfs"}, 422),
    ({"size_bytes": 1 << 26, "image": "a", "image_id": "00000000-0000-7000-8000-000000000001"}, 422),
    ({"size_bytes": 1 << 26, "image": "a", "format": "raw"}, 404),
    ({"size_bytes": 1 << 26, "rate_limiter": {"bandwidth": {"size": 0, "refill_time": 100}}}, 422),
    ({"size_bytes": 1 << 26, "rate_limiter": {"bandwidth": {"size": 1, "refill_time": 0}}}, 422),
    ({"size_bytes": 1 << 26, "rate_limiter": {"bandwidth": {"size": 1000, "refill_time": 1000}}}, 422),
    ({"size_bytes": 1 << 26, "rate_limiter": {"ops": {"size": 1, "refill_time": 2000}}}, 422),
    ({"size_bytes": 1 << 26, "rate_limiter": {"iops": {"size": 1, "refill_time": 1000}}}, 422),
    ({"size_bytes": 1 << 26, "rate_limiter": {"bandwidth": {"size": 1 << 63, "refill_time": 1}}}, 422),
]


async def test_a_drive_that_cannot_be_is_refused(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user, start=False)
    for fields, status in UNACCEPTABLE:
        refused(await user.post(f"/v1/vms/{vm_id}/drives", json={"drive_id": "data", **fields}), status)
    assert len(await drives_of(user, vm_id)) == 2


async def test_what_the_hypervisor_cannot_do_is_refused_with_the_reason(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user)
    burst = {"bandwidth": {"size": 1_000_000, "refill_time": 100, "one_time_burst": 5_000_000}}
    body = refused(await user.patch(f"/v1/vms/{vm_id}/drives/overlay", json={"rate_limiter": burst}), 409)
    assert body["code"] == "not_offered"
    assert "host-1" in body["error"]
    assert body["suggestion"]
    assert await db.fetchval("select count(*) from audit where verb = 'change-drive'") == 0


async def test_a_host_that_is_full_takes_no_more(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user, start=False)
    big = {"drive_id": "data", "size_bytes": 1 << 44}
    assert refused(await user.post(f"/v1/vms/{vm_id}/drives", json=big), 503)["code"] == "no_room"


async def test_nobody_elses_drives_are_there(
    host: JoinedHost, user: httpx.AsyncClient, other_user: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    vm_id = await create(user, start=False)
    await add(user, vm_id)
    path = f"/v1/vms/{vm_id}/drives"
    refused(await other_user.get(path), 404)
    refused(await other_user.get(f"{path}/data"), 404)
    refused(await other_user.post(path, json={"drive_id": "x", "size_bytes": 64 * MIB}), 404)
    refused(await other_user.patch(f"{path}/data", json={"cache_type": "Unsafe"}), 404)
    refused(await other_user.delete(f"{path}/data"), 404)
    assert len(ok(await viewer.get(path))["items"]) == 3
    refused(await viewer.delete(f"{path}/data"), 403)
    assert len(await drives_of(user, vm_id)) == 3


async def test_who_has_not_seen_the_last_change_changes_nothing(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user, start=False)
    await add(user, vm_id)
    path = f"/v1/vms/{vm_id}/drives/data"
    seen = (await user.get(path)).headers["etag"]
    ok(await user.patch(path, json={"cache_type": "Unsafe"}, headers={"If-Match": seen}))
    refused(await user.patch(path, json={"cache_type": "Writeback"}, headers={"If-Match": seen}), 412)
    refused(await user.delete(path, headers={"If-Match": seen}), 412)
    assert (await user.get(path, headers={"If-None-Match": (await user.get(path)).headers["etag"]})).status_code == 304


async def test_adding_again_under_the_same_key_adds_once(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user, start=False)
    wanted, key = {"drive_id": "data", "size_bytes": 64 * MIB}, {"Idempotency-Key": "once"}
    first = ok(await user.post(f"/v1/vms/{vm_id}/drives", json=wanted, headers=key))
    again = ok(await user.post(f"/v1/vms/{vm_id}/drives", json=wanted, headers=key))
    assert again["id"] == first["id"]
    assert len(await drives_of(user, vm_id)) == 3


async def test_every_change_is_on_record_and_told(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user, start=False)
    await add(user, vm_id)
    ok(await user.patch(f"/v1/vms/{vm_id}/drives/data", json={"rate_limiter": TEN_MB_PER_S}))
    ok(await user.delete(f"/v1/vms/{vm_id}/drives/data"))
    rows = await db.fetch(
        "select verb, details from audit where subject_id = $1 and verb like '%-drive' order by id", vm_id
    )
    assert [row["verb"] for row in rows] == ["add-drive", "change-drive", "remove-drive"]
    assert all(row["details"]["changed"] == ["drives.data"] for row in rows)
    assert rows[2]["details"]["data"] == "deleted"


def test_a_drives_json_is_what_is_described() -> None:
    assert set(re.findall(r"'(\w+)', ", ITEM)) == set(DriveBody.model_fields)


async def test_presets_are_what_a_limiter_takes(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user, start=False)
    presets = ok(await user.get("/v1/rate-limiter-presets"))["items"]
    for preset in (preset for preset in presets if preset["device"] == "drive"):
        wanted = {"rate_limiter": preset["rate_limiter"]}
        answer = ok(await user.patch(f"/v1/vms/{vm_id}/drives/overlay", json=wanted))
        assert answer["rate_limiter"]["ops"]["size"] == preset["rate_limiter"]["ops"]["size"]
