"""The table of Firecracker's API: every request of ours is held to it, and so is the simulator."""

import inspect
import json
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from tests.agent.vmm.firecracker.contract import Contract, Operation, Shape, load

from nexus.agent.vmm.firecracker import bodies
from nexus.agent.vmm.firecracker.api import FirecrackerApi
from nexus.agent.vmm.firecracker.bodies import Body
from nexus.agent.vmm.firecracker.connection import ApiConnection
from nexus.agent.vmm.firecracker.version import TESTED

sys.path.insert(0, str(Path(__file__).parent))
from simulator import AFTER, BEFORE, Machine, Refused

BUCKET = bodies.TokenBucket(size=1, refill_time=100, one_time_burst=2)
LIMITER = bodies.RateLimiter(bandwidth=BUCKET, ops=BUCKET)
GIVEN: dict[type, object] = {
    bodies.MachineConfig: bodies.MachineConfig(vcpu_count=2, mem_size_mib=256),
    bodies.MachineConfigUpdate: bodies.MachineConfigUpdate(vcpu_count=1),
    bodies.BootSource: bodies.BootSource(kernel_image_path="k", initrd_path="i", boot_args="a"),
    bodies.Logger: bodies.Logger(log_path="l", level="Info", show_level=True),
    bodies.Metrics: bodies.Metrics(metrics_path="m"),
    bodies.Serial: bodies.Serial(serial_out_path="s", rate_limiter=BUCKET),
    bodies.Entropy: bodies.Entropy(rate_limiter=LIMITER),
    bodies.Vsock: bodies.Vsock(guest_cid=3, uds_path="v"),
    bodies.Drive: bodies.Drive(
        drive_id="d",
        is_root_device=False,
        is_read_only=True,
        path_on_host="d",
        cache_type="Writeback",
        io_engine="Sync",
        rate_limiter=LIMITER,
    ),
    bodies.DriveUpdate: bodies.DriveUpdate(drive_id="d", path_on_host="d", rate_limiter=LIMITER),
    bodies.Pmem: bodies.Pmem(id="p", path_on_host="p"),
    bodies.PmemUpdate: bodies.PmemUpdate(id="p", rate_limiter=LIMITER),
    bodies.NetworkInterface: bodies.NetworkInterface(
        iface_id="e",
        host_dev_name="t",
        guest_mac="02:00:00:00:00:01",
        mtu=1500,
        rx_rate_limiter=LIMITER,
        tx_rate_limiter=LIMITER,
    ),
    bodies.NetworkInterfaceUpdate: bodies.NetworkInterfaceUpdate(
        iface_id="e", rx_rate_limiter=LIMITER, tx_rate_limiter=LIMITER
    ),
    bodies.Balloon: bodies.Balloon(amount_mib=0, deflate_on_oom=True, stats_polling_interval_s=1),
    bodies.BalloonUpdate: bodies.BalloonUpdate(amount_mib=1),
    bodies.BalloonStatsUpdate: bodies.BalloonStatsUpdate(stats_polling_interval_s=1),
    bodies.BalloonHintingStart: bodies.BalloonHintingStart(acknowledge_on_stop=True),
    bodies.MemoryHotplug: bodies.MemoryHotplug(total_size_mib=256, slot_size_mib=128, block_size_mib=2),
    bodies.MemoryHotplugUpdate: bodies.MemoryHotplugUpdate(requested_size_mib=128),
    bodies.MmdsConfig: bodies.MmdsConfig(network_interfaces=("e",), ipv4_address="169.254.169.254", imds_compat=True),
    bodies.Action: bodies.Action(action_type="InstanceStart"),
    bodies.VmState: bodies.VmState(state="Paused"),
    bodies.SnapshotCreate: bodies.SnapshotCreate(snapshot_path="s", mem_file_path="m", snapshot_type="Diff"),
    bodies.SnapshotLoad: bodies.SnapshotLoad(
        snapshot_path="s",
        mem_backend=bodies.MemoryBackend(backend_type="File", backend_path="m"),
        resume_vm=True,
        network_overrides=(bodies.NetworkOverride(iface_id="e", host_dev_name="t"),),
        vsock_override=bodies.VsockOverride(uds_path="v"),
        clock_realtime=True,
    ),
    bytes: b'{"kvm_capabilities": ["!121"]}',
}
"""A body of every kind that we send, with every field that it can have."""
SAMPLES: dict[str, Any] = {
    "string": "file",
    "integer": 64,
    "boolean": True,
    "array": [],
    "object": {},
}


class Recorder(ApiConnection):
    """Notes what is sent, and answers from the table's own types."""

    def __init__(self, table: Contract) -> None:
        super().__init__(lambda: pytest.fail("nothing is dialled"))
        self.table = table
        self.sent: dict[str, list[str]] = {}

    async def request(self, method: str, path: str, body: Body | bytes | None, *, patience_s: float | None) -> bytes:
        content = body.json_bytes() if isinstance(body, Body) else body
        found = self.table.find(method, path)
        assert found is not None, f"{method} {path} is not in the table"
        self.sent[found[0].name] = self.table.faults(method, path, json.loads(content) if content else None)
        shape = found[0].answers.get("200")
        return json.dumps(sample(self.table, shape) if shape is not None else None).encode()


def sample(table: Contract, shape: Shape, *, whole: bool = True) -> Any:
    """A good value; `whole`: with every field, else with those it must have."""
    shape = table.types[shape["ref"]] if "ref" in shape else shape
    if "enum" in shape:
        return shape["enum"][0]
    if shape["type"] == "object":
        names = shape.get("fields", {}) if whole else shape.get("required", [])
        return {name: sample(table, shape["fields"][name], whole=whole) for name in names}
    if shape["type"] == "integer":
        return min(max(SAMPLES["integer"], shape.get("minimum", 0)), shape.get("maximum", 1 << 31))
    return SAMPLES[shape["type"]]


def test_the_table_says_where_it_comes_from() -> None:
    assert load().version == str(TESTED)
    assert len(load().operations) == 38


async def test_every_operation_has_one_method_and_every_request_fits_the_table() -> None:
    table = load()
    recorder = Recorder(table)
    api = FirecrackerApi(recorder)
    methods = [each for name, each in inspect.getmembers(api, inspect.ismethod) if not name.startswith("_")]
    assert len(methods) == len(table.operations)
    for method in methods:
        wanted = inspect.signature(method, eval_str=True).parameters
        given = {name: GIVEN.get(each.annotation, 1.0) for name, each in wanted.items() if each.default is each.empty}
        await method(**given)
    assert recorder.sent == {name: [] for name in table.operations}


async def machine_in(phase: str) -> Machine:
    """A machine in the phase, with a device of every kind."""
    machine = Machine("m", {}, [])
    if phase == "fresh":
        return machine
    for name in ("file", "disk"):
        Path(name).write_bytes(bytes(512))
    await machine.take("PUT", "/boot-source", {"kernel_image_path": "file"})
    await machine.take("PUT", "/balloon", {"amount_mib": 0, "deflate_on_oom": True, "stats_polling_interval_s": 1,
                                           "free_page_hinting": True})  # fmt: skip
    await machine.take("PUT", "/drives/file", {"drive_id": "file", "is_root_device": False, "path_on_host": "disk"})
    await machine.take("PUT", "/pmem/file", {"id": "file", "path_on_host": "disk"})
    await machine.take("PUT", "/hotplug/memory", {"total_size_mib": 256})
    machine.nics["file"] = {"iface_id": "file", "host_dev_name": "tap"}
    if phase in ("after_boot", "paused"):
        await machine.take("PUT", "/actions", {"action_type": "InstanceStart"})
    if phase == "paused":
        await machine.take("PATCH", "/vm", {"state": "Paused"})
    return machine


def path_of(operation: Operation) -> tuple[str, str]:
    method, path = operation.name.split(" ")
    return method, path.replace("{drive_id}", "file").replace("{id}", "file").replace("{iface_id}", "file")


def body_of(operation: Operation, *, whole: bool = False) -> Any:
    if operation.body is None:
        return None
    body = sample(load(), operation.body, whole=whole)
    if operation.name == "PUT /snapshot/load":
        body |= {"mem_backend": {"backend_type": "File", "backend_path": "memory"}}
    if operation.name == "PUT /balloon":
        body |= {"amount_mib": 0}
    return body


OPERATIONS = [each for each in load().operations.values() if each.name != "PUT /network-interfaces/{iface_id}"]
"""But for the one that opens a TAP device: see test_wires."""


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
async def test_the_simulator_takes_what_the_table_takes_and_answers_with_its_types(
    operation: Operation, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(short_tmp)
    phase = "before_boot" if operation.phase in ("any", "by_action") else operation.phase
    machine = await machine_in(phase)
    if phase == "fresh":
        await write_snapshot()
    method, path = path_of(operation)
    body = body_of(operation)
    if operation.name == "PUT /actions":
        body = {"action_type": "InstanceStart"}
    if operation.name == "PUT /vsock":
        body |= {"uds_path": "v.sock"}
    status, answer = await machine.take(method, path, body)
    assert str(status) in operation.answers
    shape = operation.answers[str(status)]
    if shape is not None and operation.name != "GET /vm/config":
        assert load().misfits(answer, shape, "answer") == []


async def write_snapshot() -> None:
    """One of a machine without devices."""
    other = await machine_in("paused")
    other.drives.clear()
    other.nics.clear()
    body = {"snapshot_path": "file", "mem_file_path": "memory"}
    assert await other.take("PUT", "/snapshot/create", body) == (204, None)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
async def test_the_simulator_refuses_what_comes_at_the_wrong_time(
    operation: Operation, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(short_tmp)
    wrong = {
        "before_boot": [("after_boot", AFTER)],
        "fresh": [("after_boot", AFTER), ("before_boot", "not allowed after configuring")],
        "after_boot": [("before_boot", BEFORE)],
        "paused": [("before_boot", BEFORE), ("after_boot", "not paused")],
    }
    for phase, words in wrong.get(operation.phase, []):
        machine = await machine_in(phase)
        with pytest.raises(Refused, match=words.replace(".", r"\.")):
            await machine.take(*path_of(operation), body_of(operation))


@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if each.body is not None], ids=lambda each: each.name
)
async def test_the_simulator_refuses_what_does_not_fit_the_type(operation: Operation) -> None:
    assert operation.body is not None
    machine = Machine("m", {}, [])
    method, path = path_of(operation)
    whole = body_of(operation, whole=True)
    shape = load().types[operation.body["ref"]] if "ref" in operation.body else operation.body
    fields = cast(dict[str, Shape], shape.get("fields", {}))
    spoilt = [{**whole, name: object_of_another_kind(each)} for name, each in fields.items()]
    if not shape.get("open"):
        spoilt.append({**whole, "unheard_of": 1})
    if not operation.partial:
        spoilt += [
            {name: each for name, each in whole.items() if name != absent} for absent in shape.get("required", [])
        ]
    for body in spoilt:
        with pytest.raises(Refused, match="deserializing"):
            await machine.take(method, path, body)


def object_of_another_kind(shape: Shape) -> object:
    kind = load().types[shape["ref"]]["type"] if "ref" in shape else shape["type"]
    return 1 if kind == "string" else "text"


async def test_what_may_be_said_once_is_refused_twice(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(short_tmp)
    machine = Machine("m", {}, [])
    await machine.take("PUT", "/metrics", {"metrics_path": "metrics"})
    with pytest.raises(Refused, match="already initialized"):
        await machine.take("PUT", "/metrics", {"metrics_path": "metrics"})


async def test_a_full_pipe_loses_what_does_not_fit_and_counts_it(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Firecracker's sinks do (fact 16)."""
    import os

    monkeypatch.chdir(short_tmp)
    os.mkfifo("pipe")
    machine = Machine("m", {}, [])
    await machine.take("PUT", "/metrics", {"metrics_path": "pipe"})
    for _ in range(1000):
        machine.sinks.measure({"block": {"read_bytes": 1}})
    assert machine.sinks.missed_metrics_count > 0
