"""Taking hosts out of use, and where VMs go: over a scripted manager."""

import json
from typing import Any

import pytest
from tests.cli.harness import Golden, Run, Spawn, operation, vm
from tests.cli.stub_manager import StubManager, problem, uuid_of
from tests.cli.test_other_commands import HOST

PATH = f"/v1/hosts/{uuid_of(201)}"
RESULT = {
    "vms": [
        {"id": uuid_of(1), "name": "web-1", "outcome": "stopped", "why": None, "operation_id": uuid_of(901)},
        {"id": uuid_of(2), "name": "web-2", "outcome": "was_off", "why": None, "operation_id": None},
        {"id": uuid_of(3), "name": "web-3", "outcome": "failed", "why": "It hangs.", "operation_id": uuid_of(903)},
    ]
}


@pytest.fixture(autouse=True)
def known(stub: StubManager) -> None:
    stub.on("GET", "/v1/hosts", {"items": [HOST], "next_cursor": None})


def ends(stub: StubManager, **fields: Any) -> None:
    """Have a drain that is asked for come to this end."""
    stub.on("POST", f"{PATH}/drain", {"ok": True, "operation_id": uuid_of(900)})
    item = operation() | {"verb": "drain", "subject_kind": "host", "subject_name": "lab-1"} | fields
    stub.on("GET", f"/v1/operations/{uuid_of(900)}", {"item": item})


def test_a_cordoned_host_is_shown_as_such(nexus: Run, stub: StubManager) -> None:
    lost = HOST | {"id": uuid_of(202), "name": "lab-2", "state": "abandoned", "is_cordoned": True}
    cordoned = HOST | {"is_cordoned": True}
    stub.on("GET", "/v1/hosts", {"items": [cordoned, lost], "next_cursor": None})
    rows = nexus("host", "list").stdout.splitlines()
    assert "online, cordoned" in rows[1]
    assert "abandoned " in rows[2]


def test_the_vms_on_a_host_are_listed(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1))
    assert "web-1" in nexus("host", "vms", "lab-1").stdout
    assert stub.seen[-1].query["host"] == uuid_of(201)
    nexus("vm", "list", "--host", "lab-1")
    assert stub.seen[-1].query["host"] == "lab-1"
    stub.have()
    assert "No VM is on lab-1." in nexus("host", "vms", "lab-1").stderr


def test_a_drain_that_nobody_has_looked_at_yet_says_nothing_of_vms(nexus: Run, stub: StubManager) -> None:
    ends(stub, status="running", progress=0, result=None)
    given_up = nexus("host", "drain", "lab-1", "--stop", "--timeout", "0")
    assert given_up.exit_code != 0
    assert "No VM was on it" not in given_up.stdout + given_up.stderr


def test_draining_says_what_became_of_each_vm(nexus: Run, stub: StubManager, golden: Golden) -> None:
    ends(stub, result={"vms": RESULT["vms"][:2]})
    drained = nexus("host", "drain", "lab-1", "--stop", "--grace", "5")
    golden("host-drain.txt", drained.stdout)
    assert drained.exit_code == 0
    assert "lab-1 is drained" in drained.stderr
    [asked] = stub.asked("POST", f"{PATH}/drain")
    assert asked.body == {"stop": True, "grace_s": 5}
    shown = json.loads(nexus("host", "drain", "lab-1", "--stop", "-o", "json").stdout)
    assert [one["outcome"] for one in shown["result"]["vms"]] == ["stopped", "was_off"]


def test_a_drain_that_failed_says_of_which_vm_and_why(nexus: Run, stub: StubManager) -> None:
    error = json.loads(bytes(problem(502, "lab-1 is not empty: 1 of its VMs could not be stopped (web-3).").body))
    ends(stub, status="failed", result=RESULT, error=error)
    failed = nexus("host", "drain", "lab-1", "--stop")
    assert failed.exit_code == 1
    assert "It hangs." in failed.stdout
    assert "could not be stopped (web-3)" in failed.stderr
    assert "is drained" not in failed.stderr
    shown = nexus("operation", "show", uuid_of(900)).stdout
    assert "web-3: failed" in shown


def test_draining_without_saying_that_vms_are_stopped_does_nothing(nexus: Run, stub: StubManager) -> None:
    refused = nexus("host", "drain", "lab-1")
    assert refused.exit_code == 2
    assert "nexus host drain lab-1 --stop" in refused.stderr
    assert not stub.seen


def test_a_host_is_given_up_only_by_its_name(nexus: Run, stub: StubManager) -> None:
    stub.on("POST", f"{PATH}/abandon", {"ok": True, "operation_id": None, "vms": 2})
    for words in ((), ("--confirm", "lab-2"), ("--confirm", uuid_of(201))):
        refused = nexus("host", "abandon", "lab-1", *words)
        assert refused.exit_code == 1
        assert "lab-1" in refused.stderr
    assert not stub.asked("POST", f"{PATH}/abandon")
    done = nexus("host", "abandon", "lab-1", "--confirm", "lab-1")
    assert done.exit_code == 0
    assert "lab-1 is given up, and 2 VMs with it." in done.stderr
    assert [asked.body for asked in stub.asked("POST", f"{PATH}/abandon")] == [{"name": "lab-1"}]


def test_a_person_types_the_name(spawn: Spawn, stub: StubManager) -> None:
    stub.on("POST", f"{PATH}/abandon", {"ok": True, "operation_id": None, "vms": 1})
    child = spawn("host", "abandon", "lab-1")
    child.expect("cannot be taken back")
    child.expect("Type the host's name to go on: ")
    child.sendline("lab-1")
    child.expect("lab-1 is given up, and 1 VM with it")
    child.expect_exact("nexus host vms lab-1")


def test_a_dry_run_names_the_host_and_says_why_not_the_others(nexus: Run, stub: StubManager, golden: Golden) -> None:
    here = {"host_id": uuid_of(201), "host_name": "lab-1", "refusal": None}
    there = {"host_id": uuid_of(202), "host_name": "lab-2", "refusal": "takes no new machines (cordoned)"}
    stub.on("POST", "/v1/vms", {"dry_run": True, **here, "hosts": [here, there]})
    tried = nexus("vm", "create", "web-9", "--memory", "2G", "--needs", "pause", "--dry-run")
    golden("vm-create-dry-run.txt", tried.stdout)
    assert tried.exit_code == 0
    assert "web-9 would go to lab-1. Nothing was made." in tried.stderr
    [asked] = stub.asked("POST", "/v1/vms")
    assert (asked.query, asked.body) == ({"dry_run": "true"}, {"name": "web-9", "mem_mib": 2048, "needs": ["pause"]})
    stub.on("POST", "/v1/vms", {"dry_run": True, "host_id": None, "host_name": None, "hosts": [there]})
    nowhere = nexus("vm", "create", "web-9", "--dry-run")
    assert nowhere.exit_code == 1
    assert "web-9 would go to no host" in nowhere.stderr
    assert "cordoned" in nowhere.stdout
