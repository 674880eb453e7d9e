"""Signing in and out, contexts, and where they are kept."""

import json
import stat
from pathlib import Path

import pytest
from tests.cli.harness import Run, Spawn
from tests.cli.stub_manager import StubManager, problem, uuid_of

UNSIGNED = {"NEXUS_TOKEN": "", "NEXUS_URL": ""}
USER = {"id": uuid_of(5), "username": "ann", "role": "admin"}


@pytest.fixture
def contexts_file(environment: dict[str, str]) -> Path:
    return Path(environment["NEXUS_CONFIG_DIR"]) / "contexts.json"


def accept_login(stub: StubManager) -> None:
    stub.on("POST", "/v1/auth/login", {"token": "fresh-token", "expires_at": "2027-01-01T00:00:00Z", "user": USER})


def test_login_keeps_the_session_privately(nexus: Run, stub: StubManager, contexts_file: Path) -> None:
    accept_login(stub)
    words = ("login", "--url", f"{stub.url}/", "--username", "ann", "--password-stdin", "--context", "lab")
    signed_in = nexus(*words, input="pa55\n", env=UNSIGNED)
    assert signed_in.exit_code == 0
    assert "as ann (admin)" in signed_in.stderr
    assert stub.asked("POST", "/v1/auth/login")[0].body == {"username": "ann", "password": "pa55"}
    assert json.loads(contexts_file.read_text()) == {
        "current": "lab",
        "contexts": {"lab": {"url": stub.url, "token": "fresh-token", "username": "ann"}},
    }
    assert stat.S_IMODE(contexts_file.stat().st_mode) == 0o600


def test_the_kept_session_is_used(nexus: Run, stub: StubManager) -> None:
    accept_login(stub)
    nexus("login", "--url", stub.url, "-u", "ann", "--password-stdin", input="x\n", env=UNSIGNED)
    stub.on("GET", "/v1/auth/me", {"item": USER})
    assert "ann" in nexus("whoami", env=UNSIGNED).stdout
    assert stub.asked("GET", "/v1/auth/me")[0].headers["authorization"] == "Bearer fresh-token"


def test_a_kept_token_is_never_sent_to_another_url(nexus: Run, stub: StubManager, contexts_file: Path) -> None:
    contexts_file.parent.mkdir()
    kept = {"url": "http://elsewhere:1", "token": "secret", "username": "ann"}
    contexts_file.write_text(json.dumps({"current": "local", "contexts": {"local": kept}}))
    assert nexus("vm", "list", env={"NEXUS_TOKEN": ""}).exit_code == 1
    assert "authorization" not in stub.seen[0].headers


def test_a_wrong_password_changes_nothing(nexus: Run, stub: StubManager, contexts_file: Path) -> None:
    stub.on("POST", "/v1/auth/login", problem(401, "Wrong name or password.", code="wrong_credentials"))
    refused = nexus("login", "--url", stub.url, "-u", "ann", "--password-stdin", input="x\n", env=UNSIGNED)
    assert refused.exit_code == 1
    assert "Wrong name or password." in refused.stderr
    assert not contexts_file.exists()


def test_login_without_a_terminal_or_a_password_is_refused(nexus: Run, stub: StubManager) -> None:
    assert nexus("login").exit_code == 2
    assert not stub.seen


def test_login_asks_at_a_terminal_and_does_not_echo_the_password(spawn: Spawn, stub: StubManager) -> None:
    accept_login(stub)
    terminal = spawn("login")
    terminal.expect(rb"User name \[.*\]: ")
    terminal.sendline(b"ann")
    terminal.expect(b"Password of ann: ")
    terminal.sendline(b"pa55word")
    terminal.expect(b"Signed in to")
    assert b"pa55word" not in (terminal.before or b"")
    assert stub.asked("POST", "/v1/auth/login")[0].body == {"username": "ann", "password": "pa55word"}


def test_logout_ends_the_session_there_and_here(nexus: Run, stub: StubManager, contexts_file: Path) -> None:
    accept_login(stub)
    nexus("login", "--url", stub.url, "-u", "ann", "--password-stdin", input="x\n", env=UNSIGNED)
    stub.on("POST", "/v1/auth/logout", {"ok": True})
    assert nexus("logout", env=UNSIGNED).exit_code == 0
    assert len(stub.asked("POST", "/v1/auth/logout")) == 1
    assert json.loads(contexts_file.read_text())["contexts"]["local"]["token"] is None
    assert "not signed in" in nexus("logout", env=UNSIGNED).stderr


def test_passwd_sends_old_and_new(nexus: Run, stub: StubManager) -> None:
    stub.on("PUT", "/v1/auth/password", {"ok": True})
    assert nexus("passwd", input="old\nnew\n").exit_code == 0
    assert stub.seen[-1].body == {"current_password": "old", "new_password": "new"}


def test_contexts_are_listed_and_chosen(nexus: Run, stub: StubManager) -> None:
    accept_login(stub)
    for name in ("lab", "work"):
        nexus("login", "--url", stub.url, "-u", "ann", "--password-stdin", "--context", name, input="x\n", env=UNSIGNED)
    nexus("context", "use", "lab")
    listed = json.loads(nexus("context", "list", "-o", "json").stdout)
    assert [(one["name"], one["current"], one["signed_in"]) for one in listed] == [
        ("lab", True, True),
        ("work", False, True),
    ]
    assert "fresh-token" not in nexus("context", "list", "-o", "json").stdout
    refused = nexus("context", "use", "wrok")
    assert refused.exit_code == 125
    assert "lab, work" in refused.stderr


def test_a_damaged_file_is_named(nexus: Run, contexts_file: Path) -> None:
    contexts_file.parent.mkdir()
    contexts_file.write_text("{")
    refused = nexus("vm", "list")
    assert refused.exit_code == 125
    assert str(contexts_file) in refused.stderr
