"""`nexus snapshot`, `vm clone` and `vm suspend`."""

import json

import pytest
from tests.cli.harness import Golden, Run, ago, operation, vm
from tests.cli.stub_manager import StubManager, problem, uuid_of

SNAPSHOT = {
    "id": uuid_of(701),
    "name": "before-upgrade",
    "description": "For safety",
    "vm_id": uuid_of(1),
    "vm_name": "web-1",
    "is_imported": False,
    "host_name": "lab-1",
    "snapshot_type": "Full",
    "state": "completed",
    "fault": None,
    "warning": "its guest's file systems were not brought to rest",
    "purpose": "keep",
    "parent_id": None,
    "has_memory": True,
    "vcpu": 1,
    "mem_mib": 512,
    "size_bytes": 200 << 20,
    "memory_bytes": 150 << 20,
    "checksum": "ab" * 32,
    "paused_ms": 42,
    "needed_by": ["web-9"],
    "taken_at": ago(days=3, minutes=1),
    "operation_id": None,
    "created_at": ago(days=3, minutes=1),
    "updated_at": ago(days=3),
}
OFF = SNAPSHOT | {"id": uuid_of(702), "name": "nightly", "has_memory": False, "warning": None, "vm_id": None}
ITEM = f"/v1/snapshots/{SNAPSHOT['id']}"
OF_VM = f"/v1/vms/{uuid_of(1)}"
DONE = operation("done")
RECORDED = {"ok": True, "operation_id": DONE["id"]}


@pytest.fixture
def snapshots(stub: StubManager) -> StubManager:
    """A manager that has a VM and two snapshots."""
    stub.have(vm(1))
    stub.on("GET", "/v1/snapshots", {"items": [SNAPSHOT, OFF], "next_cursor": None})
    stub.on("GET", f"{OF_VM}/snapshots", {"items": [SNAPSHOT], "next_cursor": None})
    stub.on("GET", ITEM, {"item": SNAPSHOT})
    stub.on("GET", f"/v1/operations/{DONE['id']}", {"item": DONE})
    return stub


def test_snapshots_are_listed_and_shown(nexus: Run, snapshots: StubManager, golden: Golden) -> None:
    golden("snapshot-list.txt", nexus("snapshot", "list").stdout)
    golden("snapshot-show.txt", nexus("snapshot", "show", "before-upgrade").stdout)
    snapshots.on("GET", "/v1/snapshots", {"items": [SNAPSHOT | {"parent_id": uuid_of(702)}], "next_cursor": None})
    snapshots.on("GET", f"/v1/snapshots/{uuid_of(702)}", {"item": OFF})
    assert "Parent       nightly\n" in nexus("snapshot", "show", "before-upgrade").stdout
    snapshots.on("GET", "/v1/snapshots", {"items": [SNAPSHOT, OFF], "next_cursor": None})
    nexus("snapshot", "list", "--vm", "web-1", "-q", "up")
    assert snapshots.asked("GET", "/v1/snapshots")[-1].query == {"vm_id": uuid_of(1), "q": "up", "limit": "200"}
    assert "Did you mean nightly?" in nexus("snapshot", "show", "nigthly").stderr


def test_the_tree_shows_what_came_of_what(nexus: Run, snapshots: StubManager, golden: Golden) -> None:
    def node(number: int, name: str, parent: int | None, **fields: object) -> dict[str, object]:
        told: dict[str, object] = {
            "id": uuid_of(number),
            "name": name,
            "parent_id": uuid_of(parent) if parent else None,
            "state": "completed",
            "snapshot_type": "Full",
            "has_memory": True,
            "size_bytes": 200 << 20,
            "is_current": False,
            "created_at": ago(days=1),
            "vms": [],
        }
        return told | fields

    made = {"id": uuid_of(2), "name": "web-2", "state": "running", "disk_size_bytes": 4 << 30}
    tree = {
        "vm_id": uuid_of(1),
        "vm_name": "web-1",
        "size_bytes": 600 << 20,
        "snapshots": [
            node(1, "one", None),
            node(2, "two", 1, vms=[made], snapshot_type="Diff", size_bytes=9 << 20),
            node(3, "three", 1, is_current=True),
        ],
        "clones": [made | {"name": "copy"}],
    }
    snapshots.on("GET", f"{OF_VM}/snapshots/tree", {"item": tree})
    golden("snapshot-tree.txt", nexus("snapshot", "tree", "web-1").stdout)
    assert json.loads(nexus("snapshot", "tree", "web-1", "-o", "json").stdout)["size_bytes"] == 600 << 20


def test_one_is_taken_and_its_shortcomings_are_told(nexus: Run, snapshots: StubManager) -> None:
    snapshots.on("POST", f"{OF_VM}/snapshots", {"id": SNAPSHOT["id"], "operation_id": DONE["id"]})
    done = nexus("snapshot", "create", "web-1", "--name", "before-upgrade", "--keep-last", "7", "-o", "json")
    assert json.loads(done.stdout)["name"] == "before-upgrade"
    assert "200 MiB" in done.stderr
    assert "not brought to rest" in done.stderr
    [asked] = snapshots.asked("POST", f"{OF_VM}/snapshots")
    assert asked.body == {"name": "before-upgrade", "description": "", "keep_last": 7}
    quick = nexus("snapshot", "create", "web-1", "--no-wait", "-o", "json")
    assert json.loads(quick.stdout)["operation_id"] == DONE["id"]


def test_what_is_no_longer_kept_is_named(nexus: Run, snapshots: StubManager) -> None:
    snapshots.on("POST", f"{OF_VM}/snapshots", {"id": SNAPSHOT["id"], "operation_id": DONE["id"]})
    before = [OFF, OFF | {"id": uuid_of(703), "name": "older"}, OFF | {"id": uuid_of(704), "name": "going"}]
    after = [OFF, SNAPSHOT, OFF | {"id": uuid_of(704), "name": "going", "state": "deleting"}]
    pages = [{"items": items, "next_cursor": None} for items in (before, after)]
    snapshots.on("GET", f"{OF_VM}/snapshots", *pages)
    assert "No longer kept: going, older.\n" in nexus("snapshot", "create", "web-1", "--keep-last", "2").stderr
    snapshots.on("GET", f"{OF_VM}/snapshots", pages[1])
    assert "No longer" not in nexus("snapshot", "create", "web-1", "--keep-last", "2").stderr


def test_who_does_not_wait_is_told_what_to_watch(nexus: Run, snapshots: StubManager) -> None:
    snapshots.on("POST", f"{OF_VM}/snapshots", {"id": SNAPSHOT["id"], "operation_id": DONE["id"]})
    snapshots.on("POST", f"{ITEM}/instantiate", {"id": uuid_of(1), "operation_id": DONE["id"]})
    snapshots.on("DELETE", ITEM, RECORDED)
    for path in ("rollback", "suspend", "stop"):
        snapshots.on("POST", f"{OF_VM}/{path}", RECORDED | {"snapshot_id": SNAPSHOT["id"]})
    for words, name in (
        (("snapshot", "create", "web-1"), "before-upgrade"),
        (("snapshot", "rollback", "--yes", "before-upgrade"), "web-1"),
        (("snapshot", "restore", "before-upgrade"), "web-1"),
        (("snapshot", "delete", "--yes", "before-upgrade"), "before-upgrade"),
        (("vm", "suspend", "web-1"), "web-1"),
        (("vm", "stop", "web-1"), "web-1"),
    ):
        told = nexus(*words, "--no-wait").stderr
        assert told == f"{name}: recorded. Watch it with: nexus operation watch {DONE['id']}\n"


def test_a_diff_is_over_the_last_one_or_the_named_one(nexus: Run, snapshots: StubManager) -> None:
    snapshots.on("POST", f"{OF_VM}/snapshots", {"id": SNAPSHOT["id"], "operation_id": DONE["id"]})
    nexus("snapshot", "create", "web-1", "--diff")
    nexus("snapshot", "create", "web-1", "--diff", "--parent", "before-upgrade")
    last, named = (asked.body for asked in snapshots.asked("POST", f"{OF_VM}/snapshots"))
    assert last == {"description": "", "snapshot_type": "Diff"}
    assert named == {"description": "", "snapshot_type": "Diff", "parent_id": SNAPSHOT["id"]}
    refused = nexus("snapshot", "create", "web-1", "--parent", "before-upgrade")
    assert (refused.exit_code, "Add --diff" in refused.stderr) == (2, True)


def test_one_that_cannot_be_taken_is_told_with_the_reason(nexus: Run, snapshots: StubManager) -> None:
    snapshots.on("POST", f"{OF_VM}/snapshots", problem(409, "Cannot take a snapshot of web-1: it is starting."))
    failed = nexus("snapshot", "create", "web-1")
    assert failed.exit_code != 0
    assert "it is starting" in failed.stderr


def test_a_vm_is_made_of_one(nexus: Run, snapshots: StubManager) -> None:
    snapshots.on("POST", f"{ITEM}/instantiate", {"id": uuid_of(1), "operation_id": DONE["id"]})
    assert "web-1 is running" in nexus("snapshot", "restore", "before-upgrade", "web-2").stderr
    assert snapshots.asked("POST", f"{ITEM}/instantiate")[0].body == {"name": "web-2"}
    nexus("snapshot", "restore", "before-upgrade", "--description", "to look at yesterday")
    assert snapshots.asked("POST", f"{ITEM}/instantiate")[1].body == {"description": "to look at yesterday"}


def test_a_vm_goes_back_to_one_of_its_own(nexus: Run, snapshots: StubManager) -> None:
    snapshots.on("POST", f"{OF_VM}/rollback", RECORDED)
    assert "is what it was" in nexus("snapshot", "rollback", "--yes", "before-upgrade").stderr
    assert snapshots.asked("POST", f"{OF_VM}/rollback")[0].body == {"snapshot_id": SNAPSHOT["id"]}
    orphan = nexus("snapshot", "rollback", "--yes", "nightly")
    assert orphan.exit_code != 0
    assert "web-1, of which nightly was taken, is deleted" in orphan.stderr
    assert "snapshot restore nightly" in orphan.stderr
    imported = {"items": [OFF | {"is_imported": True}], "next_cursor": None}
    snapshots.on("GET", "/v1/snapshots", imported)
    assert "nightly was imported: no VM here" in nexus("snapshot", "rollback", "--yes", "nightly").stderr


def test_one_is_called_otherwise_and_deleted(nexus: Run, snapshots: StubManager) -> None:
    snapshots.on("PATCH", ITEM, {"ok": True, "operation_id": None})
    snapshots.on("DELETE", ITEM, RECORDED)
    assert nexus("snapshot", "edit", "before-upgrade", "--description", "x").exit_code == 0
    assert snapshots.asked("PATCH", ITEM)[0].body == {"description": "x"}
    assert nexus("snapshot", "edit", "before-upgrade").exit_code == 2
    assert "before-upgrade is deleted" in nexus("snapshot", "delete", "--yes", "before-upgrade").stderr


def test_vms_are_cloned_and_suspended(nexus: Run, snapshots: StubManager) -> None:
    items = [{"id": uuid_of(1), "name": f"w-{n}", "operation_id": uuid_of(901)} for n in (1, 2)]
    snapshots.on("POST", f"{OF_VM}/clone", {"id": uuid_of(1), "operation_id": DONE["id"], "items": items})
    snapshots.on("POST", f"{OF_VM}/suspend", RECORDED | {"snapshot_id": SNAPSHOT["id"]})
    assert "w-1, w-2 are running" in nexus("vm", "clone", "web-1", "w", "--count", "2").stderr
    assert snapshots.asked("POST", f"{OF_VM}/clone")[0].body == {"name": "w", "count": 2}
    assert nexus("vm", "clone", "web-1", "--count", "101").exit_code == 2
    many = [{"id": uuid_of(1), "name": f"w-{n}", "operation_id": uuid_of(901)} for n in range(1, 101)]
    snapshots.on("POST", f"{OF_VM}/clone", {"id": uuid_of(1), "operation_id": DONE["id"], "items": many})
    assert "w-1 … w-100 (100 VMs) are running" in nexus("vm", "clone", "web-1", "w", "--count", "100").stderr
    assert "nexus vm resume web-1" in nexus("vm", "suspend", "web-1").stderr
