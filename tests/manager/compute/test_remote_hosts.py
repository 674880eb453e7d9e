"""Hosts on other machines: agents on TCP, with the hypervisor that runs nothing, under a real manager."""

import hashlib
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from cryptography import x509
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, refused, signing_request, until, vm_of
from tests.manager.compute.conftest import running_host
from tests.manager.compute.cutting_proxy import cutting
from tests.manager.compute.test_hosts import facts, join
from tests.manager.conftest import client_of, free_port, sign_in

from nexus.agent.credential import load
from nexus.agent.settings import AgentSettings
from nexus.kit.clock import SystemClock
from nexus.kit.db import Db
from nexus.manager.access.tokens import digest
from nexus.manager.agents.pool import Agents
from nexus.manager.agents.tls import ManagerTls
from nexus.manager.authority.certificates import host_name
from nexus.manager.authority.service import Authority
from nexus.manager.hosts.models import HostRef
from nexus.manager.hosts.repository import add_join_token
from nexus.manager.settings import ManagerSettings
from nexus.manager.wiring import Manager, running
from nexus.protocol.hosts import RegisterRequest
from nexus.protocol.trouble import Retryable


async def remote_settings(
    admin: httpx.AsyncClient, under: ManagerSettings, home: Path, name: str, **other: object
) -> AgentSettings:
    """A second host's: nothing of it is shared with the manager's machine but the network."""
    home.mkdir(mode=0o711, exist_ok=True)
    values: dict[str, object] = {
        "run_dir": home / "agent",
        "runtime_dir": home / "run",
        "manager": f"http://{under.bind}",
        "bind": f"127.0.0.1:{free_port()}",
        "name": name,
        "vmm": "fake",
        "network": "user",
        "user_net_restrict": True,
        "join_token": ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"],
    }
    return AgentSettings.model_validate(values | other)


async def is_online(client: httpx.AsyncClient, name: str, *, port: int | None = None) -> dict[str, Any] | None:
    items = ok(await client.get("/v1/hosts"))["items"]
    fitting = (item for item in items if port is None or item["address"].endswith(f":{port}"))
    return next((item for item in fitting if item["name"] == name and item["usage"]), None)


@pytest.fixture
async def far_settings(
    admin: httpx.AsyncClient, served: str, images: dict[str, str], manager_settings: ManagerSettings, short_tmp: Path
) -> AgentSettings:
    return await remote_settings(admin, manager_settings, short_tmp / "far", "far-1")


@pytest.fixture
async def remote(admin: httpx.AsyncClient, far_settings: AgentSettings) -> AsyncIterator[JoinedHost]:
    async with running_host(far_settings) as running:
        await until(lambda: is_online(admin, "far-1"))
        yield running


async def test_a_vm_lives_on_a_host_that_shares_no_path_with_the_manager(
    host: JoinedHost, remote: JoinedHost, far_settings: AgentSettings, user: httpx.AsyncClient, db: Db
) -> None:
    await db.execute("update hosts set cordoned = true where name = 'host-1'")
    vm_id = await create(user)
    vm = await vm_of(user, vm_id)
    assert (vm["host_name"], vm["state"], vm["guest"]) == ("far-1", "running", "ready")
    kept = {path.name for path in (far_settings.run_dir / "images").iterdir()}
    assert len(kept) == 3
    assert all(
        hashlib.sha256((far_settings.run_dir / "images" / name).read_bytes()).hexdigest() == name for name in kept
    )
    assert ok(await user.get(f"/v1/vms/{vm_id}/metrics"))["item"]["host"]
    body = refused(await user.post(f"/v1/vms/{vm_id}/exec", json={"argv": ["id"]}), 409)
    assert "a simulated guest runs no processes" in body["error"]
    for verb in ("pause", "resume", "reboot", "stop"):
        ok(await user.post(f"/v1/vms/{vm_id}/{verb}", params={"wait": 30}))
    ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))
    assert not list((far_settings.run_dir / "machines").iterdir())


async def test_a_fetch_that_broke_off_goes_on_where_it_was(
    admin: httpx.AsyncClient,
    user: httpx.AsyncClient,
    served: str,
    images: dict[str, str],
    manager_settings: ManagerSettings,
    short_tmp: Path,
) -> None:
    content = b"hsqs" + os.urandom(8 << 20)
    sha256 = await register_rootfs(admin, manager_settings, content)
    async with cutting(served, sha256, after_bytes=3 << 20) as proxy:
        settings = await remote_settings(
            admin, manager_settings, short_tmp / "far", "far-1", manager=f"http://127.0.0.1:{proxy.port}"
        )
        async with running_host(settings):
            await until(lambda: is_online(admin, "far-1"))
            vm_id = await create(user, image="big")
            assert (await vm_of(user, vm_id))["state"] == "running"
    assert proxy.has_cut
    first, second = proxy.fetches
    assert first is None
    assert second is not None
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) < len(content)
    assert (settings.run_dir / "images" / sha256).read_bytes() == content


async def test_an_image_that_is_not_what_its_digest_says_is_never_used_and_fetched_anew(
    remote: JoinedHost,
    far_settings: AgentSettings,
    admin: httpx.AsyncClient,
    user: httpx.AsyncClient,
    manager_settings: ManagerSettings,
    db: Db,
) -> None:
    content = b"hsqs" + os.urandom(1 << 20)
    sha256 = await register_rootfs(admin, manager_settings, content)
    stored = manager_settings.image_root / sha256
    stored.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    vm_id = await create(user, image="big", wait=None)

    async def is_faulty() -> bool:
        fault = await db.fetchval("select seen_fault from machines where id = $1", await machine_of(db, vm_id))
        return fault is not None and "came with other content" in fault

    await until(is_faulty)
    assert not (far_settings.run_dir / "images" / sha256).exists()
    assert (await vm_of(user, vm_id))["guest"] != "ready"
    stored.write_bytes(content)

    async def runs() -> bool:
        return (await vm_of(user, vm_id))["guest"] == "ready"

    await until(runs)
    assert (far_settings.run_dir / "images" / sha256).read_bytes() == content


async def register_rootfs(admin: httpx.AsyncClient, manager: ManagerSettings, content: bytes) -> str:
    """A root file system named `big`; its digest."""
    sha256 = hashlib.sha256(content).hexdigest()
    (manager.image_root / sha256).write_bytes(content)
    ok(await admin.post("/v1/images", json={"kind": "rootfs", "name": "big", "path": sha256}))
    return sha256


async def test_an_agent_that_starts_elsewhere_keeps_its_identity_and_gets_a_new_certificate(
    far_settings: AgentSettings, admin: httpx.AsyncClient, user: httpx.AsyncClient
) -> None:
    async with running_host(far_settings):
        before = await until(lambda: is_online(admin, "far-1"))
        vm_id = await create(user)
    credential = load(far_settings.run_dir / "credential.json")
    assert credential is not None
    assert credential.trust is not None
    assert "PRIVATE" not in (far_settings.run_dir / "credential.json").read_text()
    port = free_port()
    moved = far_settings.model_copy(update={"bind": f"127.0.0.1:{port}", "join_token": None})
    async with running_host(moved):
        after = await until(lambda: is_online(admin, "far-1", port=port))
        assert after["id"] == before["id"] == str(credential.host_id)
        ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))


def host_ref(item: dict[str, Any], **other: Any) -> HostRef:
    values: dict[str, Any] = {
        "id": UUID(item["id"]),
        "name": item["name"],
        "address": item["address"],
        "joining": 1,
        "boot_id": "b",
        "seen_seq": 0,
        "offers": frozenset(),
        "is_silent": False,
    }
    return HostRef(**(values | other))


async def test_the_manager_speaks_to_no_host_but_the_one_it_means(
    remote: JoinedHost, admin: httpx.AsyncClient, manager: Manager, manager_settings: ManagerSettings, short_tmp: Path
) -> None:
    """A certificate of another host, of an earlier joining, or of another platform gets no word out of the manager."""
    clock, platform = SystemClock(), manager.platform
    ours = Authority(platform.db, platform.seal, clock=clock)
    agents = Agents(ManagerTls(ours, clock=clock))
    item = await until(lambda: is_online(admin, "far-1"))
    machine = uuid4()
    assert (await agents.of(host_ref(item)).observe_machine(machine)).id == machine
    for wrong in ({"joining": 2}, {"id": uuid4()}):
        with pytest.raises(Retryable, match=r"cannot be reached.*certificate verify failed"):
            await agents.of(host_ref(item, **wrong)).observe_machine(machine)
        with pytest.raises(Retryable, match="cannot be reached"):
            async with agents.of(host_ref(item, **wrong)).session(machine, "s", offset=0):
                pass
    await agents.close()


async def test_every_manager_of_the_platform_commands_its_hosts_and_none_without_its_secret_key(
    remote: JoinedHost, user: httpx.AsyncClient, manager_settings: ManagerSettings, short_tmp: Path, db: Db
) -> None:
    vm_id = await create(user)
    token = await sign_in(db, "ada")
    idle = manager_settings.model_copy(update={"reconciler_disabled": True})
    async with running(idle) as second, client_of(second, token) as client:
        assert ok(await client.get(f"/v1/vms/{vm_id}/metrics"))["item"]["host"]
    stolen = idle.model_copy(update={"secret_key_file": short_tmp / "other.key"})
    async with running(stolen) as impostor, client_of(impostor, token) as client:
        body = refused(await client.get(f"/v1/vms/{vm_id}/metrics"), 502)
        assert "cannot prove to be one" in body["error"]
        join_token = await join_token_of(db)
        assert refused(await join(client, join_token, "far-2"), 503)["code"] == "unavailable"


async def join_token_of(db: Db) -> str:
    """Made behind the managers' backs."""
    async with db.transaction() as tx:
        creator = await tx.fetchval("select id from users limit 1")
        await add_join_token(tx, digest("nxj_test"), created_by=creator, life=timedelta(hours=1))
    return "nxj_test"


async def test_what_a_host_held_before_it_joined_again_is_no_longer_believed(
    remote: JoinedHost, admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, user: httpx.AsyncClient, db: Db
) -> None:
    """Somebody has taken a copy of the host, key and all; its owner has it join again."""
    item = await until(lambda: is_online(admin, "far-1"))
    vm_id = await create(user)
    token = ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"]
    request = RegisterRequest(
        join_token=token, address=item["address"], facts=facts("far-1"), csr=signing_request()
    ).model_dump(mode="json")
    again = ok(await anonymous.post("/v1/hosts/register", json=request))
    assert again["host_id"] == item["id"]
    granted = x509.load_pem_x509_certificate(again["identity"]["certificate"].encode())
    names = granted.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [host_name(UUID(item["id"]), 2)]
    answer = refused(await user.get(f"/v1/vms/{vm_id}/metrics"), 502)
    assert "certificate verify failed" in answer["error"]


async def test_a_host_goes_only_when_no_machine_is_on_it_and_then_for_good(
    remote: JoinedHost, admin: httpx.AsyncClient, user: httpx.AsyncClient, viewer: httpx.AsyncClient, db: Db
) -> None:
    item = await until(lambda: is_online(admin, "far-1"))
    vm_id = await create(user)
    path = f"/v1/hosts/{item['id']}"
    refused(await user.delete(path), 403)
    assert refused(await admin.delete(path), 409)["code"] == "host_in_use"
    ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))
    ok(await admin.delete(path))
    refused(await viewer.get(path), 404)
    refused(await admin.delete(path), 404)
    assert ok(await admin.get("/v1/hosts"))["items"] == []
    assert await db.fetchval("select count(*) from audit where verb = 'delete' and subject_kind = 'host'") == 1


async def test_two_machines_of_one_name_do_not_become_one_host(
    remote: JoinedHost, admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db
) -> None:
    item = await until(lambda: is_online(admin, "far-1"))
    token = ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"]
    assert refused(await join(anonymous, token, "far-1"), 409)["code"] == "host_name_taken"
    ok(await join(anonymous, token, "far-2"))
    await db.execute("update hosts set last_seen_at = now() - $1::interval", timedelta(minutes=1))
    token = ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"]
    assert ok(await join(anonymous, token, "far-2"))["host_id"] != item["id"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"address": "unix:/run/nexus/agent.sock"}, "this machine's own agent"),
        ({"address": "http://far-1.invalid:18081"}, "address"),
        ({"csr": None}, "must ask for a certificate"),
        ({"csr": "nonsense"}, "no certificate signing request"),
        ({"csr": "x" * 20_000}, "csr"),
    ],
)
async def test_a_host_that_could_not_be_commanded_safely_is_not_let_in(
    admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db, change: dict[str, Any], words: str
) -> None:
    token = ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"]
    request = RegisterRequest(
        join_token=token, address="https://far-1.invalid:18081", facts=facts(), csr=signing_request()
    ).model_dump(mode="json")
    body = refused(await anonymous.post("/v1/hosts/register", json=request | change), 422)
    assert words in body["error"]
    assert await db.fetchval("select count(*) from hosts") == 0
    ok(await anonymous.post("/v1/hosts/register", json=request))
