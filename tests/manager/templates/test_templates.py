"""Templates: saved configurations, VMs made from them, and what they keep from being deleted."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, refused, vm_of

from nexus.kit.db import Db
from nexus.manager.templates.repository import ITEM
from nexus.manager.templates.schemas import TemplateBody, TemplateItem, TemplateList

PATH = "/v1/templates"
ADA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS ada@laptop"
SPEC: dict[str, Any] = {
    "vcpu": 2,
    "mem_mib": 1024,
    "username": "ada",
    "ssh_authorized_keys": [ADA],
    "disk_size_bytes": 1 << 30,
    "tags": ["web", "blue"],
    "environment": "staging",
    "owner": "ada",
    "boot_args": "quiet",
    "restart_policy": "always",
}


async def add(client: httpx.AsyncClient, name: str = "web", **spec: Any) -> str:
    body = {"name": name, "description": "Serves pages", "spec": SPEC | spec}
    return ok(await client.post(PATH, json=body))["id"]


async def template_of(client: httpx.AsyncClient, template_id: str) -> dict[str, Any]:
    return ok(await client.get(f"{PATH}/{template_id}"))["item"]


async def names(client: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = ok(await client.get(PATH, params=query))
    TemplateList.model_validate(answer, extra="forbid")
    return [item["name"] for item in answer["items"]]


async def test_a_template_is_kept_changed_and_forgotten(images: dict[str, str], user: httpx.AsyncClient) -> None:
    template_id = await add(user)
    body = ok(await user.get(f"{PATH}/{template_id}"))
    TemplateItem.model_validate(body, extra="forbid")
    item = body["item"]
    assert item["spec"] == SPEC | {"kernel_image_id": images["kernel"], "rootfs_image_id": images["rootfs"]}
    assert (item["vcpu"], item["mem_mib"], item["usage_count"]) == (2, 1024, 0)
    assert (item["kernel"], item["image"]) == ("test-kernel", "test-rootfs")
    wanted = {"name": "web-large", "description": "", "spec": item["spec"] | {"vcpu": 4, "tags": []}}
    ok(await user.put(f"{PATH}/{template_id}", json=wanted))
    after = await template_of(user, template_id)
    assert (after["name"], after["vcpu"], after["spec"]["tags"], after["spec"]["owner"]) == ("web-large", 4, [], "ada")
    ok(await user.delete(f"{PATH}/{template_id}"))
    assert refused(await user.get(f"{PATH}/{template_id}"), 404)["code"] == "template_not_found"
    refused(await user.delete(f"{PATH}/{template_id}"), 404)


async def test_a_change_of_what_was_not_seen_is_refused(images: dict[str, str], user: httpx.AsyncClient) -> None:
    template_id = await add(user)
    seen = (await user.get(f"{PATH}/{template_id}")).headers["etag"]
    wanted = {"name": "other", "spec": SPEC}
    ok(await user.put(f"{PATH}/{template_id}", json=wanted, headers={"If-Match": seen}))
    for answer in (
        await user.put(f"{PATH}/{template_id}", json=wanted, headers={"If-Match": seen}),
        await user.delete(f"{PATH}/{template_id}", headers={"If-Match": seen}),
    ):
        assert refused(answer, 412)["code"] == "stale"
    assert await names(user) == ["other"]


async def test_nobody_elses_templates_are_there(
    images: dict[str, str],
    user: httpx.AsyncClient,
    other_user: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    admin: httpx.AsyncClient,
) -> None:
    template_id = await add(user)
    path = f"{PATH}/{template_id}"
    refused(await other_user.get(path), 404)
    refused(await other_user.put(path, json={"name": "mine", "spec": SPEC}), 404)
    refused(await other_user.post(f"{path}/clone", json={"name": "mine"}), 404)
    refused(await other_user.post(f"{path}/instantiate", json={"name": "web-1"}), 404)
    refused(await other_user.post("/v1/vms", json={"name": "web-1", "template": "web"}), 404)
    refused(await other_user.delete(path), 404)
    assert (await names(other_user), await names(viewer), await names(admin)) == ([], ["web"], ["web"])
    refused(await viewer.delete(path), 403)
    refused(await other_user.post(PATH, json={"name": "web", "spec": SPEC}), 409)


async def test_names_are_unique_also_when_many_ask_at_once(images: dict[str, str], user: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(user.post(PATH, json={"name": "web", "spec": SPEC}) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    second = await add(user, "db")
    taken = refused(await user.put(f"{PATH}/{second}", json={"name": "web", "spec": SPEC}), 409)
    assert taken["code"] == "template_name_taken"
    refused(await user.post(f"{PATH}/{second}/clone", json={"name": "web"}), 409)


async def test_a_clone_says_the_same_and_counts_anew(
    host: JoinedHost, user: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    first = await add(user)
    ok(await user.post(f"{PATH}/{first}/instantiate", json={"name": "web-1", "start": False}))
    second = ok(await admin.post(f"{PATH}/{first}/clone", json={"name": "web-copy"}))["id"]
    mine, copy = await template_of(user, first), await template_of(admin, second)
    assert copy["spec"] == mine["spec"]
    assert (mine["usage_count"], copy["usage_count"]) == (1, 0)
    assert copy["created_by_user_id"] != mine["created_by_user_id"]


async def test_a_vm_is_made_as_its_template_says(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    template_id = await add(user)
    answer = ok(await user.post(f"{PATH}/{template_id}/instantiate", json={"name": "web-1"}, params={"wait": 60}))
    assert answer["status"] == "done"
    vm = await vm_of(user, UUID(answer["id"]))
    told = {field: vm[field] for field in SPEC}
    assert told == SPEC
    assert (vm["template_id"], vm["state"]) == (template_id, "running")
    definition = host.machines.get(await machine_of(db, UUID(answer["id"]))).state.spec
    assert (definition.vcpus, definition.memory_mib, definition.boot_args) == (2, 1024, "quiet")
    assert (await template_of(user, template_id))["usage_count"] == 1


async def test_a_request_may_say_otherwise_than_its_template(host: JoinedHost, user: httpx.AsyncClient) -> None:
    template_id = await add(user)
    otherwise: dict[str, Any] = {
        "vcpu": 1,
        "mem_mib": 256,
        "tags": [],
        "restart_policy": "never",
        "image": "test-rootfs",
    }
    for named in ("web", template_id):
        wanted = {"name": f"vm-{named[:4]}", "template": named, "start": False, **otherwise}
        vm = await vm_of(user, UUID(ok(await user.post("/v1/vms", json=wanted))["id"]))
        assert {field: vm[field] for field in otherwise} == otherwise
        assert (vm["owner"], vm["boot_args"], vm["username"]) == ("ada", "quiet", "ada")
    assert (await template_of(user, template_id))["usage_count"] == 2


async def test_a_refused_vm_uses_no_template(host: JoinedHost, user: httpx.AsyncClient) -> None:
    template_id = await add(user)
    await create(user, "taken", start=False)
    path = f"{PATH}/{template_id}/instantiate"
    refused(await user.post(path, json={"name": "taken"}), 409)
    refused(await user.post(path, json={"name": "web-1", "image": "nowhere"}), 404)
    refused(await user.post("/v1/vms", json={"name": "web-1", "template": "nowhere"}), 404)
    refused(await user.post(f"{PATH}/{uuid4()}/instantiate", json={"name": "web-1"}), 404)
    assert (await template_of(user, template_id))["usage_count"] == 0


async def test_a_vms_configuration_is_saved_without_its_password(
    host: JoinedHost, user: httpx.AsyncClient, other_user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user, "web-1", start=False, password="hunter-two", **SPEC)
    refused(await other_user.post(f"/v1/vms/{vm_id}/template", json={"name": "stolen"}), 404)
    wanted = {"name": "saved", "description": "As web-1"}
    template_id = ok(await user.post(f"/v1/vms/{vm_id}/template", json=wanted))["id"]
    saved = await template_of(user, template_id)
    assert {field: saved["spec"][field] for field in SPEC} == SPEC
    assert saved["description"] == "As web-1"
    row = await db.fetchval("select to_jsonb(t)::text from templates t where id = $1", UUID(template_id))
    assert "hunter" not in row
    assert "password" not in row
    refused(await user.post(f"/v1/vms/{vm_id}/template", json={"name": "saved"}), 409)


async def test_an_image_that_a_template_names_is_not_deleted(
    images: dict[str, str], user: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    template_id = await add(user)
    for kind in ("kernel", "rootfs"):
        body = refused(await admin.delete(f"/v1/images/{images[kind]}"), 409)
        assert body["code"] == "image_in_use"
        assert "templates name it (web)" in body["error"]
        assert body["suggestion"] == "Delete those templates first."
    ok(await user.delete(f"{PATH}/{template_id}"))
    ok(await admin.delete(f"/v1/images/{images['kernel']}"))


async def test_another_default_image_changes_no_template(
    images: dict[str, str], user: httpx.AsyncClient, db: Db
) -> None:
    template_id = await add(user)
    await db.execute("update images set is_default = false")
    assert (await template_of(user, template_id))["spec"]["rootfs_image_id"] == images["rootfs"]
    assert refused(await user.post(PATH, json={"name": "late", "spec": SPEC}), 422)["code"] == "no_default_image"


async def test_a_deleted_template_leaves_its_vms(host: JoinedHost, user: httpx.AsyncClient) -> None:
    template_id = await add(user)
    vm_id = await create(user, "web-1", template="web", start=False)
    ok(await user.delete(f"{PATH}/{template_id}"))
    vm = await vm_of(user, vm_id)
    assert (vm["template_id"], vm["vcpu"]) == (None, 2)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "web"},
        {"spec": SPEC},
        {"name": "", "spec": SPEC},
        {"name": "a/b", "spec": SPEC},
        {"name": "../etc", "spec": SPEC},
        {"name": "web\n", "spec": SPEC},
        {"name": "x" * 64, "spec": SPEC},
        {"name": "web", "spec": None},
        {"name": "web", "spec": []},
        {"name": "web", "spec": {"vcpu": 0}},
        {"name": "web", "spec": {"vcpu": "2"}},
        {"name": "web", "spec": {"mem_mib": 127}},
        {"name": "web", "spec": {"mem_mib": 1 << 40}},
        {"name": "web", "spec": {"password": "hunter-two"}},
        {"name": "web", "spec": {"name": "web-1"}},
        {"name": "web", "spec": {"kernel": "a", "kernel_image_id": str(uuid4())}},
        {"name": "web", "spec": {"kernel_path": "/etc/shadow"}},
        {"name": "web", "spec": {"boot_args": "a\nb"}},
        {"name": "web", "spec": {"tags": ["x"] * 33}},
        {"name": "web", "spec": {"ssh_authorized_keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}},
        {"name": "web", "spec": {"disk_size_bytes": 1}},
        {"name": "web", "spec": SPEC, "usage_count": 7},
    ],
)
async def test_what_is_no_template_is_refused(
    images: dict[str, str], user: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    refused(await user.post(PATH, json=body), 422)
    assert await names(user) == []


async def test_every_change_is_on_record_and_told(
    images: dict[str, str], user: httpx.AsyncClient, admin: httpx.AsyncClient, db: Db
) -> None:
    template_id = await add(user)
    ok(await user.put(f"{PATH}/{template_id}", json={"name": "renamed", "spec": SPEC}))
    ok(await admin.delete(f"{PATH}/{template_id}"))
    trail = ok(await admin.get("/v1/audit", params={"subject_kind": "template", "sort": "at"}))["items"]
    assert [(row["verb"], row["actor_name"]) for row in trail] == [
        ("create", "ada"),
        ("edit", "ada"),
        ("delete", "root"),
    ]
    told = await db.fetch("select type from events where subject_id = $1 order by seq", UUID(template_id))
    assert [row["type"] for row in told] == ["template.created", "template.updated", "template.deleted"]


async def test_the_same_request_again_gets_the_first_answer(images: dict[str, str], user: httpx.AsyncClient) -> None:
    headers, wanted = {"Idempotency-Key": "once"}, {"name": "web", "spec": SPEC}
    answers = [await user.post(PATH, json=wanted, headers=headers) for _ in range(2)]
    assert ok(answers[0]) == ok(answers[1])
    assert await names(user) == ["web"]


async def test_a_list_comes_in_pages_sorted_and_searched(host: JoinedHost, user: httpx.AsyncClient) -> None:
    ids = {name: await add(user, name) for name in ("alpha", "beta", "gamma")}
    for name in ("one", "two"):
        await create(user, f"vm-{name}", template="beta", start=False)
    assert await names(user) == ["alpha", "beta", "gamma"]
    assert await names(user, sort="-usage_count", limit=1) == ["beta"]
    assert await names(user, sort="-created_at") == ["gamma", "beta", "alpha"]
    assert await names(user, q="ALPH") == ["alpha"]
    assert await names(user, name="gamma") == ["gamma"]
    page = ok(await user.get(PATH, params={"limit": 2, "sort": "-usage_count"}))
    rest = ok(await user.get(PATH, params={"limit": 2, "sort": "-usage_count", "cursor": page["next_cursor"]}))
    told = [item["id"] for item in (*page["items"], *rest["items"])]
    assert sorted(told) == sorted(ids.values())
    assert rest["next_cursor"] is None


def test_the_body_and_the_statement_agree() -> None:
    spec = ITEM.index("'spec'")
    told = (ITEM[:spec] + "'spec'" + ITEM[ITEM.index("|| t.settings") :]).split("'")[1::2]
    assert told == list(TemplateBody.model_fields), json.dumps(told)
