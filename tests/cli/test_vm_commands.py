"""What `nexus vm …` asks of the manager and tells the person."""

import json
from pathlib import Path

import pytest
import yaml
from tests.cli.harness import Golden, Run, operation, vm
from tests.cli.stub_manager import StubManager, problem, uuid_of

pytestmark = pytest.mark.timeout(60)
OPERATION = uuid_of(900)


def accept(stub: StubManager, method: str, path: str, *operations: dict[str, object]) -> None:
    """Accept a verb, whose operation then goes through these states."""
    stub.on(method, path, {"ok": True, "operation_id": OPERATION})
    stub.on("GET", f"/v1/operations/{OPERATION}", *({"item": one} for one in operations or (operation(),)))


def test_list_prints_a_table_with_human_sizes_and_ages(nexus: Run, stub: StubManager, golden: Golden) -> None:
    stub.have(
        vm(1, tags=["web", "blue"]),
        vm(2, name="db-long-name", state="stopped", guest="absent", mem_mib=1536, guest_ip=None, started_at=None),
    )
    listed = nexus("vm", "list")
    assert listed.exit_code == 0
    assert listed.stderr == ""
    golden("vm-list.txt", listed.stdout)


def test_show_prints_a_record(nexus: Run, stub: StubManager, golden: Golden) -> None:
    stub.have(vm(1, description="Front end", why="The guest rebooted itself."))
    golden("vm-show.txt", nexus("vm", "show", "web-1").stdout)


@pytest.mark.parametrize("words", [("-o", "json", "vm", "list"), ("vm", "list", "-o", "json")])
def test_the_output_option_works_before_the_noun_and_after_the_verb(
    nexus: Run, stub: StubManager, words: tuple[str, ...]
) -> None:
    stub.have(vm(1), vm(2))
    listed = nexus(*words)
    assert [one["name"] for one in json.loads(listed.stdout)] == ["web-1", "web-2"]


def test_json_keeps_fields_that_this_client_does_not_know(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1, brand_new={"a": 1}))
    assert json.loads(nexus("vm", "show", "web-1", "-o", "json").stdout)["brand_new"] == {"a": 1}
    assert yaml.safe_load(nexus("vm", "show", "web-1", "-o", "yaml").stdout)["brand_new"] == {"a": 1}


def test_an_empty_list_says_so_on_stderr_and_prints_nothing(nexus: Run, stub: StubManager) -> None:
    stub.have()
    listed = nexus("vm", "list")
    assert (listed.exit_code, listed.stdout) == (0, "")
    assert "nexus vm create" in listed.stderr
    assert json.loads(nexus("vm", "list", "-o", "json").stdout) == []


def test_list_passes_its_filters_on(nexus: Run, stub: StubManager) -> None:
    stub.have()
    nexus("vm", "list", "-q", "web", "--state", "running", "--tag", "blue", "--sort=-name", "--limit", "7")
    assert stub.asked("GET", "/v1/vms")[-1].query == {
        "q": "web", "state": "running", "tag": "blue", "sort": "-name", "limit": "7",
    }  # fmt: skip


def test_list_follows_the_cursor_to_the_end(nexus: Run, stub: StubManager) -> None:
    stub.on("GET", "/v1/vms", {"items": [vm(1)], "next_cursor": "more"}, {"items": [vm(2)], "next_cursor": None})
    assert len(json.loads(nexus("vm", "list", "-o", "json").stdout)) == 2
    assert stub.asked("GET", "/v1/vms")[-1].query["cursor"] == "more"


def test_a_wrong_name_is_answered_with_the_nearest_ones(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1), vm(2))
    shown = nexus("vm", "show", "wbe-1")
    assert shown.exit_code == 1
    assert "There is no VM 'wbe-1'." in shown.stderr
    assert "Did you mean web-1" in shown.stderr


def test_an_id_is_as_good_as_a_name(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1))
    assert nexus("vm", "show", uuid_of(1)).exit_code == 0
    assert not stub.asked("GET", "/v1/vms")


def test_create_waits_and_tells_the_stages_and_the_ways_in(nexus: Run, stub: StubManager) -> None:
    stub.on("POST", "/v1/vms", {"id": uuid_of(1), "operation_id": OPERATION})
    stub.have(vm(1))
    running = [operation("running", stage=stage) for stage in ("fetching image", "booting", "booting")]
    stub.on("GET", f"/v1/operations/{OPERATION}", *({"item": one} for one in (*running, operation())))
    created = nexus("vm", "create", "web-1")
    assert created.exit_code == 0
    assert created.stdout == ""
    assert created.stderr.splitlines()[:2] == ["Creating web-1: fetching image", "Creating web-1: booting"]
    assert "nexus vm shell web-1" in created.stderr


def test_create_sends_only_what_was_said(nexus: Run, stub: StubManager, tmp_path: Path) -> None:
    stub.on("POST", "/v1/vms", {"id": uuid_of(1), "operation_id": None})
    stub.have(vm(1, state="stopped"))
    key = tmp_path / "id.pub"
    key.write_text("# mine\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@here\n")
    nexus("vm", "create", "web-1")
    nexus(
        "vm", "create", "web-1", "--vcpu", "2", "--memory", "1G", "--disk", "10G", "--tag", "a", "--tag", "b",
        "--ssh-key", str(key), "--username", "ann", "--password-stdin", "--no-start", input="s3cret\n",
    )  # fmt: skip
    plain, full = stub.asked("POST", "/v1/vms")
    assert plain.body == {"name": "web-1"}
    assert full.body == {
        "name": "web-1", "vcpu": 2, "mem_mib": 1024, "disk_size_bytes": 10 << 30, "tags": ["a", "b"], "username": "ann",
        "password": "s3cret", "ssh_authorized_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@here"], "start": False,
    }  # fmt: skip
    assert plain.headers["idempotency-key"] != full.headers["idempotency-key"]


def test_a_private_key_never_leaves_the_machine(nexus: Run, stub: StubManager, tmp_path: Path) -> None:
    key = tmp_path / "id"
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n")
    created = nexus("vm", "create", "web-1", "--ssh-key", str(key))
    assert created.exit_code == 2
    assert "holds no public key" in created.stderr
    assert not stub.seen


@pytest.mark.parametrize("size", ["lots", "0", "1.0001M"])
def test_a_wrong_size_is_a_usage_error(nexus: Run, stub: StubManager, size: str) -> None:
    created = nexus("vm", "create", "web-1", "--memory", size)
    assert created.exit_code == 2
    assert "512M" in created.stderr


def test_create_without_waiting_gives_the_operation(nexus: Run, stub: StubManager) -> None:
    stub.on("POST", "/v1/vms", {"id": uuid_of(1), "operation_id": OPERATION})
    created = nexus("vm", "create", "web-1", "--no-wait", "-o", "json")
    assert json.loads(created.stdout) == {"id": uuid_of(1), "name": "web-1", "operation_id": OPERATION}
    assert f"nexus operation watch {OPERATION}" in created.stderr
    assert not stub.asked("GET", f"/v1/operations/{OPERATION}")


@pytest.mark.parametrize("verb", ["start", "stop", "pause", "resume", "reboot"])
def test_a_verb_waits_for_its_operation(nexus: Run, stub: StubManager, verb: str) -> None:
    stub.have(vm(1))
    accept(stub, "POST", f"/v1/vms/{uuid_of(1)}/{verb}", operation("running", stage="working"), operation())
    done = nexus("vm", verb, "web-1")
    assert done.exit_code == 0
    assert len(stub.asked("GET", f"/v1/operations/{OPERATION}")) == 2
    assert "web-1 is " in done.stderr


def test_stop_passes_its_grace_on(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1))
    accept(stub, "POST", f"/v1/vms/{uuid_of(1)}/stop")
    nexus("vm", "stop", "web-1", "--grace", "0")
    assert stub.asked("POST", f"/v1/vms/{uuid_of(1)}/stop")[0].body == {"grace_s": 0}


def test_a_failed_operation_fails_the_command_with_its_own_words(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1))
    error = {
        "error": "Cannot start web-1: its image is damaged.", "suggestion": "Import it again.", "status": 502,
        "code": "agent_trouble", "request_id": "req-9",
    }  # fmt: skip
    accept(stub, "POST", f"/v1/vms/{uuid_of(1)}/start", operation("failed", error=error))
    started = nexus("vm", "start", "web-1")
    assert started.exit_code == 1
    assert started.stderr.splitlines() == [
        "Error: Cannot start web-1: its image is damaged.", "Import it again.", "(request req-9)",
    ]  # fmt: skip


def test_a_superseded_operation_is_no_success(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1))
    accept(stub, "POST", f"/v1/vms/{uuid_of(1)}/start", operation("superseded"))
    started = nexus("vm", "start", "web-1")
    assert started.exit_code == 1
    assert "overtaken" in started.stderr


def test_a_timeout_leaves_the_operation_going_and_says_how_to_watch_it(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1))
    accept(stub, "POST", f"/v1/vms/{uuid_of(1)}/start", operation("running"))
    started = nexus("vm", "start", "web-1", "--timeout", "0")
    assert started.exit_code == 1
    assert f"nexus operation watch {OPERATION}" in started.stderr


def test_one_refusal_among_several_does_not_keep_the_rest_from_being_done(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1), vm(2))
    stub.on("POST", f"/v1/vms/{uuid_of(1)}/stop", problem(409, "Cannot stop web-1: it is off."))
    accept(stub, "POST", f"/v1/vms/{uuid_of(2)}/stop")
    stopped = nexus("vm", "stop", "web-1", "web-2")
    assert stopped.exit_code == 1
    assert "Cannot stop web-1" in stopped.stderr
    assert "web-2 is stopped" in stopped.stderr


def test_nothing_is_done_if_one_of_the_names_is_wrong(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1))
    assert nexus("vm", "delete", "web-1", "web-9").exit_code == 1
    assert not stub.asked("DELETE", f"/v1/vms/{uuid_of(1)}")


def test_delete_in_a_script_does_not_ask(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1))
    accept(stub, "DELETE", f"/v1/vms/{uuid_of(1)}")
    deleted = nexus("vm", "delete", "web-1")
    assert deleted.exit_code == 0
    assert "web-1 is deleted." in deleted.stderr


def test_edit_sends_only_the_changes(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1))
    stub.on("PATCH", f"/v1/vms/{uuid_of(1)}", {"ok": True})
    assert nexus("vm", "edit", "web-1", "--owner", "ann", "--no-tags").exit_code == 0
    assert nexus("vm", "rename", "web-1", "web-9").exit_code == 0
    assert [one.body for one in stub.asked("PATCH", f"/v1/vms/{uuid_of(1)}")] == [
        {"tags": [], "owner": "ann"},
        {"name": "web-9"},
    ]
    assert nexus("vm", "edit", "web-1").exit_code == 2


def test_credentials_are_shown_only_by_their_own_command(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1))
    stub.on("GET", f"/v1/vms/{uuid_of(1)}/shell", {"item": {"username": "root", "password": "hunter2"}})
    assert "hunter2" in nexus("vm", "credentials", "web-1").stdout
    assert "hunter2" not in nexus("vm", "show", "web-1", "-o", "json").stdout
