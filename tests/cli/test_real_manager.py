"""The CLI against the real manager and agent, with the fake hypervisor: that both speak of the same things."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.installation import Installation, installed

from nexus.local.images import Store


@pytest.fixture(scope="module")
def site(session_tmp: Path, built_images: Store) -> Iterator[Installation]:
    home = session_tmp / "cli"
    home.mkdir(mode=0o711)
    with installed(home, built_images, AGENT_VMM="fake") as site:
        yield site


def test_a_vm_lives_and_dies(site: Installation) -> None:
    created = site.nexus("vm", "create", "web-1", "--memory", "256M", "--tag", "web", "--owner", "ann", "-o", "json")
    assert created.returncode == 0, created.stderr.decode()
    vm = json.loads(created.stdout)
    assert (vm["state"], vm["guest"], vm["mem_mib"], vm["owner"]) == ("running", "ready", 256, "ann")
    assert b"nexus vm shell web-1" in created.stderr
    assert "web-1" in site.done("vm", "list", "--tag", "web", "--state", "running")
    assert site.done("vm", "list", "--tag", "nothing", "-o", "json") == "[]\n"
    for verb, state in (("pause", "paused"), ("resume", "running"), ("reboot", "running"), ("stop", "stopped")):
        [now] = json.loads(site.done("vm", verb, "web-1", "-o", "json"))
        assert now["state"] == state
    assert "vCPUs" in site.done("vm", "show", vm["id"])
    site.done("vm", "rename", "web-1", "web-2")
    site.done("vm", "edit", "web-2", "--description", "Back end", "--no-tags")
    assert "Back end" in site.done("vm", "show", "web-2")
    site.done("vm", "start", "web-2")
    assert "Host CPU" in site.done("vm", "metrics", "web-2")
    site.done("vm", "console", "web-2")
    assert "root" in site.done("vm", "credentials", "web-2")
    site.done("vm", "delete", "web-2")
    assert site.done("vm", "list", "-o", "json") == "[]\n"


def test_several_at_once(site: Installation) -> None:
    for name in ("one", "two"):
        site.done("vm", "create", name, "--no-start", "--memory", "128")
    site.done("vm", "start", "one", "two")
    again = site.nexus("vm", "start", "one", "two")
    assert again.returncode == 1
    assert again.stderr.count(b"already running") == 2
    site.done("vm", "delete", "one", "two")


def test_refusals_come_with_their_suggestion_and_request(site: Installation) -> None:
    refused = site.nexus("vm", "create", "web-9", "--image", "no-such-image")
    assert refused.returncode == 1
    assert b"no-such-image" in refused.stderr
    assert b"(request " in refused.stderr
    mistyped = site.nexus("vm", "exec", "wbe", "--", "true")
    assert mistyped.returncode == 125


def test_a_session_can_be_ended_and_begun(site: Installation) -> None:
    assert "root" in site.done("whoami")
    site.done("logout")
    assert site.nexus("vm", "list").returncode == 1
    assert b"nexus login" in site.nexus("vm", "list").stderr
    assert site.nexus("login", "-u", "root", "--password-stdin", input=b"wrong\n").returncode == 1
    site.done("login", "-u", "root", "--password-stdin", input=b"root\n")
    site.done("passwd", input=b"root\nbetter than that\n")
    assert "root" in site.done("whoami")


def test_images_hosts_operations_and_events_are_shown(site: Installation, tmp_path: Path) -> None:
    images = json.loads(site.done("image", "list", "-o", "json"))
    assert {image["kind"] for image in images} >= {"kernel", "initramfs", "rootfs"}
    assert "SHA-256" in site.done("image", "show", images[0]["id"])
    [host] = json.loads(site.done("host", "list", "-o", "json"))
    assert "reserved" in site.done("host", "show", host["name"])
    site.done("vm", "create", "seen", "--no-start")
    [operation] = json.loads(site.done("operation", "list", "--limit", "1", "-o", "json"))
    assert (operation["verb"], operation["subject_name"]) == ("create", "seen")
    assert "done" in site.done("operation", "show", operation["id"])
    site.done("operation", "watch", operation["id"])
    told = site.on_terminal("events", "--since", "0", "--type", "vm.", cols=200)
    told.expect(b"vm.created")
    told.sendintr()
    told.wait()
    assert told.exitstatus == 130
    site.done("vm", "delete", "seen")


def test_a_vm_is_kept_gone_back_to_cloned_and_suspended(site: Installation) -> None:
    site.done("vm", "create", "past")
    site.done("snapshot", "create", "past", "--name", "kept")
    assert "kept *" in site.done("snapshot", "tree", "past")
    site.done("snapshot", "rollback", "kept")
    copies = json.loads(site.done("vm", "clone", "past", "copy", "--count", "2", "-o", "json"))
    assert [vm["name"] for vm in copies] == ["copy-1", "copy-2"]
    assert json.loads(site.done("vm", "suspend", "past", "-o", "json"))["state"] == "suspended"
    site.done("vm", "resume", "past")
    site.done("snapshot", "restore", "kept", "copy-3")
    site.done("snapshot", "delete", "kept")
    site.done("vm", "delete", "past", "copy-1", "copy-2", "copy-3")


def test_a_key_is_kept_and_let_into_a_vm(site: Installation, tmp_path: Path) -> None:
    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMXbtoBB6AYAk/gwvtR3xz+cBBr51pvlcBqrx3q1gGad ann@laptop"
    (tmp_path / "laptop.pub").write_text(f"{line}\n")
    key = json.loads(site.done("ssh-key", "add", str(tmp_path / "laptop.pub"), "-o", "json"))
    assert key["fingerprint"] in site.done("ssh-key", "list")
    again = site.nexus("ssh-key", "add", str(tmp_path / "laptop.pub"), "--name", "same")
    assert again.returncode == 1
    assert b"as laptop" in again.stderr
    site.done("ssh-key", "rename", "laptop", "ann")
    unknown = site.nexus("vm", "create", "keyed", "--ssh-key", "laptop")
    assert unknown.returncode == 1
    assert b"nexus ssh-key list" in unknown.stderr
    vm = json.loads(site.done("vm", "create", "keyed", "--no-start", "--ssh-key", "ann", "-o", "json"))
    assert vm["ssh_authorized_keys"] == [line]
    site.done("ssh-key", "delete", "ann")
    assert site.done("ssh-key", "list", "-o", "json") == "[]\n"
    site.done("vm", "delete", "keyed")
