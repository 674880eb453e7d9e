"""Images: what may become one, who may have its bytes, and when it may go."""

import hashlib
import os
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, ok, refused
from tests.manager.compute.conftest import KERNEL, ROOTFS

from nexus.manager.images.schemas import ImageList
from nexus.manager.settings import ManagerSettings


@pytest.fixture
def root(manager_settings: ManagerSettings) -> Path:
    manager_settings.image_root.mkdir(exist_ok=True)
    return manager_settings.image_root


async def test_an_image_is_what_its_content_says(admin: httpx.AsyncClient, root: Path) -> None:
    ext4 = bytes(1024 + 0x38) + b"\x53\xef" + bytes(100)
    (root / "some.file").write_bytes(ext4)
    wanted = {"kind": "rootfs", "name": "mine", "host_path": "some.file", "size": len(ext4)}
    image_id = ok(await admin.post("/v1/images", json=wanted))["id"]
    item = ok(await admin.get(f"/v1/images/{image_id}"))["item"]
    assert item["format"] == "ext4"
    assert item["sha256"] == hashlib.sha256(ext4).hexdigest()
    assert item["size"] == item["size_bytes"] == len(ext4)
    assert item["path"] == item["host_path"] == str(root / "some.file")


async def test_only_regular_files_below_the_root_become_images(
    admin: httpx.AsyncClient, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(KERNEL)
    (root / "link").symlink_to(outside)
    (root / "up").symlink_to("..")
    (root / "kernel").write_bytes(KERNEL)
    (root / "text").write_text("just text")
    (root / "folder").mkdir()
    os.mkfifo(root / "pipe")
    for path in (
        *("link", "up/secret.key", "../secret.key", str(outside), "/etc/passwd", "text", "folder", "pipe"),
        *("missing", ".", "kernel/../../secret.key", "/proc/self/environ", "a" * 4000),
    ):
        body = refused(await admin.post("/v1/images", json={"kind": "kernel", "name": "evil", "path": path}), 422)
        assert body["code"] == "image_file_refused", path
    refused(await admin.post("/v1/images", json={"kind": "kernel", "name": "evil", "path": "kernel\0"}), 422)
    assert ok(await admin.get("/v1/images"))["items"] == []


async def test_a_file_that_is_not_what_was_said_is_refused(admin: httpx.AsyncClient, root: Path) -> None:
    (root / "kernel").write_bytes(KERNEL)
    wanted = {"kind": "kernel", "name": "mine", "path": "kernel"}
    refused(await admin.post("/v1/images", json=wanted | {"sha256": "0" * 64}), 422)
    refused(await admin.post("/v1/images", json=wanted | {"size": 1}), 422)
    refused(await admin.post("/v1/images", json=wanted | {"kind": "rootfs"}), 422)
    refused(await admin.post("/v1/images", json=wanted | {"name": "../x"}), 422)
    ok(await admin.post("/v1/images", json=wanted | {"sha256": hashlib.sha256(KERNEL).hexdigest().upper()}))
    refused(await admin.post("/v1/images", json=wanted), 409)


async def test_a_new_default_takes_the_old_ones_place(
    admin: httpx.AsyncClient, images: dict[str, str], root: Path
) -> None:
    (root / "kernel-2").write_bytes(KERNEL + b"2")
    wanted = {"kind": "kernel", "name": "newer", "path": "kernel-2", "is_default": True}
    ok(await admin.post("/v1/images", json=wanted))
    body = ok(await admin.get("/v1/images", params={"kind": "kernel"}))
    ImageList.model_validate(body)
    assert {item["name"]: item["is_default"] for item in body["items"]} == {"test-kernel": False, "newer": True}


async def test_only_administrators_register_and_delete(
    user: httpx.AsyncClient, images: dict[str, str], root: Path
) -> None:
    assert len(ok(await user.get("/v1/images"))["items"]) == 3
    refused(await user.post("/v1/images", json={"kind": "kernel", "name": "mine", "path": "x"}), 403)
    refused(await user.delete(f"/v1/images/{images['kernel']}"), 403)


async def test_an_image_that_a_vm_was_made_from_stays(
    host: JoinedHost, user: httpx.AsyncClient, admin: httpx.AsyncClient, images: dict[str, str], root: Path
) -> None:
    vm_id = await create(user, start=False)
    for kind in images:
        assert "web-1" in refused(await admin.delete(f"/v1/images/{images[kind]}"), 409)["error"]
    ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))
    ok(await admin.delete(f"/v1/images/{images['rootfs']}"))
    assert (root / hashlib.sha256(ROOTFS).hexdigest()).exists()
    body = refused(await user.post("/v1/vms", json={"name": "web-1"}), 422)
    assert body["code"] == "no_default_image"
    refused(await admin.delete(f"/v1/images/{uuid4()}"), 404)


async def test_an_image_can_be_named_by_name_or_id(
    host: JoinedHost, user: httpx.AsyncClient, images: dict[str, str]
) -> None:
    await create(user, "by-name", start=False, image="test-rootfs", kernel="test-kernel")
    await create(user, "by-id", start=False, image=images["rootfs"])
    await create(user, "by-field", start=False, rootfs_image_id=images["rootfs"])
    refused(await user.post("/v1/vms", json={"name": "no-such", "image": "test-kernel"}), 404)


async def test_hosts_and_nobody_else_read_content(
    host: JoinedHost, admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, root: Path
) -> None:
    credential = (root.parent / "agent/credential.json").read_text()
    token = httpx.Response(200, text=credential).json()["credential"]
    headers = {"Authorization": f"Bearer {token}"}
    digest = hashlib.sha256(KERNEL).hexdigest()
    path = f"/v1/images/content/{digest}"
    refused(await admin.get(path), 401)
    whole = await anonymous.get(path, headers=headers)
    assert hashlib.sha256(whole.content).hexdigest() == digest
    part = await anonymous.get(path, headers=headers | {"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"ELF")
    refused(await anonymous.get(f"/v1/images/content/{'0' * 64}", headers=headers), 404)
    refused(await anonymous.get("/v1/images/content/nonsense", headers=headers), 422)
    (root / digest).unlink()
    (root / digest).symlink_to("/etc/passwd")
    refused(await anonymous.get(path, headers=headers), 404)
