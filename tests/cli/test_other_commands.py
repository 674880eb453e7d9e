"""Images, hosts, operations, events, metrics, console, version, completion."""

import hashlib
import json
from pathlib import Path

import pytest
from starlette.responses import Response
from starlette.websockets import WebSocket
from tests.cli.harness import Golden, Process, Run, Spawn, ago, operation, vm
from tests.cli.stub_manager import StubManager, problem, uuid_of

IMAGE = {
    "id": uuid_of(102),
    "kind": "rootfs",
    "name": "debian-12",
    "description": "Debian",
    "format": "squashfs",
    "sha256": "ab" * 32,
    "size_bytes": 44_040_192,
    "path": "/srv/images/ab",
    "is_default": True,
    "created_at": ago(days=9, minutes=1),
    "updated_at": ago(days=9),
}
AMOUNTS = {"vcpus": 8, "memory_mib": 15_872, "disk_bytes": 200 << 30}
HOST = {
    "id": uuid_of(201),
    "name": "lab-1",
    "state": "online",
    "is_cordoned": False,
    "address": "unix:/run/nexus/agent.sock",
    "vmm": "qemu",
    "vmm_version": "7.2.0",
    "acceleration": "kvm",
    "why_vmm": "KVM works, Firecracker is not installed.",
    "offers": ["bridge", "pause"],
    "agent_version": "0.1.0",
    **AMOUNTS,
    "usage": None,
    "last_seen_at": ago(hours=2, minutes=1),
    "silent_since": None,
    "abandoned_at": None,
    "operation_id": None,
    "created_at": ago(days=1),
    "updated_at": ago(days=1),
}


def test_images_are_listed(nexus: Run, stub: StubManager, golden: Golden) -> None:
    kernel = IMAGE | {"id": uuid_of(103), "name": "linux-6.1", "kind": "kernel", "format": "elf", "is_default": False}
    stub.on("GET", "/v1/images", {"items": [IMAGE, kernel], "next_cursor": None})
    golden("image-list.txt", nexus("image", "list").stdout)
    nexus("image", "list", "--kind", "kernel")
    assert stub.seen[-1].query["kind"] == "kernel"


def test_a_name_that_two_kinds_share_is_not_guessed(nexus: Run, stub: StubManager) -> None:
    twin = IMAGE | {"id": uuid_of(103), "kind": "kernel"}
    stub.on("GET", "/v1/images", {"items": [IMAGE, twin], "next_cursor": None})
    shown = nexus("image", "show", "debian-12")
    assert shown.exit_code == 1
    assert "could be 2 images" in shown.stderr
    assert uuid_of(103) in shown.stderr


def test_an_image_in_use_is_not_deleted(nexus: Run, stub: StubManager) -> None:
    stub.on("GET", "/v1/images", {"items": [IMAGE], "next_cursor": None})
    stub.on("DELETE", f"/v1/images/{uuid_of(102)}", problem(409, "Cannot delete debian-12: web-1 uses it."))
    deleted = nexus("image", "delete", "debian-12")
    assert deleted.exit_code == 1
    assert "web-1 uses it" in deleted.stderr


def test_import_copies_the_file_under_its_digest_and_registers_it(
    nexus: Run, stub: StubManager, tmp_path: Path
) -> None:
    (tmp_path / "data" / "images").mkdir(parents=True)
    content = b"\x7fELF" * 1000
    (tmp_path / "vmlinux.elf").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    stub.on("GET", "/v1/images", {"items": [], "next_cursor": None})
    stub.on("POST", "/v1/images", {"id": uuid_of(104), "operation_id": None})
    stub.on("GET", f"/v1/images/{uuid_of(104)}", {"item": IMAGE})
    words = ("image", "import", str(tmp_path / "vmlinux.elf"), "--kind", "kernel")
    imported = nexus(*words, env={"NEXUS_DATA_DIR": str(tmp_path / "data")})
    assert imported.exit_code == 0
    copy = tmp_path / "data" / "images" / sha256
    assert copy.read_bytes() == content
    assert stub.asked("POST", "/v1/images")[0].body == {
        "kind": "kernel",
        "name": "vmlinux",
        "description": "",
        "sha256": sha256,
        "size": len(content),
        "host_path": str(copy),
    }


def test_an_import_that_is_refused_leaves_no_file(nexus: Run, stub: StubManager, tmp_path: Path) -> None:
    images = tmp_path / "data" / "images"
    images.mkdir(parents=True)
    (tmp_path / "x.raw").write_bytes(b"x")
    stub.on("GET", "/v1/images", {"items": [], "next_cursor": None})
    stub.on("POST", "/v1/images", problem(422, "It is no root file system."))
    words = ("image", "import", str(tmp_path / "x.raw"), "--kind", "rootfs")
    refused = nexus(*words, env={"NEXUS_DATA_DIR": str(tmp_path / "data")})
    assert refused.exit_code == 1
    assert list(images.iterdir()) == []


def test_import_away_from_the_manager_is_refused(nexus: Run, stub: StubManager, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    words = ("image", "import", str(tmp_path / "x"), "--kind", "data")
    refused = nexus(*words, env={"NEXUS_DATA_DIR": str(tmp_path / "nowhere")})
    assert refused.exit_code == 125
    assert "on the manager's machine" in refused.stderr


def test_hosts_are_listed_and_shown(nexus: Run, stub: StubManager, golden: Golden) -> None:
    stub.on("GET", "/v1/hosts", {"items": [HOST], "next_cursor": None})
    detail = HOST | {"capacity": AMOUNTS, "reserved": {"vcpus": 1, "memory_mib": 512, "disk_bytes": 4 << 30}}
    stub.on("GET", f"/v1/hosts/{uuid_of(201)}", {"item": detail})
    golden("host-list.txt", nexus("host", "list").stdout)
    golden("host-show.txt", nexus("host", "show", "lab-1").stdout)


def test_operations_are_listed_and_shown(nexus: Run, stub: StubManager, golden: Golden) -> None:
    error = {"error": "No room.", "suggestion": "Stop a VM.", "status": 503, "code": "no_capacity"}
    failed = operation("failed", number=901, error=error)
    taken = operation("done", number=902, verb="create") | {"subject_kind": "snapshot", "subject_name": "nightly"}
    listed = [operation("running", stage="booting"), taken, failed]
    stub.on("GET", "/v1/operations", {"items": listed, "next_cursor": None})
    stub.on("GET", f"/v1/operations/{uuid_of(901)}", {"item": failed})
    golden("operation-list.txt", nexus("operation", "list").stdout)
    golden("operation-show.txt", nexus("operation", "show", uuid_of(901)).stdout)
    stub.have(vm(1))
    nexus("operation", "list", "--vm", "web-1", "--status", "failed")
    asked = {"vm_id": uuid_of(1), "status": "failed", "limit": "20"}
    assert stub.asked("GET", "/v1/operations")[-1].query == asked


def test_watching_an_operation_fails_as_it_does(nexus: Run, stub: StubManager) -> None:
    error = {"error": "No room.", "suggestion": None, "status": 503, "code": "no_capacity"}
    states = [operation("running"), operation("running"), operation("failed", error=error)]
    stub.on("GET", f"/v1/operations/{uuid_of(900)}", *({"item": one} for one in states))
    watched = nexus("operation", "watch", uuid_of(900))
    assert watched.exit_code == 1
    assert "No room." in watched.stderr


def test_ctrl_c_while_waiting_leaves_the_operation_going(spawn: Spawn, stub: StubManager) -> None:
    stub.have(vm(1))
    stub.on("POST", f"/v1/vms/{uuid_of(1)}/start", {"ok": True, "operation_id": uuid_of(900)})
    stub.on("GET", f"/v1/operations/{uuid_of(900)}", {"item": operation("running", stage="booting")})
    terminal = spawn("vm", "start", "web-1", cols=120)
    terminal.expect(b"Starting web-1: booting")
    terminal.sendintr()
    terminal.expect(f"nexus operation watch {uuid_of(900)}".encode())
    terminal.wait()
    assert terminal.exitstatus == 130


def test_a_terminal_is_asked_before_a_vm_is_deleted(spawn: Spawn, stub: StubManager) -> None:
    stub.have(vm(1))
    stub.on("DELETE", f"/v1/vms/{uuid_of(1)}", {"ok": True, "operation_id": None})
    for answer, is_deleted in ((b"", False), (b"no", False), (b"y", True)):
        terminal = spawn("vm", "delete", "web-1", cols=120)
        terminal.expect(rb"Delete web-1\? What is on the disks is lost\. \[y/N\]")
        terminal.sendline(answer)
        terminal.expect(b"is deleted" if is_deleted else b"Nothing was deleted")
        terminal.wait()
        assert bool(stub.asked("DELETE", f"/v1/vms/{uuid_of(1)}")) is is_deleted
        assert terminal.exitstatus == (0 if is_deleted else 1)
    terminal = spawn("vm", "delete", "-y", "web-1")
    terminal.expect(b"web-1 is deleted")


def test_the_console_is_printed_byte_by_byte_to_its_end(process: Process, stub: StubManager) -> None:
    stub.have(vm(1))
    chunks = [(0, b"\x1b[0mboot\r\n\xff"), (11, b"login: ")]
    answers = [
        Response(data, headers={"Nexus-Offset": str(offset), "Nexus-Size": "18"}, media_type="text/plain")
        for offset, data in chunks
    ]
    stub.on("GET", f"/v1/vms/{uuid_of(1)}/console", *answers)
    assert process("vm", "console", "web-1").stdout == b"\x1b[0mboot\r\n\xfflogin: "
    assert [one.query["offset"] for one in stub.asked("GET", f"/v1/vms/{uuid_of(1)}/console")] == ["0", "11"]


SAMPLE = {
    "at": "2026-01-02T03:04:05Z",
    "cpu_usage_percent": 3.0,
    "memory_usage_percent": 20.0,
    "memory_used_kb": 100_000,
    "memory_total_kb": 500_000,
    "network_in_bytes": 5 << 20,
    "network_in_bytes_per_s": 2048.0,
    "disk_read_bytes": 1 << 20,
    "disk_write_bytes": 2 << 20,
    "sources": {
        "cpu_usage_percent": "guest",
        "memory_used_kb": "guest",
        "network_in_bytes": "guest",
        "disk_read_bytes": "host",
        "disk_write_bytes": "host",
    },
    "host": {
        "cpu_seconds": 4.2,
        "cpu_percent": 12.34,
        "memory_rss_kib": 200_000,
        "disk_read_bytes": 1 << 20,
        "disk_written_bytes": 2 << 20,
        "net_received_bytes": None,
        "net_sent_bytes": None,
    },
    "guest": {
        "cpu_percent": 3.0,
        "memory_total_kib": 500_000,
        "memory_available_kib": 400_000,
        "load_1": 0.1,
        "load_5": 0.2,
        "load_15": 0.3,
        "processes": 41,
        "root_total_bytes": 4 << 30,
        "root_free_bytes": 3 << 30,
    },
}


def test_metrics_are_shown_once_or_followed(nexus: Run, process: Process, stub: StubManager, golden: Golden) -> None:
    stub.have(vm(1))
    stub.on("GET", f"/v1/vms/{uuid_of(1)}/metrics", {"item": SAMPLE})
    golden("vm-metrics.txt", nexus("vm", "metrics", "web-1").stdout)

    async def two(socket: WebSocket) -> None:
        for _ in range(2):
            await socket.send_json(SAMPLE | {"guest": None})
        await socket.close()

    stub.talk(f"/v1/vms/{uuid_of(1)}/metrics/ws", two)
    followed = process("vm", "metrics", "--watch", "web-1", "-o", "json")
    assert [json.loads(line)["host"]["cpu_percent"] for line in followed.stdout.splitlines()] == [12.34, 12.34]


def test_events_go_on_where_a_lost_connection_broke(spawn: Spawn, stub: StubManager) -> None:
    async def one_each(socket: WebSocket) -> None:
        since = int(socket.query_params.get("since", 4))
        await socket.send_json({"type": "hello", "seq": since, "why": None})
        event = {"type": "vm.created", "seq": since + 1, "at": "2026-01-02T03:04:05Z", "subject_kind": "vm"}
        await socket.send_json(event | {"subject_id": uuid_of(1), "data": {"name": "web-1"}})

    stub.talk("/v1/events", one_each)
    terminal = spawn("events", "--type", "vm.", cols=140)
    for seq in (b"5", b"6"):
        terminal.expect(b"03:04:05  " + seq + b"  vm.created  .*name=web-1")
    assert stub.asked("WS", "/v1/events")[0].query == {"type": "vm."}
    terminal.sendintr()
    terminal.wait()
    assert terminal.exitstatus == 130


def test_the_version_is_told_with_and_without_a_manager(nexus: Run, stub: StubManager) -> None:
    stub.on("GET", "/health", {"status": "ok", "version": "9.9"})
    assert json.loads(nexus("version", "-o", "json").stdout)["manager"] == "9.9"
    away = nexus("version", env={"NEXUS_URL": "http://127.0.0.1:9"})
    assert (away.exit_code, "not reachable" in away.stdout) == (0, True)
    assert nexus("--version").stdout.startswith("nexus ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(nexus: Run, shell: str) -> None:
    assert "_NEXUS_COMPLETE" in nexus("completion", shell).stdout


def test_completion_offers_the_vms_there_are(process: Process, stub: StubManager) -> None:
    stub.have(vm(1), vm(2), vm(3, name="db-1"))
    words = {"_NEXUS_COMPLETE": "complete_bash", "COMP_WORDS": "nexus vm show web", "COMP_CWORD": "3"}
    assert process(env=words).stdout.split() == [b"web-1", b"web-2"]


def test_completion_is_silent_without_a_manager(process: Process) -> None:
    words = {"_NEXUS_COMPLETE": "complete_bash", "COMP_WORDS": "nexus vm show web", "COMP_CWORD": "3"}
    done = process(env=words | {"NEXUS_URL": "http://127.0.0.1:9"})
    assert (done.stdout.strip(), done.stderr) == (b"", b"")
