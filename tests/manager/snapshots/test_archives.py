"""A snapshot leaves the platform as one archive and comes back as another, and nothing else does."""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, ok, refused, until, vm_of
from tests.manager.snapshots.acting import in_state, named, snapshot_of, take
from tests.manager.snapshots.surgery import Archive

from nexus.agent.settings import AgentSettings
from nexus.agent.snapshots.exporting import Export
from nexus.kit.db import Db
from nexus.manager.images.arriving import ArrivingImages
from nexus.manager.machines.models import SETTINGS
from nexus.manager.settings import ManagerSettings
from nexus.manager.snapshots import importing, transfers
from nexus.manager.snapshots.archive import ArchivedSettings
from nexus.manager.snapshots.models import FLOW, KIND
from nexus.manager.subjects import Subject
from nexus.manager.wiring import Manager
from nexus.protocol.archives import MEDIA_TYPE, TAIL_BYTES, WholeArchive

TAR = {"Content-Type": MEDIA_TYPE}


async def export(client: httpx.AsyncClient, snapshot_id: UUID) -> bytes:
    answer = await client.get(f"/v1/snapshots/{snapshot_id}/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert int(answer.headers["content-length"]) == len(answer.content)
    return answer.content


async def test_what_was_exported_can_be_imported_when_all_of_it_is_gone(
    host: JoinedHost, admin: httpx.AsyncClient
) -> None:
    vm_id = await in_state(admin, "running")
    snapshot_id = await take(admin, vm_id, name="before", description="For safety")
    was = await snapshot_of(admin, snapshot_id)
    archive = await export(admin, snapshot_id)
    whole = WholeArchive()
    whole.feed(archive)
    whole.check()
    ok(await admin.delete(f"/v1/snapshots/{snapshot_id}", params={"wait": 30}))
    ok(await admin.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))
    answer = ok(await admin.post("/v1/snapshots/import", content=archive, headers=TAR, params={"wait": 30}))
    assert answer["status"] == "done"
    item = await snapshot_of(admin, UUID(answer["id"]))
    assert (item["name"], item["state"], item["vm_id"], item["vm_name"]) == ("before", "completed", None, "web-1")
    assert (item["is_imported"], item["has_memory"], item["pins"]) == (True, True, was["pins"])
    made = ok(await admin.post(f"/v1/snapshots/{item['id']}/instantiate", params={"wait": 30}))
    vm = await vm_of(admin, UUID(made["id"]))
    assert vm["state"] == "running"


@pytest.fixture
async def taken(host: JoinedHost, admin: httpx.AsyncClient) -> UUID:
    """A snapshot of a VM that ran."""
    return await take(admin, await in_state(admin, "running"), name="before")


@pytest.fixture
async def archive(taken: UUID, admin: httpx.AsyncClient) -> Archive:
    return Archive.of(await export(admin, taken))


async def send(client: httpx.AsyncClient, archive: bytes, **query: str) -> httpx.Response:
    return await client.post("/v1/snapshots/import", content=archive, headers=TAR, params={"wait": "30", **query})


def files_of(settings: AgentSettings, manager_settings: ManagerSettings) -> set[Path]:
    """Everything that host and manager have of snapshots and images, but what was deleted."""
    places = (settings.run_dir / "snapshots", manager_settings.image_root)
    found = (
        Path(at, name)
        for place in places
        for at, directories, files in os.walk(place)  # unlike rglob, not hurt by what goes meanwhile
        for name in (*directories, *files)
    )
    return {path for path in found if ".gone" not in path.parts}


async def test_every_setting_of_a_vm_is_in_its_archive() -> None:
    assert set(ArchivedSettings.model_fields) == set(SETTINGS)


async def test_all_of_a_vms_configuration_comes_along(host: JoinedHost, admin: httpx.AsyncClient) -> None:
    vm_id = await in_state(admin, "stopped")
    path = f"/v1/vms/{vm_id}"
    ok(await admin.patch(path, json={"description": "Käse", "tags": ["a", "b"], "owner": "ada"}))
    ok(await admin.put(f"{path}/user-data", json={"user_data": "#!/bin/sh\n"}))
    ok(await admin.put(f"{path}/mmds", json={"a": {"b": "c"}}))
    ok(await admin.put(f"{path}/boot-source", json={"boot_args": "quiet"}))
    ok(await admin.post(f"{path}/drives", json={"drive_id": "data", "size_bytes": 64 << 20}))
    ok(await admin.post(f"{path}/start", params={"wait": 30}))
    snapshot_id = await take(admin, vm_id)
    answer = ok(await send(admin, await export(admin, snapshot_id), name="again"))
    made = UUID(ok(await admin.post(f"/v1/snapshots/{answer['id']}/instantiate", params={"wait": 30}))["id"])
    vm, was = await vm_of(admin, made), await vm_of(admin, vm_id)
    for name in ("description", "tags", "owner", "boot_args", "vcpu", "mem_mib", "kernel_image_id", "username"):
        assert vm[name] == was[name], name
    new = f"/v1/vms/{made}"
    assert ok(await admin.get(f"{new}/user-data"))["item"]["user_data"] == "#!/bin/sh\n"
    assert ok(await admin.get(f"{new}/mmds"))["item"]["data"] == {"a": {"b": "c"}}
    drives = [ok(await admin.get(f"{one}/drives"))["items"] for one in (path, new)]
    was_drives, has_drives = ([(drive["drive_id"], drive["size_bytes"]) for drive in found] for found in drives)
    assert was_drives == has_drives


async def test_images_that_are_not_here_come_along(
    host: JoinedHost,
    admin: httpx.AsyncClient,
    archive: Archive,
    taken: UUID,
    manager_settings: ManagerSettings,
    agent_settings: AgentSettings,
) -> None:
    packed = archive.packed()
    item = await snapshot_of(admin, taken)
    ok(await admin.delete(f"/v1/snapshots/{taken}", params={"wait": 30}))
    ok(await admin.delete(f"/v1/vms/{item['vm_id']}", params={"wait": 30}))
    had = ok(await admin.get("/v1/images"))["items"]
    for image in had:
        ok(await admin.delete(f"/v1/images/{image['id']}"))
        Path(image["path"]).unlink()
    for path in (agent_settings.run_dir / "images").iterdir():
        path.unlink()
    imported = UUID(ok(await send(admin, packed))["id"])
    has = ok(await admin.get("/v1/images"))["items"]
    told = ("kind", "name", "format", "sha256", "size_bytes")
    assert [[image[name] for name in told] for image in has] == [[image[name] for name in told] for image in had]
    for image in has:
        assert Path(image["path"]) == manager_settings.image_root / image["sha256"]
        assert hashlib.sha256(Path(image["path"]).read_bytes()).hexdigest() == image["sha256"]
    made = ok(await admin.post(f"/v1/snapshots/{imported}/instantiate", params={"wait": 30}))
    assert (await vm_of(admin, UUID(made["id"])))["state"] == "running"
    assert not list(manager_settings.image_root.glob(".draft-*"))


async def test_a_name_is_the_archives_or_one_like_it_or_the_one_that_was_asked_for(
    archive: Archive, admin: httpx.AsyncClient
) -> None:
    packed = archive.packed()
    for _ in range(2):
        ok(await send(admin, packed))
    assert sorted(await named(admin)) == ["before", "before-2", "before-3"]
    ok(await send(admin, packed, name="other"))
    assert refused(await send(admin, packed, name="other"), 409)["code"] == "snapshot_name_taken"
    assert refused(await send(admin, packed, name="-"), 422)["code"] == "invalid_field"


async def test_who_may_export_and_who_may_import(
    host: JoinedHost,
    admin: httpx.AsyncClient,
    user: httpx.AsyncClient,
    other_user: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    anonymous: httpx.AsyncClient,
    db: Db,
) -> None:
    vm_id = await in_state(user, "stopped")
    snapshot_id = await take(user, vm_id, name="cold")
    path = f"/v1/snapshots/{snapshot_id}/export"
    assert refused(await anonymous.get(path), 401)
    assert refused(await viewer.get(path), 403)
    assert refused(await other_user.get(path), 404)["code"] == "snapshot_not_found"
    cold = await export(user, snapshot_id)
    rows = await db.fetch("select actor_name, subject_id from audit where verb = 'export'")
    assert [tuple(row) for row in rows] == [("ada", snapshot_id)]
    assert refused(await send(anonymous, cold), 401)
    assert refused(await send(viewer, cold), 403)
    imported = UUID(ok(await send(other_user, cold))["id"])
    assert (await snapshot_of(other_user, imported))["name"] == "cold-2"
    refused(await user.get(f"/v1/snapshots/{imported}"), 404)
    told = await db.fetch("select actor_name, details from audit where verb = 'import'")
    assert [tuple(row) for row in told] == [("otto", {"vm": "web-1"})]
    ok(await user.post(f"/v1/vms/{vm_id}/start", params={"wait": 30}))
    warm = await export(user, await take(user, vm_id))
    assert refused(await send(user, warm), 403)["code"] == "import_needs_admin"
    unknown = Archive.of(cold)
    _new_root(unknown)
    assert refused(await send(user, unknown.packed()), 403)["code"] == "import_needs_admin"
    ok(await send(admin, unknown.packed()))
    names = [image["name"] for image in ok(await admin.get("/v1/images", params={"kind": "rootfs"}))["items"]]
    assert sorted(names) == ["test-rootfs", "test-rootfs-2"]


def _set(*path: str | int, to: object) -> Callable[[Archive], None]:
    def change(archive: Archive) -> None:
        place: Any = archive.head
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return change


def _new_root(archive: Archive) -> None:
    """Its VM's root file system is one that nobody else has."""
    rootfs = next(image for image in archive.head["images"] if image["kind"] == "rootfs")
    content = b"hsqs" + os.urandom(8188)
    was, rootfs["sha256"] = rootfs["sha256"], hashlib.sha256(content).hexdigest()
    archive.members = [
        (f"images/{rootfs['sha256']}", content) if name == f"images/{was}" else (name, old)
        for name, old in archive.members
    ]
    archive.head["disks"][0]["image_sha256"] = rootfs["sha256"]
    manifest = json.loads(archive.member("manifest.json"))
    manifest["disks"][0]["image_sha256"] = rootfs["sha256"]
    archive.put("manifest.json", json.dumps(manifest).encode())


def _drop_image(archive: Archive) -> None:
    archive.head["images"].pop()


def _unknown_image(archive: Archive) -> None:
    archive.head["images"][0]["sha256"] = "0" * 64
    archive.head["images"][0]["is_included"] = False
    archive.members.pop(0)


def _other_image_content(archive: Archive) -> None:
    _, content = archive.members[0]
    archive.head["images"][0]["sha256"] = "0" * 64
    archive.members[0] = (f"images/{'0' * 64}", content)


def _no_kernel(archive: Archive) -> None:
    content = b"hsqs" + os.urandom(8188)
    image = next(image for image in archive.head["images"] if image["kind"] == "kernel")
    was, image["sha256"], image["size_bytes"] = image["sha256"], hashlib.sha256(content).hexdigest(), len(content)
    archive.members = [
        (f"images/{image['sha256']}", content) if name == f"images/{was}" else (name, old)
        for name, old in archive.members
    ]


def _long_image(archive: Archive) -> None:
    archive.members[0] = (archive.members[0][0], archive.members[0][1] + b"more")


def _rename(to: str) -> Callable[[Archive], None]:
    def change(archive: Archive) -> None:
        archive.members[-1] = (to, archive.members[-1][1])

    return change


def _twice(archive: Archive) -> None:
    archive.members.append(archive.members[-1])


def _no_files(archive: Archive) -> None:
    archive.members = [one for one in archive.members if not one[0].startswith("files/")]


def _lie_about_memory(archive: Archive) -> None:
    archive.head["pins"] = None


def _wrong_content(archive: Archive) -> None:
    content = archive.member("files/memory")
    archive.put("files/memory", content[:-1] + bytes([content[-1] ^ 1]))


_WRONG: list[tuple[Callable[[Archive], None], int, str, str]] = [
    (_set("format", to=2), 422, "archive_refused", "format"),
    (_set("name", to="../x"), 422, "archive_refused", "name"),
    (_set("vm_name", to="a\nb"), 422, "archive_refused", "vm_name"),
    (_set("more", to=1), 422, "archive_refused", "more"),
    (_set("definition", "settings", "vcpus", to=1000), 422, "archive_refused", "vcpus"),
    (_set("definition", "settings", "memory_mib", to=1 << 30), 422, "archive_refused", "memory_mib"),
    (_set("definition", "settings", "boot_args", to="a\nb"), 422, "archive_refused", "boot_args"),
    (_set("definition", "settings", "has_guest_agent", to=None), 422, "archive_refused", "has_guest_agent"),
    (_set("definition", "settings", "user_data", to="a\0"), 422, "archive_refused", "user_data"),
    (_set("definition", "settings", "metadata", to={"data": {"a/b": 1}}), 422, "archive_refused", "metadata"),
    (_set("definition", "settings", "shell", to="x"), 422, "archive_refused", "shell"),
    (_set("definition", "labels", "username", to="root; rm"), 422, "archive_refused", "username"),
    (_set("definition", "labels", "ssh_authorized_keys", to=["a\nb"]), 422, "archive_refused", "ssh_authorized"),
    (_set("definition", "drives", 1, "path_on_host", to="/etc/shadow"), 422, "archive_refused", "path_on_host"),
    (_set("definition", "drives", 1, "drive_id", to="../x"), 422, "archive_refused", "drive_id"),
    (_set("definition", "drives", 1, "drive_id", to="rootfs"), 422, "archive_refused", "its disks are not those"),
    (_set("definition", "drives", 1, "size_bytes", to=1 << 50), 422, "archive_refused", "size_bytes"),
    (_set("definition", "drives", 1, "role", to="root"), 422, "archive_refused", "one root drive"),
    (_set("definition", "drives", to=[]), 422, "archive_refused", "drives"),
    (_set("disks", 1, "size_bytes", to=1 << 50), 422, "archive_refused", "not what its definition says"),
    (_set("disks", 0, "image_sha256", to=None), 422, "archive_refused", "not what its definition says"),
    (_set("pins", "memory_mib", to=4096), 422, "archive_refused", "its memory is not what"),
    (_set("pins", "version", to="other"), 409, "snapshot_fits_no_host", "needs fake other (none)"),
    (_drop_image, 422, "archive_refused", "its images are not those"),
    (_unknown_image, 409, "images_missing", "is not here"),
    (_other_image_content, 422, "archive_refused", "came with other content"),
    (_no_kernel, 422, "archive_refused", "is no kernel image"),
    (_long_image, 422, "archive_refused", "is not as long as it says"),
    (_rename("files/../../../etc/passwd"), 409, "import_refused", "should follow"),
    (_rename("/etc/passwd"), 422, "archive_refused", "nothing that belongs into it"),
    (_rename("images/x"), 422, "archive_refused", "nothing that belongs into it"),
    (_twice, 409, "import_refused", "something follows its last file"),
    (_no_files, 409, "import_refused", "ends after"),
    (_lie_about_memory, 409, "import_refused", "holds memory, which its definition does not say"),
    (_wrong_content, 409, "import_refused", "is not what its digest says"),
]


async def test_whatever_is_wrong_with_an_archive_is_said_and_nothing_of_it_is_left(
    admin: httpx.AsyncClient,
    archive: Archive,
    agent_settings: AgentSettings,
    manager_settings: ManagerSettings,
) -> None:
    packed, before = archive.packed(), files_of(agent_settings, manager_settings)
    images = ok(await admin.get("/v1/images"))["items"]
    for change, status, code, words in _WRONG:
        wrong = Archive.of(packed)
        change(wrong)
        answer = await send(admin, wrong.packed())
        problem = refused(answer, status)
        assert problem["code"] == code, (words, problem)
        assert words in problem["error"], problem
        await _nothing_is_left(admin, problem)
    await until(lambda: _is(files_of(agent_settings, manager_settings) == before))
    assert ok(await admin.get("/v1/images"))["items"] == images
    assert await named(admin) == ["before"]


async def _nothing_is_left(client: httpx.AsyncClient, problem: dict[str, Any]) -> None:
    """What got as far as being in the list says there what was wrong; it goes when it is deleted."""
    if problem["id"] is None:
        assert await named(client) == ["before"]
        return
    item = await snapshot_of(client, UUID(problem["id"]))
    assert (item["state"], item["is_imported"]) == ("failed", True)
    assert item["fault"]
    operation = ok(await client.get(f"/v1/operations/{problem['operation_id']}", params={"wait": 30}))["item"]
    assert (operation["verb"], operation["status"]) == ("import", "failed")
    ok(await client.delete(f"/v1/snapshots/{problem['id']}", params={"wait": 30}))


async def test_an_archive_that_is_cut_or_changed_is_no_archive(
    admin: httpx.AsyncClient,
    archive: Archive,
    agent_settings: AgentSettings,
    manager_settings: ManagerSettings,
) -> None:
    packed, before = archive.packed(), files_of(agent_settings, manager_settings)
    changed = bytearray(packed)
    changed[-TAIL_BYTES - 600] ^= 1
    for wrong in (
        b"",
        b"{}",
        os.urandom(3000),
        packed[:300],
        packed[:5000],
        packed[: len(packed) // 2],
        packed[:-TAIL_BYTES],
        packed[:-1],
        packed[:-600],
        packed + b"x",
        packed + packed,
        archive.body + bytes(1024),
        bytes(changed),
    ):
        problem = refused(await send(admin, wrong), 422)
        assert problem["code"] in ("archive_refused", "import_refused")
        await _nothing_is_left(admin, problem)
    await until(lambda: _is(files_of(agent_settings, manager_settings) == before))
    assert await named(admin) == ["before"]


async def test_an_archive_whose_images_cannot_be_written_says_so(
    admin: httpx.AsyncClient, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_self: object, _draft: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ArrivingImages, "put", full)
    _new_root(archive)
    problem = refused(await send(admin, archive.packed(), name="again"), 502)
    assert problem["code"] == "snapshot_failed"
    assert "No space left on device" in problem["error"]


async def test_more_than_a_snapshot_of_its_machine_takes_is_not_passed_on(
    admin: httpx.AsyncClient, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MOST_JSON_BYTES", -(1 << 40))  # of what the rest may be, less than nothing is left
    problem = refused(await send(admin, archive.packed(), name="again"), 422)
    assert "more than a snapshot of its machine takes" in problem["error"]
    assert (await snapshot_of(admin, UUID(problem["id"])))["state"] == "failed"


async def test_an_export_is_refused_when_an_images_file_is_gone(
    admin: httpx.AsyncClient, taken: UUID, manager_settings: ManagerSettings
) -> None:
    images = {path for path in manager_settings.image_root.rglob("*") if path.is_file()}
    assert images
    for path in images:
        path.rename(path.with_name(f"{path.name}.away"))
    assert refused(await admin.get(f"/v1/snapshots/{taken}/export"), 404)["code"] == "image_not_found"


async def test_a_body_that_is_no_archive_is_not_read(admin: httpx.AsyncClient, host: JoinedHost) -> None:
    big = b"[" + b"1," * (1 << 20) + b"1]"
    refused(await admin.post("/v1/snapshots/import", content=b"{}", headers={"Content-Type": "application/json"}), 415)
    refused(await admin.post("/v1/snapshots/import", content=big, headers={"Content-Type": "application/json"}), 413)
    refused(await admin.post("/v1/snapshots/import", content=b"a", headers=TAR | {"Idempotency-Key": "a"}), 422)


async def test_who_sends_one_may_go_in_the_middle(
    admin: httpx.AsyncClient,
    archive: Archive,
    served: str,
    agent_settings: AgentSettings,
    manager_settings: ManagerSettings,
) -> None:
    packed, before = archive.packed(), files_of(agent_settings, manager_settings)
    host, port = served.split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/snapshots/import?name=lost HTTP/1.1\r\nHost: a\r\nContent-Type: {MEDIA_TYPE}\r\n"
    head += f"Authorization: {admin.headers['authorization']}\r\nContent-Length: {len(packed)}\r\n\r\n"
    writer.write(head.encode() + packed[:-3000])
    await writer.drain()
    [item] = await until(lambda: _listed(admin, "lost"))
    assert (item["state"], item["is_imported"]) == ("creating", True)
    refused(await admin.delete(f"/v1/snapshots/{item['id']}"), 409)
    writer.transport.abort()
    [item] = await until(lambda: _listed(admin, "lost", state="failed"))
    assert "ends after" in item["fault"] or "broke off" in item["fault"]
    ok(await admin.delete(f"/v1/snapshots/{item['id']}", params={"wait": 30}))
    await until(lambda: _is(files_of(agent_settings, manager_settings) == before))


async def _listed(client: httpx.AsyncClient, name: str, **query: str) -> list[dict[str, Any]]:
    return ok(await client.get("/v1/snapshots", params={"name": name, **query}))["items"]


async def _is(claim: bool) -> bool:
    return claim


async def test_what_a_manager_left_that_was_killed_is_ended_by_the_next(
    admin: httpx.AsyncClient, archive: Archive, db: Db, manager: Manager
) -> None:
    """As after a kill: the row is there, and no host knows of it."""
    row = await db.fetchrow(
        """
        insert into snapshots (id, project_id, created_by_user_id, name, vm_name, machine_id, host_id, type, purpose,
                               vcpus, memory_mib, definition, expected_bytes, is_imported, created_at)
        select gen_random_uuid(), s.project_id, s.created_by_user_id, 'lost', s.vm_name, gen_random_uuid(), s.host_id,
               'Full', 'keep', s.vcpus, s.memory_mib, s.definition, 1, true, now() - interval '2 minutes'
        from snapshots s where s.name = 'before' returning id, project_id
        """
    )
    assert row is not None
    async with manager.platform.db.transaction() as tx:
        await manager.platform.flows.open(tx, flow=FLOW, subject=Subject(KIND, row["id"], "lost", row["project_id"]))
    [item] = await until(lambda: _listed(admin, "lost", state="failed"))
    assert "knows nothing of it" in item["fault"]


async def test_what_is_being_exported_cannot_be_deleted(
    admin: httpx.AsyncClient, taken: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_go_on, pieces = asyncio.Event(), asyncio.Event(), Export.pieces

    async def slow(self: Export) -> AsyncGenerator[bytes]:
        begun.set()
        await may_go_on.wait()
        async for piece in pieces(self):
            yield piece

    monkeypatch.setattr(Export, "pieces", slow)
    exporting = asyncio.create_task(export(admin, taken))
    await begun.wait()
    problem = refused(await admin.delete(f"/v1/snapshots/{taken}", params={"wait": 30}), 502)
    assert "it is being exported" in problem["error"]
    assert (await snapshot_of(admin, taken))["state"] == "completed"
    may_go_on.set()
    assert Archive.of(await exporting).member("files/memory")
    await until(lambda: _is_deleted(admin, taken))


async def _is_deleted(client: httpx.AsyncClient, snapshot_id: UUID) -> bool:
    answer = await client.delete(f"/v1/snapshots/{snapshot_id}", params={"wait": 30})
    return answer.status_code in (200, 404)


async def test_only_so_many_are_under_way_at_once(
    admin: httpx.AsyncClient, archive: Archive, taken: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfers, "MOST_AT_ONCE", 0)
    for answer in (await admin.get(f"/v1/snapshots/{taken}/export"), await send(admin, archive.packed())):
        assert refused(answer, 429)["code"] == "too_many_transfers"


async def test_an_export_whose_host_is_lost_has_no_end(
    admin: httpx.AsyncClient, taken: UUID, monkeypatch: pytest.MonkeyPatch, served: str
) -> None:
    async def broken(_self: object) -> AsyncGenerator[bytes]:
        yield b"some"
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Export, "pieces", broken)
    async with httpx.AsyncClient(base_url=f"http://{served}", headers=admin.headers, timeout=70) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(f"/v1/snapshots/{taken}/export")
