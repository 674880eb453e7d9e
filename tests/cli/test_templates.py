"""`nexus template`, and what is made from one."""

import json

import pytest
from tests.cli.harness import Golden, Run, ago, operation, vm
from tests.cli.stub_manager import StubManager, uuid_of

PATH = "/v1/templates"
SPEC = {
    "vcpu": 2,
    "mem_mib": 1024,
    "kernel_image_id": uuid_of(101),
    "rootfs_image_id": uuid_of(102),
    "username": "root",
    "ssh_authorized_keys": ["ssh-ed25519 AAAA"],
    "disk_size_bytes": 10 << 30,
    "tags": ["web", "blue"],
    "environment": "staging",
    "owner": "ann",
    "boot_args": None,
    "restart_policy": "always",
}
TEMPLATE = {
    "id": uuid_of(601),
    "name": "web",
    "description": "Serves pages",
    "spec": SPEC,
    "vcpu": 2,
    "mem_mib": 1024,
    "kernel": "linux-6.1",
    "image": "debian-12",
    "usage_count": 3,
    "created_at": ago(days=3, minutes=1),
    "updated_at": ago(days=3),
}
ITEM = f"{PATH}/{TEMPLATE['id']}"


@pytest.fixture
def templates(stub: StubManager) -> StubManager:
    """A manager that has one template."""
    stub.on("GET", PATH, {"items": [TEMPLATE], "next_cursor": None})
    stub.on("GET", ITEM, {"item": TEMPLATE})
    return stub


def test_templates_are_listed_and_shown(nexus: Run, templates: StubManager, golden: Golden) -> None:
    golden("template-list.txt", nexus("template", "list").stdout)
    golden("template-show.txt", nexus("template", "show", "web").stdout)
    assert "Did you mean web?" in nexus("template", "show", "wed").stderr


def test_a_template_is_made_of_options_or_of_a_vm(nexus: Run, templates: StubManager) -> None:
    templates.on("POST", PATH, {"id": TEMPLATE["id"], "operation_id": None})
    templates.have(vm(1))
    templates.on("POST", f"/v1/vms/{uuid_of(1)}/template", {"id": TEMPLATE["id"], "operation_id": None})
    made = nexus("template", "create", "web", "--vcpu", "2", "--memory", "1G", "--tag", "web", "-o", "json")
    assert json.loads(made.stdout)["name"] == "web"
    assert "--template web" in made.stderr
    [asked] = templates.asked("POST", PATH)
    assert asked.body == {"name": "web", "description": "", "spec": {"vcpu": 2, "mem_mib": 1024, "tags": ["web"]}}
    nexus("template", "create", "web", "--from-vm", "web-1", "--description", "As web-1")
    [asked] = templates.asked("POST", f"/v1/vms/{uuid_of(1)}/template")
    assert asked.body == {"name": "web", "description": "As web-1"}
    both = nexus("template", "create", "web", "--from-vm", "web-1", "--vcpu", "2")
    assert (both.exit_code, len(templates.asked("POST", PATH))) == (2, 1)


def test_an_edit_keeps_what_is_not_said(nexus: Run, templates: StubManager) -> None:
    templates.on("PUT", ITEM, {"ok": True, "operation_id": None})
    assert nexus("template", "edit", "web", "--vcpu", "4", "--image", "alpine").exit_code == 0
    [asked] = templates.asked("PUT", ITEM)
    kept = {field: value for field, value in SPEC.items() if field != "rootfs_image_id"}
    assert asked.body == {
        "name": "web",
        "description": "Serves pages",
        "spec": kept | {"vcpu": 4, "image": "alpine"},
    }
    assert nexus("template", "edit", "web").exit_code == 2


def test_a_template_is_cloned_and_deleted(nexus: Run, templates: StubManager) -> None:
    templates.on("POST", f"{ITEM}/clone", {"id": TEMPLATE["id"], "operation_id": None})
    templates.on("DELETE", ITEM, {"ok": True, "operation_id": None})
    assert nexus("template", "clone", "web", "web-2").exit_code == 0
    assert templates.asked("POST", f"{ITEM}/clone")[0].body == {"name": "web-2"}
    assert "web is deleted" in nexus("template", "delete", "--yes", "web").stderr


def test_vms_are_made_from_a_template_in_two_ways(nexus: Run, templates: StubManager) -> None:
    done = operation("done")
    templates.have(vm(1))
    templates.on("GET", f"/v1/operations/{done['id']}", {"item": done})
    for path in ("/v1/vms", f"{ITEM}/instantiate"):
        templates.on("POST", path, {"id": uuid_of(1), "operation_id": done["id"]})
    assert "web-1 is running" in nexus("template", "instantiate", "web", "web-1").stderr
    assert templates.asked("POST", f"{ITEM}/instantiate")[0].body == {"name": "web-1"}
    assert nexus("vm", "create", "web-1", "--template", "web", "--memory", "2G").exit_code == 0
    assert templates.asked("POST", "/v1/vms")[0].body == {"name": "web-1", "template": "web", "mem_mib": 2048}
