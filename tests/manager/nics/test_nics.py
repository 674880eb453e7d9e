"""NICs of VMs: added, limited and removed; their MACs and addresses."""

import re
from typing import Any
from uuid import UUID

import httpx
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, refused, vm_of

from nexus.kit.db import Db
from nexus.manager.nics.models import MOST_NICS
from nexus.manager.nics.schemas import NicBody
from nexus.protocol.machines import NicSpec

TEN_MBIT = {"bandwidth": {"size": 125_000, "refill_time": 100, "one_time_burst": None}}


async def add(client: httpx.AsyncClient, vm_id: UUID, iface_id: str = "eth1", **fields: object) -> dict[str, Any]:
    return ok(await client.post(f"/v1/vms/{vm_id}/nics", json={"iface_id": iface_id, **fields}))


async def nics_of(client: httpx.AsyncClient, vm_id: UUID) -> list[dict[str, Any]]:
    return ok(await client.get(f"/v1/vms/{vm_id}/nics"))["items"]


async def told(host: JoinedHost, db: Db, vm_id: UUID) -> tuple[NicSpec, ...]:
    """What the host was told of the VM's interfaces."""
    return host.machines.get(await machine_of(db, vm_id)).state.spec.nics


async def offer_limits(db: Db) -> None:
    """Have the host's network look as if it could limit; what it cannot it leaves pending."""
    await db.execute(
        """update hosts set facts = jsonb_set(facts, '{offers}', facts -> 'offers' || '["nic_limits", "bridge"]')"""
    )


async def test_a_vm_has_one_nic_and_those_that_are_added_to_it(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user, start=False)
    added = await add(user, vm_id)
    assert (added["ok"], added["iface_id"], added["applied"], added["network"]) == (
        True,
        "eth1",
        "next_start",
        "default",
    )
    first, second = await nics_of(user, vm_id)
    assert (first["iface_id"], second["iface_id"]) == ("eth0", "eth1")
    assert set(second) == set(NicBody.model_fields)
    assert first["address"] != second["address"]
    assert re.fullmatch(r"02(:[0-9a-f]{2}){5}", second["guest_mac"]), "locally administered, of one interface"
    assert second["host_dev_name"] is None, "in user mode there is none"
    for name in (second["id"], "eth1"):
        assert ok(await user.get(f"/v1/vms/{vm_id}/nics/{name}"))["item"] == second
    assert [nic.iface_id for nic in await told(host, db, vm_id)] in (["eth0", "eth1"], ["eth0"])


async def test_a_running_vm_gets_and_loses_nics_with_its_next_start(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user)
    added = await add(user, vm_id, guest_mac="02:00:5E:00:53:01")
    assert (added["applied"], added["pending_changes"], added["is_pending"]) == ("next_start", ["nics.eth1"], True)
    assert added["guest_mac"] == "02:00:5e:00:53:01"
    ok(await user.post(f"/v1/vms/{vm_id}/reboot", params={"wait": 60}))
    assert (await vm_of(user, vm_id))["pending_changes"] == []
    assert [nic.mac for nic in await told(host, db, vm_id)][1] == "02:00:5e:00:53:01"
    removed = ok(await user.delete(f"/v1/vms/{vm_id}/nics/eth1"))
    assert (removed["applied"], removed["pending_changes"]) == ("next_start", ["nics.eth1"])
    assert len(await nics_of(user, vm_id)) == 1


async def test_the_address_of_a_removed_nic_waits_for_the_end_of_the_boot_that_has_it(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id, other = await create(user), await create(user, "web-2", start=False)
    ok(await user.delete(f"/v1/vms/{vm_id}/nics/eth0"))
    await db.execute("update networks set next_host = 65535")
    none_left = await user.post(f"/v1/vms/{other}/nics", json={"iface_id": "eth1"})
    assert refused(none_left, 503)["code"] == "no_address_left"
    ok(await user.post(f"/v1/vms/{vm_id}/stop", params={"wait": 60}))
    assert (await add(user, other))["address"] == "10.213.0.2"


async def test_what_is_taken_or_cannot_be_is_refused(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user, start=False)
    path = f"/v1/vms/{vm_id}/nics"
    taken = (await nics_of(user, vm_id))[0]["guest_mac"]
    for wanted, status, code in (
        ({"iface_id": "eth0"}, 409, "iface_id_taken"),
        ({"iface_id": "eth1", "guest_mac": taken}, 409, "mac_taken"),
        ({"iface_id": "eth1", "guest_mac": taken.upper()}, 409, "mac_taken"),
        ({"iface_id": "eth1", "guest_mac": "00:00:00:00:00:00"}, 422, "mac_refused"),
        ({"iface_id": "eth1", "guest_mac": "01:00:5e:00:00:01"}, 422, None),
        ({"iface_id": "eth1", "guest_mac": "ff:ff:ff:ff:ff:ff"}, 422, None),
        ({"iface_id": "eth1", "guest_mac": "02:00:00:00:00"}, 422, None),
        ({"iface_id": "eth1", "guest_mac": "02-00-00-00-00-01"}, 422, None),
        ({"iface_id": "eth1", "guest_mac": "02:00:00:00:00:01\n"}, 422, None),
        ({"iface_id": "eth 1"}, 422, None),
        ({"iface_id": ""}, 422, None),
        ({"iface_id": "eth1", "host_dev_name": "tap0"}, 422, None),
        ({"iface_id": "eth1", "network": "none"}, 404, "network_not_found"),
        ({"iface_id": "eth1", "network_id": "00000000-0000-7000-8000-00000000000f"}, 404, "network_not_found"),
        ({"iface_id": "eth1", "rx_rate_limiter": {"ops": {"size": 1, "refill_time": 1000}}}, 422, None),
        ({"iface_id": "eth1", "rx_rate_limiter": {"bandwidth": {"size": 1, "refill_time": 1000}}}, 422, None),
    ):
        body = refused(await user.post(path, json=wanted), status)
        assert code is None or body["code"] == code, wanted
    assert len(await nics_of(user, vm_id)) == 1
    for number in range(1, MOST_NICS):
        await add(user, vm_id, f"eth{number}")
    assert refused(await user.post(path, json={"iface_id": "more"}), 409)["code"] == "too_many_nics"


async def test_limits_are_refused_where_the_network_cannot_keep_them(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user, start=False)
    limited = await user.patch(f"/v1/vms/{vm_id}/nics/eth0", json={"tx_rate_limiter": TEN_MBIT})
    body = refused(limited, 409)
    assert (body["code"], "bridge mode" in body["suggestion"]) == ("not_offered", True)
    wanted = {"iface_id": "eth1", "rx_rate_limiter": TEN_MBIT}
    assert refused(await user.post(f"/v1/vms/{vm_id}/nics", json=wanted), 409)["code"] == "not_offered"
    await offer_limits(db)
    burst = {"bandwidth": {"size": 125_000, "refill_time": 100, "one_time_burst": 1}}
    refused(await user.patch(f"/v1/vms/{vm_id}/nics/eth0", json={"tx_rate_limiter": burst}), 409)


async def test_each_direction_is_limited_by_itself_and_null_takes_a_limit_away(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user, start=False)
    await offer_limits(db)
    path = f"/v1/vms/{vm_id}/nics/eth0"
    limited = ok(await user.patch(path, json={"tx_rate_limiter": TEN_MBIT}, params={"wait": 60}))
    assert (limited["rx_rate_limiter"], limited["tx_rate_limiter"]) == (None, TEN_MBIT)
    assert re.fullmatch("nx[a-z2-7]{13}", limited["host_dev_name"])
    [spec] = await told(host, db, vm_id)
    assert spec.tx_rate_limiter is not None
    assert spec.tx_rate_limiter.bandwidth is not None
    assert spec.tx_rate_limiter.bandwidth.per_second == 1_250_000
    both = ok(await user.patch(path, json={"rx_rate_limiter": limited["tx_rate_limiter"]}))
    assert (both["rx_rate_limiter"], both["tx_rate_limiter"]) == (TEN_MBIT, TEN_MBIT)
    assert ok(await user.patch(path, json={"tx_rate_limiter": None}))["tx_rate_limiter"] is None
    again = ok(await user.patch(path, json={}))
    assert (again["operation_id"], again["rx_rate_limiter"]) == (None, TEN_MBIT)


async def test_nobody_elses_nics_are_there(
    host: JoinedHost, user: httpx.AsyncClient, other_user: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    vm_id = await create(user, start=False)
    path = f"/v1/vms/{vm_id}/nics"
    refused(await other_user.get(path), 404)
    refused(await other_user.get(f"{path}/eth0"), 404)
    refused(await other_user.post(path, json={"iface_id": "eth1"}), 404)
    refused(await other_user.patch(f"{path}/eth0", json={}), 404)
    refused(await other_user.delete(f"{path}/eth0"), 404)
    refused(await viewer.delete(f"{path}/eth0"), 403)
    assert len(ok(await viewer.get(path))["items"]) == 1
    refused(await user.get(f"{path}/eth9"), 404)


async def test_changes_are_made_once_on_what_was_seen_and_are_on_record(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user, start=False)
    await offer_limits(db)
    key = {"Idempotency-Key": "once"}
    path = f"/v1/vms/{vm_id}/nics"
    first = ok(await user.post(path, json={"iface_id": "eth1"}, headers=key))
    assert ok(await user.post(path, json={"iface_id": "eth1"}, headers=key))["id"] == first["id"]
    seen = {"If-Match": (await user.get(f"{path}/eth1")).headers["etag"]}
    ok(await user.patch(f"{path}/eth1", json={"rx_rate_limiter": TEN_MBIT}, headers=seen))
    refused(await user.delete(f"{path}/eth1", headers=seen), 412)
    ok(await user.delete(f"{path}/eth1"))
    rows = await db.fetch(
        "select verb, details from audit where subject_id = $1 and verb like '%-nic' order by id", vm_id
    )
    assert [row["verb"] for row in rows] == ["add-nic", "change-nic", "remove-nic"]
    assert all(row["details"]["changed"] == ["nics.eth1"] for row in rows)
