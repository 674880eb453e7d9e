"""What `nexus vm config`, `configure`, `balloon`, `metadata` and `user-data` ask of the manager and tell the person."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.harness import Golden, Run, vm
from tests.cli.stub_manager import StubManager, problem, uuid_of

pytestmark = pytest.mark.timeout(60)
VM = f"/v1/vms/{uuid_of(1)}"
STATISTICS: dict[str, Any] = {
    "target_mib": 256, "actual_mib": 255, "target_pages": 65536, "actual_pages": 65280, "swap_in": None,
    "swap_out": None, "major_faults": 12, "minor_faults": 3, "free_memory": 64 << 20, "total_memory": 200 << 20,
    "available_memory": None, "disk_caches": None, "hugetlb_allocations": None, "hugetlb_failures": None,
}  # fmt: skip
SETTINGS: dict[str, dict[str, Any]] = {
    "machine-config": {"vcpu": 2, "mem_mib": 1024, "running_vcpu": 1, "running_mem_mib": 1024},
    "boot-source": {"kernel": "linux", "initrd": "initramfs", "guest_agent": True, "boot_args": None},
    "balloon": {"amount_mib": 128, "deflate_on_oom": True, "stats_polling_interval_s": 0},
    "entropy": {"rate_limiter": {"bandwidth": {"size": 1024, "refill_time": 100}}},
    "serial": {"log_limit_bytes": None},
    "logger": {"level": None},
    "cpu-config": {"cpu_config": None},
    "vsock": {"guest_cid": None},
    "guest-ip": {"ip": "10.213.0.2", "running_ip": "10.213.0.2"},
}


@pytest.fixture(autouse=True)
def one_vm(stub: StubManager) -> None:
    stub.have(vm(1, pending_changes=["vcpus"]))
    for name, item in SETTINGS.items():
        stub.on("GET", f"{VM}/{name}", {"item": item})


def changes(stub: StubManager, method: str, path: str, applied: str | None = "next_start") -> None:
    stub.on(method, f"{VM}/{path}", {"ok": True, "operation_id": None, "applied": applied, "pending_changes": []})


def test_config_shows_what_runs_and_what_waits(nexus: Run, stub: StubManager, golden: Golden) -> None:
    shown = nexus("vm", "config", "web-1")
    assert shown.exit_code == 0, shown.stderr
    golden("vm-config.txt", shown.stdout)
    assert json.loads(nexus("vm", "config", "web-1", "-o", "json").stdout)["pending_changes"] == ["vcpus"]


def test_configure_asks_for_each_thing_and_says_when(nexus: Run, stub: StubManager) -> None:
    for method, path in (("PATCH", "machine-config"), ("PATCH", "boot-source"), ("PUT", "entropy"), ("PUT", "serial")):
        changes(stub, method, path, "now" if path == "serial" else "next_start")
    done = nexus(
        *("vm", "configure", "web-1", "--vcpu", "4", "--memory", "2G", "--boot-args", "", "--initrd", "mine"),
        *("--no-guest-agent", "--entropy-limit", "64K", "--console-log", "0"),
    )
    assert done.exit_code == 0, done.stderr
    assert stub.asked("PATCH", f"{VM}/machine-config")[-1].body == {"vcpu": 4, "mem_mib": 2048}
    assert stub.asked("PATCH", f"{VM}/boot-source")[-1].body == {
        "initrd": "mine",
        "guest_agent": False,
        "boot_args": None,
    }
    limiter = {"bandwidth": {"size": 65536, "refill_time": 1000}}
    assert stub.asked("PUT", f"{VM}/entropy")[-1].body == {"rate_limiter": limiter}
    assert stub.asked("PUT", f"{VM}/serial")[-1].body == {"log_limit_bytes": None}
    assert "Its size is set. web-1 has it after its next start: nexus vm reboot web-1" in done.stderr
    assert "Its console's log is set. web-1 has it now." in done.stderr
    assert done.stdout == ""


def test_configure_gives_programs_one_document(nexus: Run, stub: StubManager) -> None:
    changes(stub, "PATCH", "machine-config")
    changes(stub, "POST", "guest-ip")
    done = nexus("vm", "configure", "web-1", "--vcpu", "2", "--address", "10.213.0.9", "-o", "json")
    assert [one["applied"] for one in json.loads(done.stdout)] == ["next_start", "next_start"]
    assert stub.asked("POST", f"{VM}/guest-ip")[-1].body == {"ip": "10.213.0.9"}


def test_configure_says_what_was_changed_before_something_was_refused(nexus: Run, stub: StubManager) -> None:
    changes(stub, "PATCH", "machine-config")
    stub.on("POST", f"{VM}/guest-ip", problem(422, "Cannot use address 10.0.0.1: somebody has it."))
    done = nexus("vm", "configure", "web-1", "--vcpu", "4", "--address", "10.0.0.1")
    assert done.exit_code == 1
    assert "Its size is set." in done.stderr
    assert "somebody has it" in done.stderr


def test_configure_sends_nothing_when_a_word_of_it_is_wrong(nexus: Run, stub: StubManager) -> None:
    done = nexus("vm", "configure", "web-1", "--vcpu", "4", "--console-log", "lots")
    assert done.exit_code == 2
    assert stub.asked("PATCH", f"{VM}/machine-config") == []


def test_configure_without_anything_to_change_says_so(nexus: Run) -> None:
    done = nexus("vm", "configure", "web-1")
    assert done.exit_code == 2
    assert "Nothing to change." in done.stderr


def test_what_a_host_does_not_offer_is_told(nexus: Run, stub: StubManager) -> None:
    refusal = problem(409, "Cannot change a device of web-1: its host, lab-1, cannot limit that.", code="not_offered")
    stub.on("PUT", f"{VM}/entropy", refusal)
    done = nexus("vm", "configure", "web-1", "--entropy-limit", "1K")
    assert done.exit_code == 1
    assert "its host, lab-1, cannot limit that" in done.stderr


def test_balloon_shows_how_far_it_is(nexus: Run, stub: StubManager, golden: Golden) -> None:
    stub.on("GET", f"{VM}/balloon/statistics", {"item": STATISTICS})
    golden("vm-balloon.txt", nexus("vm", "balloon", "web-1").stdout)


def test_balloon_changes_what_is_said_and_keeps_the_rest(nexus: Run, stub: StubManager) -> None:
    changes(stub, "PUT", "balloon", "now")
    done = nexus("vm", "balloon", "web-1", "0", "--stats-every", "5")
    assert "The balloon is set. web-1 has it now." in done.stderr
    wanted = {"amount_mib": 0, "deflate_on_oom": True, "stats_polling_interval_s": 5}
    assert stub.asked("PUT", f"{VM}/balloon")[-1].body == wanted


def test_metadata_is_shown_set_merged_guarded_and_removed(nexus: Run, stub: StubManager, tmp_path: Path) -> None:
    config = {"version": "V1", "ipv4_address": "169.254.169.254", "imds_compat": False}
    stub.on("GET", f"{VM}/mmds", {"item": {"data": {"role": "db"}, "config": config}})
    assert json.loads(nexus("vm", "metadata", "web-1").stdout)["data"] == {"role": "db"}
    file = tmp_path / "metadata.json"
    file.write_text('{"role": "web"}')
    for method, path in (("PUT", "mmds"), ("PATCH", "mmds"), ("PUT", "mmds/config"), ("DELETE", "mmds")):
        changes(stub, method, path, "now")
    assert "Its metadata is set. web-1 has it now." in nexus("vm", "metadata", "web-1", "--set", str(file)).stderr
    assert nexus("vm", "metadata", "web-1", "--merge", "-", input='{"zone": null}').exit_code == 0
    assert nexus("vm", "metadata", "web-1", "--token-needed").exit_code == 0
    assert nexus("vm", "metadata", "web-1", "--remove").exit_code == 0
    assert stub.asked("PUT", f"{VM}/mmds")[-1].body == {"role": "web"}
    assert stub.asked("PATCH", f"{VM}/mmds")[-1].body == {"zone": None}
    assert stub.asked("PUT", f"{VM}/mmds/config")[-1].body == config | {"version": "V2"}
    assert stub.asked("DELETE", f"{VM}/mmds")


def test_what_is_no_json_object_is_not_sent(nexus: Run, stub: StubManager, tmp_path: Path) -> None:
    for number, text in enumerate(("[1]", "{", "\xff")):
        file = tmp_path / str(number)
        file.write_text(text)
        assert nexus("vm", "metadata", "web-1", "--set", str(file)).exit_code == 2
    assert nexus("vm", "metadata", "web-1", "--set", "nowhere").exit_code == 2
    assert nexus("vm", "metadata", "web-1", "--set", "a", "--remove").exit_code == 2
    assert not stub.asked("PUT", f"{VM}/mmds")


def test_user_data_is_shown_set_and_removed(nexus: Run, stub: StubManager) -> None:
    stub.on("GET", f"{VM}/user-data", {"item": {"user_data": "#cloud-config\n"}})
    assert nexus("vm", "user-data", "web-1").stdout == "#cloud-config\n"
    changes(stub, "PUT", "user-data")
    changes(stub, "DELETE", "user-data", "now")
    assert nexus("vm", "user-data", "web-1", "--set", "-", input="#!/bin/sh\n").exit_code == 0
    assert stub.asked("PUT", f"{VM}/user-data")[-1].body == {"user_data": "#!/bin/sh\n"}
    assert nexus("vm", "user-data", "web-1", "--remove").exit_code == 0
