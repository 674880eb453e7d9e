"""Drives that are files of a host's own: who may ask for them, where they may be, and that VMs do not share them."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from tests.manager.compute.acting import JoinedHost, create, ok, refused

MIB = 1 << 20


async def attach(client: httpx.AsyncClient, vm_id: UUID, path: Path, **fields: object) -> httpx.Response:
    wanted = {"drive_id": "volume", "path_on_host": str(path), **fields}
    return await client.post(f"/v1/vms/{vm_id}/drives", json=wanted)


async def drive_of(client: httpx.AsyncClient, vm_id: UUID, name: str = "volume") -> dict[str, Any]:
    return ok(await client.get(f"/v1/vms/{vm_id}/drives/{name}"))["item"]


async def test_a_file_becomes_a_drive_and_is_kept_when_that_goes(
    host: JoinedHost, admin: httpx.AsyncClient, volumes: Path
) -> None:
    vm_id = await create(admin, start=False)
    path = volumes / "one.img"
    path.write_bytes(bytes(2 * MIB))
    added = ok(await attach(admin, vm_id, path))
    assert (added["path_on_host"], added["size_bytes"], added["format"]) == (str(path), 2 * MIB, "raw")
    assert ok(await admin.delete(f"/v1/vms/{vm_id}/drives/volume"))["data"] == "kept"
    assert path.stat().st_size == 2 * MIB


async def test_one_that_is_missing_is_made_if_its_size_is_said(
    host: JoinedHost, admin: httpx.AsyncClient, volumes: Path
) -> None:
    vm_id = await create(admin, start=False)
    path = volumes / "new.img"
    body = refused(await attach(admin, vm_id, path), 422)
    assert (body["code"], "size_bytes" in body["suggestion"]) == ("file_refused", True)
    assert not path.exists()
    assert ok(await attach(admin, vm_id, path, size_bytes=4 * MIB))["size_bytes"] == 4 * MIB
    assert path.stat().st_size == 4 * MIB
    grown = ok(await admin.patch(f"/v1/vms/{vm_id}/drives/volume", json={"size_bytes": 8 * MIB}))
    assert grown["size_bytes"] == 8 * MIB


async def test_only_administrators_may_and_only_where_the_owner_of_the_host_lets_them(
    host: JoinedHost, admin: httpx.AsyncClient, user: httpx.AsyncClient, volumes: Path
) -> None:
    path = volumes / "one.img"
    path.write_bytes(bytes(MIB))
    own = await create(user, start=False)
    assert refused(await attach(user, own, path), 403)["code"] == "host_files_not_allowed"
    moved = await user.patch(f"/v1/vms/{own}/drives/overlay", json={"path_on_host": str(path)})
    assert refused(moved, 403)["code"] == "host_files_not_allowed"
    (volumes / "out").symlink_to("/etc")
    (volumes.parent / "beside.img").write_bytes(bytes(MIB))
    for elsewhere in (Path("/etc/passwd"), volumes / "out/passwd", volumes / "../beside.img", Path("/dev/null")):
        body = refused(await attach(admin, own, elsewhere), 422)
        assert (body["code"], str(volumes) in body["error"]) == ("file_refused", True)
    ok(await attach(admin, own, path))
    grown = {"size_bytes": 8 * MIB}
    assert (
        refused(await user.patch(f"/v1/vms/{own}/drives/volume", json=grown), 403)["code"] == "host_files_not_allowed"
    )
    assert path.stat().st_size == MIB
    ok(await admin.patch(f"/v1/vms/{own}/drives/volume", json=grown))


async def test_vms_do_not_share_a_file_that_one_of_them_writes(
    host: JoinedHost, admin: httpx.AsyncClient, volumes: Path
) -> None:
    one, two, three = [await create(admin, f"web-{number}", start=False) for number in (1, 2, 3)]
    path = volumes / "one.img"
    path.write_bytes(bytes(MIB))
    (volumes / "alias.img").symlink_to(path)
    answers = await asyncio.gather(*(attach(admin, vm_id, path) for vm_id in (one, two, three)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    owner = (one, two, three)[[answer.status_code for answer in answers].index(200)]
    others = [vm_id for vm_id in (one, two, three) if vm_id != owner]
    for name, is_read_only in (("one.img", True), ("alias.img", False)):
        body = refused(await attach(admin, others[0], volumes / name, is_read_only=is_read_only), 409)
        assert body["code"] == "file_in_use"
    ok(await admin.delete(f"/v1/vms/{owner}/drives/volume"))
    for vm_id in others:
        ok(await attach(admin, vm_id, path, is_read_only=True))
    assert refused(await attach(admin, owner, path), 409)["code"] == "file_in_use"
    again = await attach(admin, others[0], path, drive_id="twice", is_read_only=False)
    assert refused(again, 409)["code"] == "file_in_use"


async def test_a_drive_is_given_another_file_under_the_same_rules(
    host: JoinedHost, admin: httpx.AsyncClient, volumes: Path
) -> None:
    vm_id, other = await create(admin), await create(admin, "web-2", start=False)
    for name, size in (("one.img", MIB), ("two.img", 2 * MIB), ("taken.img", MIB)):
        (volumes / name).write_bytes(bytes(size))
    ok(await attach(admin, vm_id, volumes / "one.img"))
    ok(await attach(admin, other, volumes / "taken.img"))
    path = f"/v1/vms/{vm_id}/drives/volume"
    moved = ok(await admin.patch(path, json={"path_on_host": str(volumes / "two.img")}))
    assert (moved["applied"], moved["size_bytes"]) == ("now", 2 * MIB)
    assert (
        refused(await admin.patch(path, json={"path_on_host": str(volumes / "taken.img")}), 409)["code"]
        == "file_in_use"
    )
    assert (await drive_of(admin, vm_id))["path_on_host"] == str(volumes / "two.img")
    ok(await attach(admin, other, volumes / "one.img", drive_id="freed"))
    own = await admin.patch(f"/v1/vms/{vm_id}/drives/overlay", json={"path_on_host": str(volumes / "taken.img")})
    assert refused(own, 422)["code"] == "drive_refused"


async def test_files_take_no_room_that_is_kept_for_vms(
    host: JoinedHost, admin: httpx.AsyncClient, volumes: Path
) -> None:
    [item] = ok(await admin.get("/v1/hosts"))["items"]
    vm_id = await create(admin, start=False)

    async def reserved() -> int:
        return ok(await admin.get(f"/v1/hosts/{item['id']}"))["item"]["reserved"]["disk_bytes"]

    before = await reserved()
    ok(await attach(admin, vm_id, volumes / "new.img", size_bytes=64 * MIB))
    assert await reserved() == before
    ok(await admin.post(f"/v1/vms/{vm_id}/drives", json={"drive_id": "own", "size_bytes": 64 * MIB}))
    assert await reserved() == before + 64 * MIB
