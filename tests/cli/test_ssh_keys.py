"""`nexus ssh-key`, and keys of new VMs: what is asked of the manager, and what never is."""

import json
from pathlib import Path

import pytest
from tests.cli.harness import Golden, Run, Spawn, ago, vm
from tests.cli.stub_manager import StubManager, problem, uuid_of

from nexus.cli.completing import ssh_keys_and_files

PATH = "/v1/ssh-keys"
LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMXbtoBB6AYAk/gwvtR3xz+cBBr51pvlcBqrx3q1gGad ada@laptop"
KEY = {
    "id": uuid_of(501),
    "name": "laptop",
    "type": "ssh-ed25519",
    "bits": 256,
    "comment": "ada@laptop",
    "fingerprint": "SHA256:2Yn7Y4+0QcRo40GUGP+SfCmo2lAwCgrtfShVha+DofQ",
    "public_key": LINE,
    "created_by_user_id": uuid_of(1),
    "created_at": ago(days=3, minutes=1),
    "updated_at": ago(days=3),
}


@pytest.fixture
def keys(stub: StubManager) -> StubManager:
    """A manager that has one key."""
    stub.on("GET", PATH, {"items": [KEY], "next_cursor": None})
    stub.on("GET", f"{PATH}/{KEY['id']}", {"item": KEY})
    return stub


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "work.pub"
    file.write_text(f"# mine\n{LINE}\n")
    return file


def test_keys_are_listed_and_shown(nexus: Run, keys: StubManager, golden: Golden) -> None:
    golden("ssh-key-list.txt", nexus("ssh-key", "list").stdout)
    golden("ssh-key-show.txt", nexus("ssh-key", "show", "laptop").stdout)
    nexus("ssh-key", "list", "-q", "lap")
    assert keys.seen[-1].query["q"] == "lap"
    missing = nexus("ssh-key", "show", "labtop")
    assert missing.exit_code == 1
    assert "Did you mean laptop?" in missing.stderr
    assert "`nexus ssh-key list`" in nexus("ssh-key", "show", "zzz").stderr


def test_a_key_is_added_under_its_files_name_or_another(nexus: Run, keys: StubManager, file: Path) -> None:
    keys.on("POST", PATH, {"id": KEY["id"], "operation_id": None})
    added = nexus("ssh-key", "add", str(file), "-o", "json")
    assert json.loads(added.stdout)["fingerprint"] == KEY["fingerprint"]
    assert "--ssh-key laptop" in added.stderr
    nexus("ssh-key", "add", str(file), "--name", "desk")
    nexus("ssh-key", "add", "-", "--name", "agent", input=f"{LINE}\n")
    assert [one.body for one in keys.asked("POST", PATH)] == [
        {"name": name, "public_key": LINE} for name in ("work", "desk", "agent")
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n", "holds no public key"),
        ("", "holds no public key"),
        (f"{LINE}\n{LINE} again\n", "holds 2 keys"),
    ],
)
def test_what_is_not_one_public_key_stays_on_this_machine(
    nexus: Run, keys: StubManager, tmp_path: Path, content: str, told: str
) -> None:
    (tmp_path / "id").write_text(content)
    added = nexus("ssh-key", "add", str(tmp_path / "id"))
    assert (added.exit_code, told in added.stderr) == (2, True)
    assert "c2VjcmV0" not in added.output
    assert nexus("ssh-key", "add", str(tmp_path / "nothing")).exit_code == 2
    assert nexus("ssh-key", "add", "-", input=LINE).exit_code == 2, "no name"
    assert not keys.seen


def test_a_key_is_renamed(nexus: Run, keys: StubManager) -> None:
    keys.on("PATCH", f"{PATH}/{KEY['id']}", {"ok": True})
    assert nexus("ssh-key", "rename", "laptop", "old").exit_code == 0
    assert keys.asked("PATCH", f"{PATH}/{KEY['id']}")[0].body == {"name": "old"}


def test_keys_are_deleted_and_one_that_is_refused_is_told(nexus: Run, keys: StubManager) -> None:
    other = KEY | {"id": uuid_of(502), "name": "old"}
    keys.on("GET", PATH, {"items": [KEY, other], "next_cursor": None})
    keys.on("DELETE", f"{PATH}/{uuid_of(501)}", problem(404, "There is no such SSH key."))
    keys.on("DELETE", f"{PATH}/{uuid_of(502)}", {"ok": True})
    deleted = nexus("ssh-key", "delete", "laptop", "old")
    assert deleted.exit_code == 1
    assert "old is deleted." in deleted.stderr
    assert "no such SSH key" in deleted.stderr


def test_at_a_terminal_it_asks_before_it_deletes(spawn: Spawn, keys: StubManager) -> None:
    asked = spawn("ssh-key", "delete", "laptop")
    asked.expect_exact("Delete laptop? [y/N]")
    asked.sendline("n")
    asked.expect_exact("Nothing was deleted.")
    asked.wait()
    assert asked.exitstatus == 1
    assert not keys.asked("DELETE", f"{PATH}/{KEY['id']}")


def test_a_new_vm_takes_names_and_files(nexus: Run, keys: StubManager, file: Path) -> None:
    keys.on("POST", "/v1/vms", {"id": uuid_of(1), "operation_id": None})
    keys.have(vm(1, state="stopped"))
    words = ("--ssh-key", "laptop", "--ssh-key", str(file), "--ssh-key", str(KEY["id"]))
    assert nexus("vm", "create", "web-1", *words).exit_code == 0
    body = keys.asked("POST", "/v1/vms")[0].body
    assert body == {"name": "web-1", "ssh_keys": ["laptop", KEY["id"]], "ssh_authorized_keys": [LINE]}


def test_names_and_files_are_completed(
    keys: StubManager, file: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (file.parent / "id").write_text("private")
    (file.parent / "wide").mkdir()
    assert ssh_keys_and_files("la") == ["laptop"]
    assert ssh_keys_and_files("x") == []
    assert ssh_keys_and_files(f"{file.parent}/w") == [f"{file.parent}/wide/", str(file)]
    assert ssh_keys_and_files("/no/such/place/x") == []
