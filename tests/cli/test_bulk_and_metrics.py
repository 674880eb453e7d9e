"""`nexus vm bulk`, `vm top`, and use over time."""

import json
from typing import Any

from tests.cli.harness import Golden, Run, Spawn, operation, vm
from tests.cli.stub_manager import StubManager, uuid_of

PATH = "/v1/vms/bulk"
AT = "2026-01-02T03:04:05Z"


def bulk(*statuses: str) -> dict[str, Any]:
    refusal = {"error": "Cannot stop web-2: it is off.", "status": 409, "code": "vm_state_conflict"}
    items = [
        {
            "vm_id": uuid_of(number),
            "name": f"web-{number}",
            "status": status,
            "operation_id": None,
            "error": refusal if status == "failed" else None,
        }
        for number, status in enumerate(statuses, start=1)
    ]
    return {"id": uuid_of(701), "verb": "stop", "total": len(items), "items": items, "created_at": AT}


def ends(stub: StubManager, *statuses: str) -> None:
    """A bulk, asked for and over."""
    ended = operation("failed" if "failed" in statuses else "done")
    waiting = bulk(*("waiting" for _ in statuses))
    stub.on("POST", PATH, {"ok": True, "operation_id": ended["id"], "bulk": waiting})
    stub.on("GET", f"/v1/operations/{ended['id']}", {"item": ended})
    stub.on("GET", f"{PATH}/{uuid_of(701)}", {"item": bulk(*statuses)})


def test_a_bulk_tells_what_became_of_each(nexus: Run, stub: StubManager, golden: Golden) -> None:
    ends(stub, "done", "failed", "unchanged")
    told = nexus("vm", "bulk", "stop", "--tag", "blue", "--state", "running", "--grace", "5")
    golden("vm-bulk.txt", told.stdout)
    assert (told.exit_code, "1 of 3 VMs did not stop" in told.stderr) == (1, True)
    [asked] = stub.asked("POST", PATH)
    assert asked.body == {"verb": "stop", "filter": {"state": ["running"], "tag": ["blue"]}, "grace_s": 5}
    assert asked.headers["idempotency-key"]


def test_a_bulk_takes_names_or_a_filter(nexus: Run, stub: StubManager) -> None:
    stub.have(vm(1), vm(2))
    ends(stub, "done", "done")
    assert nexus("vm", "bulk", "start", "web-1", "web-2", "-o", "json").exit_code == 0
    assert stub.asked("POST", PATH)[0].body == {"verb": "start", "ids": [uuid_of(1), uuid_of(2)]}
    assert nexus("vm", "bulk", "start").exit_code == 2
    assert nexus("vm", "bulk", "start", "web-1", "--tag", "a").exit_code == 2
    assert nexus("vm", "bulk", "explode", "web-1").exit_code == 2
    assert len(stub.asked("POST", PATH)) == 1


def test_a_bulk_of_deletions_asks_at_a_terminal(spawn: Spawn, stub: StubManager) -> None:
    ends(stub, "done")
    terminal = spawn("vm", "bulk", "delete", "--tag", "blue")
    terminal.expect_exact(b"Delete all of these VMs (tag blue), with what is on their disks?")
    terminal.sendline("n")
    terminal.expect(b"Nothing was deleted")
    terminal.wait()
    assert (terminal.exitstatus, stub.asked("POST", PATH)) == (1, [])


USAGE = {
    "at": AT,
    "cpu_usage_percent": 87.25,
    "memory_usage_percent": 50.0,
    "memory_used_kb": 256 << 10,
    "memory_total_kb": 512 << 10,
    "network_in_bytes_per_s": 1536.0,
    "network_out_bytes_per_s": None,
    "disk_read_bytes_per_s": 0.0,
    "disk_write_bytes_per_s": 4096.0,
    "source": "guest",
}


def test_top_shows_who_is_busiest(nexus: Run, spawn: Spawn, stub: StubManager, golden: Golden) -> None:
    stub.have(vm(1, usage=USAGE), vm(2, usage=None))
    golden("vm-top.txt", nexus("vm", "top", "--once").stdout)
    assert stub.asked("GET", "/v1/vms")[0].query["sort"] == "-cpu"
    assert json.loads(nexus("vm", "top", "--by", "memory", "-o", "json").stdout)[0]["usage"] == USAGE
    assert stub.asked("GET", "/v1/vms")[-1].query["sort"] == "-memory"
    terminal = spawn("vm", "top", "--interval", "1", cols=140)
    for _ in range(2):
        terminal.expect(b"busiest first")
        terminal.expect(b"web-1 .*87.2 %")
    terminal.sendintr()
    terminal.wait()
    assert terminal.exitstatus == 130


POINT = {name: value for name, value in USAGE.items() if name != "at"} | {
    "at": "2026-01-02T03:00:00+00:00",
    "covered_s": 900.0,
    "cpu_usage_percent_max": 99.0,
    "storage_used_bytes": 1 << 30,
    "storage_total_bytes": 4 << 30,
}
HISTORY = {"from": "2026-01-01T03:00:00Z", "to": "2026-01-02T03:15:00Z", "step_s": 900, "points": [POINT]}


def test_use_over_time_is_a_table_or_the_whole_answer(nexus: Run, stub: StubManager, golden: Golden) -> None:
    stub.have(vm(1))
    path = f"/v1/metrics/vms/{uuid_of(1)}"
    stub.on("GET", path, HISTORY)
    golden("vm-history.txt", nexus("vm", "metrics", "web-1", "--since", "24h", "--step", "15m").stdout)
    [asked] = stub.asked("GET", path)
    assert asked.query["step"] == "900"
    assert asked.query["from"].endswith("+00:00")
    told = json.loads(nexus("vm", "metrics", "web-1", "--since", "7d", "-o", "json").stdout)
    assert (told["step_s"], told["from"], told["points"][0]["cpu_usage_percent"]) == (900, HISTORY["from"], 87.25)
    for wrong in ("yesterday", "0m", "5", "-1h"):
        assert nexus("vm", "metrics", "web-1", "--since", wrong).exit_code == 2
