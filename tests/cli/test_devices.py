"""`nexus vm drive`, `nexus vm nic`: what is asked of the manager, what is said of its answers, how rates are read."""

import json
from typing import Any

import pytest
from tests.cli.harness import Golden, Run, Spawn, ago, vm
from tests.cli.stub_manager import StubManager, uuid_of

from nexus.cli import rates
from nexus.cli.completing import preset_names
from nexus.client.models import Bucket

VM = vm()
DRIVES, NICS = f"/v1/vms/{VM['id']}/drives", f"/v1/vms/{VM['id']}/nics"
BUCKET = {"size": 5_000_000, "refill_time": 100, "one_time_burst": None}


def drive(drive_id: str = "data", **fields: Any) -> dict[str, Any]:
    return {
        "id": uuid_of(601),
        "vm_id": VM["id"],
        "drive_id": drive_id,
        "role": "data",
        "is_root_device": False,
        "is_read_only": False,
        "path_on_host": None,
        "image_id": None,
        "image": None,
        "format": "ext4",
        "size_bytes": 10 << 30,
        "cache_type": "Writeback",
        "io_engine": "Sync",
        "rate_limiter": None,
        "is_pending": False,
        "created_at": ago(hours=1),
        "updated_at": ago(hours=1),
    } | fields


def nic(iface_id: str = "eth1", **fields: Any) -> dict[str, Any]:
    return {
        "id": uuid_of(701),
        "vm_id": VM["id"],
        "iface_id": iface_id,
        "host_dev_name": "nxabcdefghijklm",
        "guest_mac": "02:00:00:00:00:2a",
        "network_id": uuid_of(702),
        "network": "default",
        "address": "10.213.0.9",
        "rx_rate_limiter": None,
        "tx_rate_limiter": None,
        "is_pending": False,
        "created_at": ago(hours=1),
        "updated_at": ago(hours=1),
    } | fields


def changed(body: dict[str, Any], applied: str | None = "now") -> dict[str, Any]:
    return body | {"ok": True, "operation_id": None, "applied": applied, "pending_changes": []}


@pytest.fixture
def manager(stub: StubManager) -> StubManager:
    """A manager that has one VM with two drives and two NICs."""
    stub.have(VM)
    limited = drive(
        rate_limiter={"bandwidth": BUCKET, "ops": {"size": 500, "refill_time": 1000, "one_time_burst": None}},
        is_pending=True,
    )
    root = drive("root", id=uuid_of(600), role="root", is_read_only=True, image="debian-12", format="squashfs")
    stub.on("GET", DRIVES, {"items": [root, limited], "next_cursor": None})
    stub.on("GET", f"{DRIVES}/data", {"item": limited})
    slow = nic(rx_rate_limiter={"bandwidth": {"size": 1_250_000, "refill_time": 100, "one_time_burst": None}})
    stub.on("GET", NICS, {"items": [nic("eth0", id=uuid_of(700)), slow], "next_cursor": None})
    stub.on("GET", f"{NICS}/eth1", {"item": slow})
    preset = {"name": "slow", "device": "drive", "description": "10 MB/s", "rate_limiter": {"bandwidth": BUCKET}}
    stub.on("GET", "/v1/rate-limiter-presets", {"items": [preset], "next_cursor": None})
    return stub


def test_drives_and_nics_are_listed(nexus: Run, manager: StubManager, golden: Golden) -> None:
    golden("vm-drive-list.txt", nexus("vm", "drive", "list", "web-1").stdout)
    golden("vm-nic-list.txt", nexus("vm", "nic", "list", "web-1").stdout)
    assert len(json.loads(nexus("vm", "drive", "list", "web-1", "-o", "json").stdout)) == 2


def test_a_drive_is_added_with_what_was_said_and_nothing_else(nexus: Run, manager: StubManager) -> None:
    manager.on("POST", DRIVES, changed(drive()))
    added = nexus("vm", "drive", "add", "web-1", "data", "--size", "10G")
    assert manager.asked("POST", DRIVES)[-1].body == {"drive_id": "data", "size_bytes": 10 << 30}
    assert added.stderr == "Drive data (10 GiB) is added. web-1 has it now.\n"
    words = ("--image", "set-1", "--read-only", "--cache", "unsafe", "--io-engine", "async", "--bandwidth", "50MB/s")
    nexus("vm", "drive", "add", "web-1", "data", *words)
    assert manager.asked("POST", DRIVES)[-1].body == {
        "drive_id": "data",
        "image": "set-1",
        "is_read_only": True,
        "cache_type": "Unsafe",
        "io_engine": "Async",
        "rate_limiter": {"bandwidth": {"size": 5_000_000, "refill_time": 100}},
    }


def test_a_change_that_waits_for_a_start_says_so(nexus: Run, manager: StubManager) -> None:
    manager.on("PATCH", f"{DRIVES}/data", changed(drive(), "next_start"))
    waiting = nexus("vm", "drive", "set", "web-1", "data", "--cache", "unsafe")
    assert "after its next start: nexus vm reboot web-1" in waiting.stderr
    manager.on("PATCH", f"{DRIVES}/data", changed(drive(), None))
    assert "has not said when" in nexus("vm", "drive", "set", "web-1", "data", "--cache", "unsafe").stderr
    assert "resize2fs" in nexus("vm", "drive", "set", "web-1", "data", "--size", "20G").stderr
    nothing = nexus("vm", "drive", "set", "web-1", "data")
    assert (nothing.exit_code, "Nothing to change." in nothing.stderr) == (2, True)


def test_limits_come_by_number_by_name_or_go(nexus: Run, manager: StubManager) -> None:
    manager.on("PATCH", f"{DRIVES}/data", changed(drive(rate_limiter={"bandwidth": BUCKET, "ops": None})))
    path = f"{DRIVES}/data"
    said = nexus("vm", "drive", "limit", "web-1", "data", "--bandwidth", "50MB/s", "--ops", "500")
    assert manager.asked("PATCH", path)[-1].body == {
        "rate_limiter": {
            "bandwidth": {"size": 5_000_000, "refill_time": 100},
            "ops": {"size": 500, "refill_time": 1000},
        }
    }
    assert "limited to 50 MB/s" in said.stderr
    nexus("vm", "drive", "limit", "web-1", "data", "--preset", "slow")
    assert manager.asked("PATCH", path)[-1].body == {"rate_limiter": {"bandwidth": BUCKET}}
    nexus("vm", "drive", "limit", "web-1", "data", "--none")
    assert manager.asked("PATCH", path)[-1].body == {"rate_limiter": None}
    unknown = nexus("vm", "drive", "limit", "web-1", "data", "--preset", "fast")
    assert (unknown.exit_code, "slow: 10 MB/s" in unknown.stderr) == (1, True)
    for words in (("--none", "--preset", "slow"), ("--bandwidth", "50"), ("--burst", "1M"), ("--bandwidth", "0MB/s")):
        assert nexus("vm", "drive", "limit", "web-1", "data", *words).exit_code == 2, words


def test_each_direction_of_a_nic_is_limited_by_itself(nexus: Run, manager: StubManager) -> None:
    path = f"{NICS}/eth1"
    manager.on("PATCH", path, changed(nic()))
    said = nexus("vm", "nic", "limit", "web-1", "eth1", "--tx", "100Mbit/s")
    assert manager.asked("PATCH", path)[-1].body == {
        "tx_rate_limiter": {"bandwidth": {"size": 1_250_000, "refill_time": 100}}
    }
    assert "rx not limited, tx not limited" in said.stderr
    nexus("vm", "nic", "limit", "web-1", "eth1", "--none")
    assert manager.asked("PATCH", path)[-1].body == {"rx_rate_limiter": None, "tx_rate_limiter": None}
    manager.on("POST", NICS, changed(nic(), "next_start"))
    added = nexus("vm", "nic", "add", "web-1", "eth1", "--mac", "02:00:00:00:00:2a", "--rx", "10Mbit/s")
    assert manager.asked("POST", NICS)[-1].body == {
        "iface_id": "eth1",
        "guest_mac": "02:00:00:00:00:2a",
        "rx_rate_limiter": {"bandwidth": {"size": 125_000, "refill_time": 100}},
    }
    assert "after its next start" in added.stderr


def test_a_person_is_asked_before_data_goes(nexus: Run, spawn: Spawn, manager: StubManager) -> None:
    path = f"{DRIVES}/{uuid_of(601)}"
    manager.on("DELETE", path, {"ok": True, "operation_id": None, "applied": "next_start", "data": "deleted"})
    asked = spawn("vm", "drive", "remove", "web-1", "data")
    asked.expect_exact("Remove drive data of web-1? What is on it is lost for good. [y/N]")
    asked.sendline("n")
    asked.expect_exact("Nothing was removed.")
    assert manager.asked("DELETE", path) == []
    removed = nexus("vm", "drive", "remove", "--yes", "web-1", "data")
    assert "its data is deleted" in removed.stderr
    assert "until its next start" in removed.stderr
    manager.on("DELETE", f"{NICS}/{uuid_of(701)}", {"ok": True, "operation_id": None, "applied": "now"})
    assert nexus("vm", "nic", "remove", "-y", "web-1", "eth1").stderr == "NIC eth1 is removed.\n"


def test_presets_are_completed(nexus: Run, manager: StubManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_URL", manager.url)
    monkeypatch.setenv("NEXUS_TOKEN", "any")
    assert preset_names("drive")("s") == ["slow"]
    assert preset_names("nic")("s") == []


@pytest.mark.parametrize(
    ("text", "bytes_per_second"),
    [
        ("50MB/s", 50_000_000),
        ("50 MBps", 50_000_000),
        ("10MiB/s", 10 << 20),
        ("100Mbit/s", 12_500_000),
        ("1gbit", 125_000_000),
        ("1.5GB/s", 1_500_000_000),
        ("512kB/s", 512_000),
    ],
)
def test_a_rate_is_read_as_it_is_written(text: str, bytes_per_second: int) -> None:
    assert rates.parse_rate(text) == bytes_per_second


@pytest.mark.parametrize("text", ["", "50", "50M", "50Mb/s", "fast", "-1MB/s", "1e9B/s", "50MB/min"])
def test_what_is_no_rate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="Write it like"):
        rates.parse_rate(text)


@pytest.mark.parametrize(("per_second", "burst"), [(1, None), (999, None), (1000, None), (10**9, None), (10**6, 10**8)])
def test_a_bucket_lets_pass_what_was_asked_for(per_second: int, burst: int | None) -> None:
    made = rates.bucket(per_second, burst=burst)
    assert made["size"] * 1000 / made["refill_time"] == pytest.approx(per_second, rel=0.001)
    assert burst is None or made["size"] == burst


def test_limits_are_told_in_the_units_of_their_device() -> None:
    bucket = Bucket(size=1_250_000, refill_time=100, one_time_burst=None)
    assert rates.bits_per_second(bucket) == "100 Mbit/s"
    assert rates.bytes_per_second(bucket) == "12.5 MB/s"
    assert rates.times_per_second(Bucket(size=500, refill_time=1000, one_time_burst=None)) == "500/s"
