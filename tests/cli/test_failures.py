"""How things that go wrong are told, and the exit codes."""

from pathlib import Path

import pytest
from tests.cli.harness import Process, Run, operation, vm
from tests.cli.stub_manager import StubManager, problem, uuid_of

from nexus.cli import main

CLOSED_PORT = "http://127.0.0.1:9"


def test_a_refusal_shows_sentence_suggestion_and_request_id(nexus: Run, stub: StubManager) -> None:
    refusal = problem(503, "No host has room for web-1.", suggestion="Stop a VM.", fault_message="lab-1: 12 of 16 GiB")
    stub.on("POST", "/v1/vms", refusal)
    created = nexus("vm", "create", "web-1")
    assert created.exit_code == 1
    assert created.stderr.splitlines() == [
        "Error: No host has room for web-1.",
        "Stop a VM.",
        "(lab-1: 12 of 16 GiB)",
        "(request req-7)",
    ]


def test_a_refused_value_is_told_in_one_line(nexus: Run, stub: StubManager) -> None:
    refusal = problem(422, "name: must be short.", code="invalid_field", fault_message="in the request's body")
    stub.on("POST", "/v1/vms", refusal)
    created = nexus("vm", "create", "web-1")
    assert (created.exit_code, created.stderr) == (1, "Error: name: must be short.\n")


def test_without_a_session_it_says_how_to_sign_in(nexus: Run, stub: StubManager) -> None:
    listed = nexus("vm", "list", env={"NEXUS_TOKEN": ""})
    assert listed.exit_code == 1
    assert "Sign in with `nexus login`." in listed.stderr


@pytest.mark.parametrize("words", [("vm", "list"), ("vm", "exec", "web-1", "--", "true"), ("vm", "shell", "web-1")])
def test_without_a_manager_it_says_how_to_start_one(nexus: Run, words: tuple[str, ...]) -> None:
    listed = nexus(*words, env={"NEXUS_URL": CLOSED_PORT})
    assert listed.exit_code == 125
    assert f"Cannot reach the manager at {CLOSED_PORT}: connection refused." in listed.stderr
    assert "make up" in listed.stderr
    assert "nexus up" in listed.stderr


def test_something_else_at_the_port_is_recognised(nexus: Run, stub: StubManager) -> None:
    stub.on("GET", "/v1/vms", {"hello": "I am a printer"})
    listed = nexus("vm", "list")
    assert listed.exit_code == 125
    assert "not as a Nexus manager" in listed.stderr


@pytest.mark.parametrize(
    "words", [("vm", "frobnicate"), ("vm", "list", "--nope"), ("vm", "list", "-o", "xml"), ("vm", "create")]
)
def test_a_wrong_command_line_is_2(nexus: Run, words: tuple[str, ...]) -> None:
    assert nexus(*words).exit_code == 2


def test_a_mistyped_command_is_answered_with_the_nearest(nexus: Run) -> None:
    assert "Did you mean 'list'" in nexus("vm", "lst").stderr


def test_every_failure_of_exec_itself_is_125(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1))
    executed = nexus("vm", "exec", "web-7", "--", "true")
    assert executed.exit_code == 125
    assert "There is no VM 'web-7'." in executed.stderr


def test_a_bug_is_told_in_a_sentence_and_traced_only_on_demand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_options: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(main, "app", broken)
    monkeypatch.setattr("sys.argv", ["nexus", "vm", "list"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 125
    assert "this is a bug in nexus: ZeroDivisionError: division by zero" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["nexus", "vm", "list", "--debug"])
    with pytest.raises(ZeroDivisionError):
        main.main()


def test_debug_shows_calls_as_curl_without_the_secrets(process: Process, stub: StubManager) -> None:
    stub.on("POST", "/v1/vms", {"id": uuid_of(1), "operation_id": uuid_of(900)})
    stub.on("GET", f"/v1/operations/{uuid_of(900)}", {"item": operation()})
    stub.have(vm(1))
    words = ("vm", "create", "web-1", "--password-stdin", "--debug")
    created = process(*words, input=b"hunter2\n")
    calls = [line for line in created.stderr.decode().splitlines() if line.startswith("+ curl")]
    assert len(calls) == 3
    assert calls[0].startswith(f'+ curl -X POST {stub.url}/v1/vms -H "Authorization: Bearer $NEXUS_TOKEN"')
    assert b"hunter2" not in created.stderr
    assert b"t0ken" not in created.stderr


def test_debug_shows_what_was_sent_even_where_it_names_a_command(process: Process, stub: StubManager) -> None:
    stub.on("POST", "/v1/vms", {"id": uuid_of(1), "operation_id": None})
    stub.have(vm(1))
    words = ("vm", "create", "web-1", "--description", "try nexus vm list", "--debug")
    told = process(*words, env={"NEXUS_COMMAND": "./nexus"}).stderr.decode()
    assert "try nexus vm list" in told
    assert "./nexus vm shell web-1" in told


def test_debug_shows_nothing_of_what_a_vm_is_told_in_confidence(
    process: Process, stub: StubManager, tmp_path: Path
) -> None:
    stub.have(vm(1))
    done: dict[str, object] = {"ok": True, "operation_id": None, "applied": "now", "pending_changes": []}
    for path in ("user-data", "mmds"):
        stub.on("PUT", f"/v1/vms/{uuid_of(1)}/{path}", done)
    script, tree = tmp_path / "user-data", tmp_path / "tree.json"
    script.write_text("password: hunter2")
    tree.write_text('{"token": {"of": "hunter2"}}')
    for words in (("user-data", "web-1", "--set", str(script)), ("metadata", "web-1", "--set", str(tree))):
        told = process("vm", *words, "--debug")
        assert told.returncode == 0, told.stderr
        assert b"+ curl -X PUT" in told.stderr
        assert b"hunter2" not in told.stderr


def test_no_colour_reaches_a_pipe(process: Process, stub: StubManager) -> None:
    stub.have(vm(1))
    listed = process("vm", "list")
    assert listed.returncode == 0
    assert b"running" in listed.stdout
    assert b"\x1b" not in listed.stdout + listed.stderr


def test_control_characters_in_names_and_texts_do_not_reach_the_terminal(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1, description="\x1b]0;owned\x07"))
    shown = nexus("vm", "show", "web-1")
    assert "]0;owned" in shown.stdout
    assert "\x1b" not in shown.stdout
