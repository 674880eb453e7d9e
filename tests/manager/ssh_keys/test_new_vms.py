"""Which keys a new VM lets in: those in the request, and those registered that it names."""

import json
from typing import Any

import httpx
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, refused, vm_of
from tests.manager.ssh_keys.acting import ADA, DSA, GOOD, OTTO
from tests.manager.ssh_keys.test_ssh_keys import PATH, add

from nexus.kit.db import Db


async def keys_of_machine(host: JoinedHost, db: Db, vm_id: Any) -> list[str]:
    """What the agent was told to let into the guest."""
    definition = host.machines.get(await machine_of(db, vm_id)).state.spec
    return list(definition.guest.user.ssh_authorized_keys)


async def test_registered_keys_reach_the_machines_definition(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    first = await add(user, "laptop", ADA)
    await add(user, "desktop", OTTO)
    vm_id = await create(user, ssh_keys=["desktop", first], ssh_authorized_keys=[f"\n{GOOD[2]}\n"])
    assert await keys_of_machine(host, db, vm_id) == [GOOD[2], OTTO, ADA]
    assert (await vm_of(user, vm_id))["ssh_authorized_keys"] == [GOOD[2], OTTO, ADA]


async def test_a_key_is_let_in_once_however_often_it_is_named(
    host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    key_id = await add(user)
    vm_id = await create(user, ssh_keys=["laptop", key_id, "laptop"], ssh_authorized_keys=[ADA])
    assert await keys_of_machine(host, db, vm_id) == [ADA]


async def test_what_becomes_of_a_key_changes_no_vm(host: JoinedHost, user: httpx.AsyncClient) -> None:
    key_id = await add(user)
    vm_id = await create(user, start=False, ssh_keys=["laptop"])
    ok(await user.patch(f"{PATH}/{key_id}", json={"name": "other"}))
    ok(await user.delete(f"{PATH}/{key_id}"))
    assert (await vm_of(user, vm_id))["ssh_authorized_keys"] == [ADA]


async def test_a_name_means_a_key_of_ones_own(
    host: JoinedHost, user: httpx.AsyncClient, other_user: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    key_id = await add(user, "laptop", ADA)
    for named in ("laptop", key_id):
        body = refused(await other_user.post("/v1/vms", json={"name": "web-1", "ssh_keys": [named]}), 404)
        assert body["code"] == "ssh_key_not_found"
        assert named in body["error"]
        assert "ssh-key list" in body["suggestion"]
    await add(other_user, "laptop", OTTO)
    theirs = await create(other_user, "web-1", start=False, ssh_keys=["laptop"])
    assert (await vm_of(other_user, theirs))["ssh_authorized_keys"] == [OTTO]
    refused(await admin.post("/v1/vms", json={"name": "web-2", "ssh_keys": ["laptop"]}), 404)
    by_id = await create(admin, "web-2", start=False, ssh_keys=[key_id])
    assert (await vm_of(admin, by_id))["ssh_authorized_keys"] == [ADA]


async def test_a_vm_with_a_key_that_is_none_is_refused_whole(host: JoinedHost, user: httpx.AsyncClient, db: Db) -> None:
    await add(user)
    private = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----"
    for wanted, code, field in (
        ({"ssh_authorized_keys": [ADA, DSA]}, "public_key_refused", "ssh_authorized_keys.1"),
        ({"ssh_authorized_keys": [private]}, "public_key_refused", "ssh_authorized_keys.0"),
        ({"ssh_keys": ["a/b"]}, "invalid_field", "ssh_keys.0"),
        ({"ssh_keys": [""]}, "invalid_field", "ssh_keys.0"),
        ({"ssh_keys": ["laptop"] * 33}, "invalid_field", "ssh_keys"),
    ):
        body = refused(await user.post("/v1/vms", json={"name": "web-1", **wanted}), 422)
        assert body["code"] == code
        assert body["error"].startswith(f"{field}: ")
        assert "c2VjcmV0" not in json.dumps(body)
    assert await db.fetchval("select count(*) from machines") == 0
