"""The client against the manager's own OpenAPI description: every path, parameter, body field and model field that the
client relies on must be there.

Each method is called for real, with every argument it takes, against a transport that answers nothing useful and writes
down what was asked. So a method that is added here without an entry fails as well.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any, Literal
from uuid import UUID

import httpx
import pytest

from nexus.client import models
from nexus.client.api import Client
from nexus.client.errors import ClientError
from nexus.client.transport import Transport
from nexus.manager.app import endpoints_of
from nexus.manager.wiring import describe

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ID = UUID("0192f0c1-0000-7000-8000-000000000001")
VM_SPEC: dict[str, object] = {
    "name": "web-1", "vcpu": 1, "mem_mib": 512, "image": "a", "kernel": "b", "disk_size_bytes": 1, "username": "root",
    "password": "x", "ssh_authorized_keys": [], "ssh_keys": [], "description": "", "tags": [], "environment": "",
    "owner": "", "boot_args": "", "restart_policy": "always", "needs": [], "start": False,
}  # fmt: skip
VM_CHANGES: dict[str, object] = {
    "name": "web-2", "description": "", "tags": [], "environment": "", "owner": "", "restart_policy": "never",
}  # fmt: skip
DRIVE_SPEC: dict[str, object] = {
    "drive_id": "data", "size_bytes": 1, "image": "a", "path_on_host": "/a", "is_read_only": False, "format": "raw",
    "cache_type": "Unsafe", "io_engine": "Sync", "rate_limiter": None,
}  # fmt: skip
DRIVE_CHANGES: dict[str, object] = {
    "size_bytes": 1, "path_on_host": "/a", "cache_type": "Unsafe", "io_engine": "Sync", "rate_limiter": None,
}  # fmt: skip
NIC_SPEC: dict[str, object] = {
    "iface_id": "eth1", "network": "a", "guest_mac": "b", "rx_rate_limiter": None, "tx_rate_limiter": None,
}  # fmt: skip
IMAGE_SPEC = {
    "kind": "rootfs",
    "name": "a",
    "description": "",
    "sha256": "",
    "size": 1,
    "host_path": "",
    "is_default": True,
}


def _entered(context: AbstractContextManager[object]) -> None:
    with context:
        pass


SETTINGS: dict[Any, dict[str, object]] = {
    "machine-config": {"vcpu": 1, "mem_mib": 512},
    "boot-source": {"kernel": "a", "initrd": "b", "guest_agent": True, "boot_args": "c"},
    "cpu-config": {"cpu_config": None},
    "vsock": {"guest_cid": 3},
    "entropy": {"rate_limiter": None},
    "serial": {"log_limit_bytes": None},
    "logger": {"level": "Info"},
    "balloon": {"amount_mib": 1, "deflate_on_oom": True, "stats_polling_interval_s": 0},
    "mmds": {},
    "mmds/config": {"version": "V2", "ipv4_address": "169.254.169.254", "imds_compat": False},
    "user-data": {"user_data": "#!"},
}
READABLE: tuple[Any, ...] = (
    *("machine-config", "boot-source", "cpu-config", "vsock", "entropy", "serial", "logger", "balloon"),
    *("balloon/statistics", "guest-ip", "mmds", "user-data"),
)
PATCHES: dict[Any, dict[str, object]] = {
    "machine-config": {"vcpu": 1, "mem_mib": 512},
    "boot-source": {"kernel": "a", "initrd": "b", "guest_agent": True, "boot_args": "c"},
    "balloon": {"amount_mib": 1},
    "balloon/statistics": {"stats_polling_interval_s": 1},
    "mmds": {},
}

CALLS: dict[str, Callable[[Client], object]] = {
    "auth.login": lambda client: client.auth.login(username="a", password="b"),
    "auth.logout": lambda client: client.auth.logout(),
    "auth.me": lambda client: client.auth.me(),
    "auth.change_password": lambda client: client.auth.change_password(current_password="a", new_password="b"),
    "vms.list": lambda client: client.vms.list(
        q="a", state="running", tag="a", name="a", host="a", sort="name", limit=1
    ),
    "vms.get": lambda client: client.vms.get(ID),
    "vms.create": lambda client: client.vms.create(VM_SPEC),
    "vms.try_out": lambda client: client.vms.try_out(VM_SPEC),
    "vms.edit": lambda client: client.vms.edit(ID, VM_CHANGES),
    "vms.delete": lambda client: client.vms.delete(ID),
    "vms.act(start)": lambda client: client.vms.act(ID, "start"),
    "vms.act(stop)": lambda client: client.vms.act(ID, "stop", grace_s=1),
    "vms.act(pause)": lambda client: client.vms.act(ID, "pause"),
    "vms.act(resume)": lambda client: client.vms.act(ID, "resume"),
    "vms.act(reboot)": lambda client: client.vms.act(ID, "reboot"),
    "vms.act(ctrl-alt-del)": lambda client: client.vms.act(ID, "ctrl-alt-del"),
    "vms.bulk(ids)": lambda client: client.vms.bulk("stop", ids=[ID], grace_s=1),
    "vms.bulk(filter)": lambda client: client.vms.bulk("start", filter={"tag": ["a"]}),
    "vms.get_bulk": lambda client: client.vms.get_bulk(ID),
    "vms.save_template": lambda client: client.vms.save_template(ID, name="a", description="b"),
    "vms.credentials": lambda client: client.vms.credentials(ID),
    "vms.metrics": lambda client: client.vms.metrics(ID),
    "vms.console": lambda client: client.vms.console(ID, offset=0),
    **{f"configuration.get({name})": lambda client, name=name: client.configuration.get(ID, name) for name in READABLE},
    **{
        f"configuration.put({name})": lambda client, name=name, body=body: client.configuration.put(ID, name, body)
        for name, body in SETTINGS.items()
    },
    **{
        f"configuration.patch({name})": lambda client, name=name, body=body: client.configuration.patch(ID, name, body)
        for name, body in PATCHES.items()
    },
    "configuration.remove(mmds)": lambda client: client.configuration.remove(ID, "mmds"),
    "configuration.remove(user-data)": lambda client: client.configuration.remove(ID, "user-data"),
    "configuration.set_address": lambda client: client.configuration.set_address(ID, "10.0.0.2"),
    "configuration.flush_metrics": lambda client: client.configuration.flush_metrics(ID),
    "terminals.list": lambda client: client.terminals.list(ID),
    "terminals.get": lambda client: client.terminals.get(ID, "a"),
    "terminals.open": lambda client: client.terminals.open(ID, argv=["sh"], username="root", cols=80, rows=24),
    "terminals.close": lambda client: client.terminals.close(ID, "a"),
    "vms.follow_console": lambda client: _entered(client.vms.follow_console(ID, offset=0)),
    "logs.tail": lambda client: client.logs.tail("agent", host=ID, vm=ID, lines=1),
    "logs.follow": lambda client: _entered(client.logs.follow("agent", host=ID, vm=ID, lines=1)),
    "images.list": lambda client: client.images.list(kind="kernel", name="a"),
    "images.get": lambda client: client.images.get(ID),
    "images.create": lambda client: client.images.create(IMAGE_SPEC),
    "images.delete": lambda client: client.images.delete(ID),
    "drives.list": lambda client: client.drives.list(ID),
    "drives.get": lambda client: client.drives.get(ID, "data"),
    "drives.add": lambda client: client.drives.add(ID, DRIVE_SPEC),
    "drives.edit": lambda client: client.drives.edit(ID, "data", DRIVE_CHANGES),
    "drives.remove": lambda client: client.drives.remove(ID, "data"),
    "nics.list": lambda client: client.nics.list(ID),
    "nics.get": lambda client: client.nics.get(ID, "eth1"),
    "nics.add": lambda client: client.nics.add(ID, NIC_SPEC),
    "nics.edit": lambda client: client.nics.edit(ID, "eth1", {"rx_rate_limiter": None, "tx_rate_limiter": None}),
    "nics.remove": lambda client: client.nics.remove(ID, "eth1"),
    "presets.list": lambda client: client.presets.list(),
    "ssh_keys.list": lambda client: client.ssh_keys.list(name="a", q="a", limit=1),
    "ssh_keys.get": lambda client: client.ssh_keys.get(ID),
    "ssh_keys.create": lambda client: client.ssh_keys.create(name="a", public_key="b"),
    "ssh_keys.rename": lambda client: client.ssh_keys.rename(ID, name="a"),
    "ssh_keys.delete": lambda client: client.ssh_keys.delete(ID),
    "templates.list": lambda client: client.templates.list(name="a", q="a", limit=1),
    "templates.get": lambda client: client.templates.get(ID),
    "templates.create": lambda client: client.templates.create(name="a", description="b", spec={}),
    "templates.replace": lambda client: client.templates.replace(ID, name="a", description="b", spec={}),
    "templates.clone": lambda client: client.templates.clone(ID, name="a"),
    "templates.instantiate": lambda client: client.templates.instantiate(ID, VM_SPEC),
    "templates.delete": lambda client: client.templates.delete(ID),
    "snapshots.list": lambda client: client.snapshots.list(
        name="a", q="b", vm_id=ID, state="completed", sort="name", limit=1
    ),
    "snapshots.list_of": lambda client: client.snapshots.list_of(ID, limit=1),
    "snapshots.get": lambda client: client.snapshots.get(ID),
    "snapshots.tree": lambda client: client.snapshots.tree(ID),
    "snapshots.create": lambda client: client.snapshots.create(ID, name="a", description="b", keep_last=1),
    "snapshots.edit": lambda client: client.snapshots.edit(ID, name="a", description="b"),
    "snapshots.delete": lambda client: client.snapshots.delete(ID),
    "snapshots.export": lambda client: _entered(client.snapshots.export(ID)),
    "snapshots.import_": lambda client: client.snapshots.import_([b"a"], length=1, name="a", host_id=ID),
    "snapshots.instantiate": lambda client: client.snapshots.instantiate(ID, name="a", description="b"),
    "snapshots.roll_back": lambda client: client.snapshots.roll_back(ID, ID),
    "snapshots.clone": lambda client: client.snapshots.clone(ID, name="a", count=2, description="b"),
    "snapshots.suspend": lambda client: client.snapshots.suspend(ID),
    "metrics.of_vm": lambda client: client.metrics.of_vm(ID, since=NOW, to=NOW, step_s=60),
    "metrics.of_host": lambda client: client.metrics.of_host(ID, since=NOW, to=NOW, step_s=60),
    "hosts.list": lambda client: client.hosts.list(),
    "hosts.get": lambda client: client.hosts.get(ID),
    "hosts.create_join_token": lambda client: client.hosts.create_join_token(expires_in_s=60),
    "hosts.cordon": lambda client: client.hosts.cordon(ID),
    "hosts.uncordon": lambda client: client.hosts.uncordon(ID),
    "hosts.drain": lambda client: client.hosts.drain(ID, grace_s=1),
    "hosts.abandon": lambda client: client.hosts.abandon(ID, name="a"),
    "hosts.delete": lambda client: client.hosts.delete(ID),
    "operations.list": lambda client: client.operations.list(status="running", subject_id=ID, vm_id=ID, limit=1),
    "operations.get": lambda client: client.operations.get(ID, wait_s=1),
    "health": lambda client: client.health(),
}

SCHEMAS: dict[type[models.Answer], str] = {
    models.User: "UserBody",
    models.Login: "LoginAnswer",
    models.Action: "ActionBody",
    models.Vm: "ListedVm",
    models.Usage: "UsageBody",
    models.Template: "TemplateBody",
    models.TemplateSpec: "TemplateSpecBody",
    models.Snapshot: "SnapshotBody",
    models.SnapshotTree: "TreeBody",
    models.TreeSnapshot: "TreeSnapshot",
    models.TreeVm: "TreeVm",
    models.Cloned: "Cloned",
    models.NewClone: "NewClone",
    models.Suspended: "Suspended",
    models.Bulk: "BulkBody",
    models.BulkItem: "BulkItemBody",
    models.BulkAccepted: "BulkDone",
    models.History: "HistoryBody",
    models.Point: "PointBody",
    models.Credentials: "ShellCredentials",
    models.Image: "ImageBody",
    models.SshKey: "SshKeyBody",
    models.Amounts: "AmountsBody",
    models.Host: "HostDetail",
    models.JoinToken: "JoinTokenBody",
    models.Bucket: "BucketAnswer",
    models.DriveLimiter: "DriveLimiterAnswer",
    models.NicLimiter: "NicLimiterAnswer",
    models.Preset: "PresetBody",
    models.Drive: "DriveBody",
    models.Nic: "NicBody",
    models.Changed: "Changed",
    models.DriveChanged: "DriveChanged",
    models.DriveRemoved: "DriveRemoved",
    models.NicChanged: "NicChanged",
    models.Operation: "OperationBody",
    models.Created: "Created",
    models.Accepted: "Done",
    models.Abandoned: "Abandoned",
    models.Place: "PlaceBody",
    models.TriedOut: "TriedOut",
    models.Metrics: "MachineMetrics",
    models.Terminal: "TerminalBody",
    models.LogTail: "LogTail",
    models.TerminalList: "TerminalList",
    models.TerminalOpened: "TerminalOpened",
}
NOT_IN_THE_DESCRIPTION = {models.Answer, models.ConsoleChunk, models.Happening, models.Setting}
"""The base; a raw body with headers; what a stream says; any of the settings."""

WEBSOCKETS = (
    *("/v1/vms/{vm_id}/shell/ws", "/v1/vms/{vm_id}/exec/ws", "/v1/vms/{vm_id}/metrics/ws", "/v1/events"),
    *("/v1/vms/{vm_id}/forward/ws", "/v1/vms/{vm_id}/files/ws", "/v1/vms/{vm_id}/console/ws"),
)


@dataclass(frozen=True)
class Asked:
    method: Literal["get", "post", "put", "patch", "delete"]
    path: str
    query: frozenset[str]
    body: frozenset[str]


def asked_by(call: Callable[[Client], object]) -> Asked:
    """The request that `call` makes."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    transport = Transport(url="http://manager")
    transport.__dict__["_http"] = httpx.Client(base_url=transport.url, transport=httpx.MockTransport(answer))
    with suppress(ClientError):  # the answer is empty; what counts is the question
        call(Client(transport))
    [request] = seen
    is_json = request.headers.get("content-type") == "application/json"
    body = frozenset(json.loads(request.content)) if request.content and is_json else frozenset[str]()
    method: Any = request.method.lower()
    return Asked(method, request.url.path, frozenset(request.url.params), body)


@cache
def description() -> dict[str, Any]:
    return describe().openapi()


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with its reference followed, and the one that is not null of a choice."""
    if "$ref" in schema:
        return resolved(description()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return resolved(next(one for one in schema["anyOf"] if one.get("type") != "null"))
    return schema


def described(asked: Asked) -> dict[str, Any]:
    """The operation in the description that answers this request."""
    for template, operations in description()["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), asked.path) and asked.method in operations:
            return operations[asked.method]
    raise AssertionError(f"the manager describes no {asked.method.upper()} {asked.path}")


@pytest.mark.parametrize("name", CALLS)
def test_every_request_of_the_client_is_one_the_manager_describes(name: str) -> None:
    asked = asked_by(CALLS[name])
    operation = described(asked)
    parameters = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    assert asked.query <= parameters
    if asked.body:
        body = resolved(operation["requestBody"]["content"]["application/json"]["schema"])
        assert asked.body <= set(body["properties"])
        assert set(body.get("required", ())) <= asked.body


@pytest.mark.parametrize("model", SCHEMAS)
def test_every_field_of_a_model_is_in_the_managers_schema(model: type[models.Answer]) -> None:
    schema = resolved({"$ref": f"/{SCHEMAS[model]}"})
    assert set(model.model_fields) <= set(schema["properties"])
    needed = {name for name, field in model.model_fields.items() if field.is_required()}
    assert needed <= set(schema.get("required", ()))


def test_every_model_is_compared_with_a_schema() -> None:
    ours = {
        one
        for _, one in inspect.getmembers(models, inspect.isclass)
        if issubclass(one, models.Answer) and one.__module__ == models.__name__
    }
    assert ours == set(SCHEMAS) | NOT_IN_THE_DESCRIPTION


def test_every_method_of_the_client_is_tried() -> None:
    def methods() -> Iterator[str]:
        client = Client(Transport(url="http://manager"))
        for noun, _ in inspect.getmembers(Client, lambda member: isinstance(member, cached_property)):
            for name, _ in inspect.getmembers(getattr(client, noun), inspect.ismethod):
                if not name.startswith("_"):
                    yield f"{noun}.{name}"

    assert {name.partition("(")[0] for name in CALLS} == {*methods(), "health"}


@pytest.mark.parametrize("path", WEBSOCKETS)
def test_the_websockets_exist(path: str) -> None:
    assert path in {one.path for one in endpoints_of(describe()) if one.method == "WEBSOCKET"}
