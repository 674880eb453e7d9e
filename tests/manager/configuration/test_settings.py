"""Boot source and devices of VMs: what is stored, what hosts are told, what they apply at once, what they cannot."""

from ipaddress import ip_address
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, refused, vm_of

from nexus.agent.machines.pending import NAMES
from nexus.kit.db import Db
from nexus.manager.configuration.service import PENDING_NAMES
from nexus.protocol.hosts import Offer
from nexus.protocol.machines import MachineSpec


def told(host: JoinedHost, machine: UUID) -> MachineSpec:
    """The definition that the machine's host has accepted."""
    return host.machines.get(machine).state.spec


async def change(client: httpx.AsyncClient, method: str, vm_id: UUID, path: str, body: object) -> dict[str, Any]:
    return ok(await client.request(method, f"/v1/vms/{vm_id}/{path}", json=body))


async def read(client: httpx.AsyncClient, vm_id: UUID, path: str) -> dict[str, Any]:
    return ok(await client.get(f"/v1/vms/{vm_id}/{path}"))["item"]


@pytest.fixture
async def offering(db: Db, host: JoinedHost) -> None:
    """The host says that it can everything; what its hypervisor makes of it is not looked at."""
    await db.execute(
        "update hosts set facts = jsonb_set(facts, '{offers}', (facts -> 'offers') || $1::jsonb)",
        [Offer.CPU_CONFIG, Offer.VSOCK, Offer.LOG_LEVEL],
    )


def test_settings_are_pending_under_the_names_that_hosts_give_them() -> None:
    for setting, name in PENDING_NAMES.items():
        told_as = {"kernel_image_id": "kernel_sha256", "initramfs_image_id": "initramfs_sha256"}.get(setting, setting)
        assert NAMES[told_as] == name


async def test_a_boot_source_is_set_changed_and_taken_back(
    host: JoinedHost, user: httpx.AsyncClient, db: Db, images: dict[str, str]
) -> None:
    vm_id = await create(user)
    machine = await machine_of(db, vm_id)
    answer = await change(user, "PUT", vm_id, "boot-source", {"kernel": "test-kernel", "boot_args": "loglevel=7"})
    assert (answer["applied"], answer["pending_changes"]) == ("next_start", ["boot_args"])
    assert told(host, machine).boot_args == "loglevel=7"
    assert await read(user, vm_id, "boot-source") == {
        "kernel_image_id": images["kernel"],
        "kernel": "test-kernel",
        "initrd_image_id": images["initramfs"],
        "initrd": "test-initramfs",
        "guest_agent": True,
        "boot_args": "loglevel=7",
    }
    answer = await change(user, "PATCH", vm_id, "boot-source", {"initrd": "test-initramfs", "guest_agent": False})
    assert answer["pending_changes"] == ["boot_args", "initramfs"]
    answer = await change(user, "PUT", vm_id, "boot-source", {})
    assert (answer["applied"], answer["pending_changes"]) == ("now", [])
    assert (await vm_of(user, vm_id))["boot_args"] is None


async def test_a_vm_with_an_initramfs_of_its_own_runs_without_a_guest_agent(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user, start=False)
    await change(user, "PATCH", vm_id, "boot-source", {"initrd": "test-initramfs", "guest_agent": False})
    assert ok(await user.post(f"/v1/vms/{vm_id}/start", params={"wait": 60}))["status"] == "done"
    vm = await vm_of(user, vm_id)
    assert (vm["state"], vm["guest"]) == ("running", "absent")
    body = refused(await user.put(f"/v1/vms/{vm_id}/mmds", json={"a": "b"}), 409)
    assert body["code"] == "not_offered"
    refused(await user.put(f"/v1/vms/{vm_id}/user-data", json={"user_data": "#!/bin/sh"}), 409)
    for verb in ("pause", "resume", "reboot", "stop"):
        ok(await user.post(f"/v1/vms/{vm_id}/{verb}", params={"wait": 60}))
    assert (await vm_of(user, vm_id))["state"] == "stopped"


async def test_what_is_no_image_is_refused(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user, start=False)
    path = f"/v1/vms/{vm_id}/boot-source"
    assert refused(await user.put(path, json={"kernel": "nowhere"}), 404)["code"] == "image_not_found"
    refused(await user.put(path, json={"kernel": "test-rootfs"}), 404)
    for wrong in ({"guest_agent": True}, {"kernel": "a", "kernel_image_id": str(vm_id)}, {"boot_args": "two\nlines"}):
        refused(await user.put(path, json=wrong), 422)


async def test_a_balloon_is_applied_at_once_and_its_statistics_are_read(
    host: JoinedHost, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user, mem_mib=512)
    answer = await change(user, "PUT", vm_id, "balloon", {"amount_mib": 128, "stats_polling_interval_s": 1})
    assert (answer["applied"], answer["pending_changes"]) == ("now", [])
    seen = await read(user, vm_id, "balloon/statistics")
    assert (seen["target_mib"], seen["actual_mib"], seen["actual_pages"]) == (128, 128, 128 * 256)
    assert seen["total_memory"] == 384 << 20
    assert (await change(user, "PATCH", vm_id, "balloon", {"amount_mib": 64}))["applied"] == "now"
    quiet = await change(user, "PATCH", vm_id, "balloon/statistics", {"stats_polling_interval_s": 0})
    assert quiet["applied"] == "now"
    assert (await read(user, vm_id, "balloon/statistics"))["total_memory"] is None
    assert await read(user, vm_id, "balloon") == {
        "amount_mib": 64,
        "deflate_on_oom": True,
        "stats_polling_interval_s": 0,
    }
    stubborn = await change(user, "PUT", vm_id, "balloon", {"amount_mib": 32, "deflate_on_oom": False})
    assert (stubborn["applied"], stubborn["pending_changes"]) == ("next_start", ["balloon_deflate_on_oom"])
    assert (await read(user, vm_id, "balloon/statistics"))["actual_mib"] == 32, "what can be applied is"
    again = await change(user, "PATCH", vm_id, "balloon", {"amount_mib": 16})
    assert (again["applied"], again["pending_changes"]) == ("now", ["balloon_deflate_on_oom"])


async def test_a_balloon_leaves_its_guest_some_memory(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user, mem_mib=256, start=False)
    body = refused(await user.put(f"/v1/vms/{vm_id}/balloon", json={"amount_mib": 256}), 422)
    assert body["code"] == "balloon_too_big"
    await change(user, "PUT", vm_id, "balloon", {"amount_mib": 200})
    smaller = await user.patch(f"/v1/vms/{vm_id}/machine-config", json={"mem_mib": 200})
    assert refused(smaller, 422)["code"] == "balloon_too_big"
    refused(await user.get(f"/v1/vms/{vm_id}/balloon/statistics"), 409)


async def test_a_host_is_told_every_device(host: JoinedHost, offering: None, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user)
    machine = await machine_of(db, vm_id)
    cpu = {"cpuid_modifiers": [_LEAF], "msr_modifiers": [], "kvm_capabilities": ["!56"]}
    limiter = {"bandwidth": {"size": 4096, "refill_time": 100}}
    for path, body, applied in (
        ("entropy", {"rate_limiter": limiter}, "next_start"),
        ("serial", {"log_limit_bytes": 1 << 20}, "now"),
        ("vsock", {"guest_cid": 77}, "next_start"),
        ("logger", {"level": "Debug"}, "next_start"),
        ("cpu-config", {"cpu_config": cpu}, "next_start"),
    ):
        assert (await change(user, "PUT", vm_id, path, body))["applied"] == applied, path
        assert await read(user, vm_id, path) == body, path
    spec = told(host, machine)
    assert spec.entropy_limit is not None
    assert (spec.entropy_limit.size, spec.entropy_limit.refill_time) == (4096, 100)
    assert (spec.console_bytes, spec.vsock_cid, spec.log_level) == (1 << 20, 77, "Debug")
    assert spec.cpu_config is not None
    assert spec.cpu_config.cpuid_modifiers[0].modifiers[0].register_ == "eax"
    pending = (await vm_of(user, vm_id))["pending_changes"]
    assert sorted(pending) == ["cpu_config", "entropy", "logger", "vsock"]
    assert ok(await user.post(f"/v1/vms/{vm_id}/reboot", params={"wait": 60}))["status"] == "done"
    assert (await vm_of(user, vm_id))["pending_changes"] == []
    for path, body in (("entropy", {}), ("serial", {}), ("vsock", {"guest_cid": None}), ("logger", {})):
        await change(user, "PUT", vm_id, path, body)
    await change(user, "PUT", vm_id, "cpu-config", {"cpu_config": None})
    spec = told(host, machine)
    assert (spec.entropy_limit, spec.console_bytes, spec.vsock_cid, spec.log_level, spec.cpu_config) == (None,) * 5


_LEAF = {
    "leaf": "0x1",
    "subleaf": "0x0",
    "flags": 0,
    "modifiers": [{"register": "eax", "bitmap": "0bxxxxxxxxxxxxxxxxxxxxxxxxxxxx0001"}],
}
UNOFFERED = [
    ("cpu-config", {"cpu_config": {"cpuid_modifiers": [_LEAF]}}),
    ("vsock", {"guest_cid": 3}),
    ("logger", {"level": "Info"}),
]


@pytest.mark.parametrize(("path", "body"), UNOFFERED)
async def test_what_a_host_does_not_offer_is_refused_with_the_reason_and_what_can(
    host: JoinedHost, user: httpx.AsyncClient, db: Db, path: str, body: dict[str, Any]
) -> None:
    vm_id = await create(user, start=False)
    answer = refused(await user.put(f"/v1/vms/{vm_id}/{path}", json=body), 409)
    assert answer["code"] == "not_offered"
    assert "its host, host-1, cannot" in answer["error"]
    assert answer["suggestion"]
    assert await db.fetchval("select generation from machines") == 1
    nothing = dict.fromkeys(body)
    assert (await change(user, "PUT", vm_id, path, nothing))["operation_id"] is None, "to have none takes nothing"


SENSELESS: list[tuple[str, dict[str, Any]]] = [
    ("entropy", {"rate_limiter": {"bandwidth": {"size": 0, "refill_time": 1}}}),
    ("entropy", {"rate_limiter": {"ops": {"size": 1, "refill_time": 1}}}),
    ("serial", {"log_limit_bytes": 1}),
    ("vsock", {"guest_cid": 2}),
    ("logger", {"level": "Loud"}),
    ("cpu-config", {"cpu_config": {"cpuid_modifiers": [{**_LEAF, "leaf": "one"}]}}),
    ("cpu-config", {"cpu_config": {"reg_modifiers": []}}),
    ("balloon", {"amount_mib": -1}),
    ("balloon", {"amount_mib": 1, "stats_polling_interval_s": 3601}),
    ("mmds", {"a/b": 1}),
    ("mmds", {"": 1}),
    ("mmds", {"a": ["\0"]}),
    ("mmds", {"big": "x" * 60_000}),
    ("mmds/config", {"ipv4_address": "10.0.0.1"}),
    ("mmds/config", {"version": "V3"}),
    ("user-data", {"user_data": "x" * 70_000}),
]


async def test_a_setting_that_makes_no_sense_is_refused(
    host: JoinedHost, offering: None, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user, start=False)
    for path, body in SENSELESS:
        refused(await user.put(f"/v1/vms/{vm_id}/{path}", json=body), 422)


async def test_metadata_is_set_merged_configured_and_removed(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user)
    machine = await machine_of(db, vm_id)
    assert await read(user, vm_id, "mmds") == {
        "data": None,
        "config": {"version": "V1", "ipv4_address": "169.254.169.254", "imds_compat": False},
    }
    tree = {"latest": {"meta-data": {"role": "db"}}, "n": 1}
    assert (await change(user, "PUT", vm_id, "mmds", tree))["applied"] == "now"
    assert (await change(user, "PATCH", vm_id, "mmds", {"latest": {"meta-data": {"zone": "b"}}, "n": None}))["applied"]
    assert (await read(user, vm_id, "mmds"))["data"] == {"latest": {"meta-data": {"role": "db", "zone": "b"}}}
    await change(user, "PUT", vm_id, "mmds/config", {"version": "V2", "ipv4_address": "169.254.1.1"})
    spec = told(host, machine).metadata
    assert spec is not None
    assert (spec.needs_token, str(spec.address), spec.is_plain) == (True, "169.254.1.1", False)
    assert spec.data == {"latest": {"meta-data": {"role": "db", "zone": "b"}}}
    audited = cast("list[dict[str, Any]]", await db.fetchval("select json_agg(details) from audit"))
    assert "role" not in str(audited), "it may be a secret"
    assert ok(await user.delete(f"/v1/vms/{vm_id}/mmds"))["applied"] == "now"
    assert told(host, machine).metadata is None


async def test_a_tree_is_not_merged_beyond_its_limit(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user, start=False)
    await change(user, "PUT", vm_id, "mmds", {"a": "x" * 40_000})
    refused(await user.patch(f"/v1/vms/{vm_id}/mmds", json={"b": "x" * 40_000}), 422)


async def test_user_data_waits_for_the_next_start(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user)
    answer = await change(user, "PUT", vm_id, "user-data", {"user_data": "#cloud-config\n"})
    assert (answer["applied"], answer["pending_changes"]) == ("next_start", ["user_data"])
    assert await read(user, vm_id, "user-data") == {"user_data": "#cloud-config\n"}
    assert told(host, await machine_of(db, vm_id)).user_data == "#cloud-config\n"
    assert ok(await user.delete(f"/v1/vms/{vm_id}/user-data"))["applied"] == "now"


async def test_metadata_is_for_those_who_may_change_the_vm(
    host: JoinedHost, user: httpx.AsyncClient, other_user: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    vm_id = await create(user, start=False)
    for path in ("mmds", "user-data"):
        refused(await other_user.get(f"/v1/vms/{vm_id}/{path}"), 404)
        refused(await viewer.get(f"/v1/vms/{vm_id}/{path}"), 403)


async def test_metrics_are_collected_on_demand_while_there_are_any(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user)
    assert ok(await user.post(f"/v1/vms/{vm_id}/flush-metrics")) == {
        "ok": True,
        "operation_id": None,
        "operation": None,
        "status": None,
    }
    ok(await user.post(f"/v1/vms/{vm_id}/stop", params={"wait": 60}))
    refused(await user.post(f"/v1/vms/{vm_id}/flush-metrics"), 409)


async def test_an_address_is_chosen_kept_for_one_vm_and_given_to_nobody_else(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    first = await create(user, "web-1")
    refused_here = refused(await user.post(f"/v1/vms/{first}/guest-ip", json={"ip": "10.213.0.9"}), 409)
    assert refused_here["code"] == "not_offered", "the host's network mode is user"
    await db.execute("update hosts set facts = jsonb_set(facts, '{offers}', (facts -> 'offers') || '[\"bridge\"]')")
    given = (await read(user, first, "guest-ip"))["ip"]
    ahead = ip_address(given) + 2
    answer = await change(user, "POST", first, "guest-ip", {"ip": str(ahead)})
    assert (answer["applied"], answer["pending_changes"]) == ("next_start", ["nics.eth0"])
    assert (await read(user, first, "guest-ip"))["ip"] == str(ahead)
    await change(user, "POST", first, "guest-ip", {"ip": given})
    await change(user, "POST", first, "guest-ip", {"ip": str(ahead)})
    others = [await create(user, f"web-{number}", start=False) for number in (2, 3)]
    addresses = [(await read(user, vm_id, "guest-ip"))["ip"] for vm_id in others]
    assert addresses == [str(ip_address(given) + 1), str(ip_address(given) + 3)], "its turn is passed over"
    for taken in (str(ahead), given, "10.213.0.1", "10.213.255.255", "192.168.0.1"):
        body = refused(await user.post(f"/v1/vms/{others[0]}/guest-ip", json={"ip": taken}), 422)
        assert body["code"] == "address_refused", f"{taken}: the running boot of web-1 may still use its first one"
    ok(await user.post(f"/v1/vms/{first}/stop", params={"wait": 60}))
    await change(user, "POST", others[0], "guest-ip", {"ip": given})
    ok(await user.delete(f"/v1/vms/{first}", params={"wait": 60}))
    await change(user, "POST", others[1], "guest-ip", {"ip": str(ahead)})
