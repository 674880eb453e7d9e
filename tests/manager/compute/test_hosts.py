"""Hosts joining, reporting and falling silent."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok, refused, signing_request, until, vm_of

from nexus.agent.settings import AgentSettings
from nexus.kit.db import Db
from nexus.manager.hosts.placement import Amounts, Overcommit, Room, place, refusal
from nexus.manager.hosts.schemas import HostList
from nexus.protocol.hosts import Heartbeat, HostFacts, Offer, RegisterRequest
from nexus.protocol.machines import GuestPhase, MachineSeen, Power

BOOT = "boot-1"


def facts(name: str = "far-1", **other: Any) -> HostFacts:
    return HostFacts(
        name=name,
        vmm="fake",
        vmm_version="1",
        acceleration="none",
        why_vmm="For a test.",
        offers=frozenset(),
        vcpus=4,
        memory_mib=4096,
        disk_bytes=100 << 30,
        agent_version="1",
        protocol_version=1,
        boot_id=BOOT,
        **other,
    )


async def join(client: httpx.AsyncClient, token: str, name: str = "far-1") -> httpx.Response:
    address = f"https://{name}.invalid:18081"
    request = RegisterRequest(join_token=token, address=address, facts=facts(name), csr=signing_request())
    return await client.post("/v1/hosts/register", json=request.model_dump(mode="json"))


class Reporter:
    """A host that is only its reports."""

    def __init__(self, client: httpx.AsyncClient, host_id: str, credential: str) -> None:
        self.host_id = UUID(host_id)
        self._client = client
        self.headers = {"Authorization": f"Bearer {credential}"}

    async def report(self, *machines: MachineSeen, seq: int, full: bool = True, boot_id: str = BOOT) -> httpx.Response:
        beat = Heartbeat(boot_id=boot_id, seq=seq, full=full, machines=machines)
        path = f"/v1/hosts/{self.host_id}/heartbeat"
        return await self._client.post(path, json=beat.model_dump(mode="json"), headers=self.headers)


@pytest.fixture
async def reporter(admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, images: dict[str, str]) -> Reporter:
    token = ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"]
    joined = ok(await join(anonymous, token))
    reporter = Reporter(anonymous, joined["host_id"], joined["credential"])
    ok(await reporter.report(seq=1))
    return reporter


def seen(machine_id: UUID, *, seq: int, power: Power = Power.ON, **other: Any) -> MachineSeen:
    fields = {"id": machine_id, "seq": seq, "power": power, "generation": 1, "boot": 1}
    return MachineSeen.model_validate(fields | other)


async def test_a_join_token_lets_one_host_in_once(admin: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    token = ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"]
    ok(await join(anonymous, token))
    assert refused(await join(anonymous, token, "far-2"), 401)["code"] == "join_token_invalid"
    refused(await join(anonymous, "nxj_guessed"), 401)


async def test_only_administrators_make_join_tokens(user: httpx.AsyncClient) -> None:
    refused(await user.post("/v1/hosts/join-tokens", json={}), 403)


async def test_an_expired_join_token_opens_nothing(
    admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Db
) -> None:
    token = ok(await admin.post("/v1/hosts/join-tokens", json={"expires_in_s": 60}))["token"]
    await db.execute("update join_tokens set expires_at = now()")
    refused(await join(anonymous, token), 401)


async def test_a_host_that_joins_again_replaces_its_credential(
    reporter: Reporter, admin: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    token = ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"]
    again = ok(await join(anonymous, token))
    assert UUID(again["host_id"]) == reporter.host_id
    refused(await reporter.report(seq=2), 401)
    ok(await Reporter(anonymous, again["host_id"], again["credential"]).report(seq=3))


async def test_a_credential_opens_only_its_own_host(
    reporter: Reporter, host: JoinedHost, anonymous: httpx.AsyncClient, db: Db
) -> None:
    other = await db.fetchval("select id from hosts where name = 'host-1'")
    reporter.host_id = other
    refused(await reporter.report(seq=2), 403)
    refused(await anonymous.post(f"/v1/hosts/{other}/heartbeat", json={}), 401)


async def test_credentials_are_kept_as_digests_only(reporter: Reporter, db: Db) -> None:
    for table in ("hosts", "join_tokens", "audit"):
        rows = await db.fetch(f"select to_jsonb(t)::text as row from {table} t")
        assert rows
        assert not any("nxh_" in row["row"] or "nxj_" in row["row"] for row in rows)


async def test_hosts_are_listed_with_what_they_can(
    host: JoinedHost, user: httpx.AsyncClient, agent_settings: AgentSettings
) -> None:
    body = ok(await user.get("/v1/hosts"))
    HostList.model_validate(body)
    [item] = body["items"]
    assert (item["name"], item["state"], item["vmm"]) == ("host-1", "online", "fake")
    detail = ok(await user.get(f"/v1/hosts/{item['id']}"))["item"]
    assert detail["capacity"]["memory_mib"] == item["memory_mib"]
    assert detail["reserved"] == {"vcpus": 0, "memory_mib": 0, "disk_bytes": 0}
    refused(await user.get(f"/v1/hosts/{uuid4()}"), 404)


async def test_of_two_reports_the_newer_counts(reporter: Reporter, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user, wait=None)
    machine_id = await machine_of(db, vm_id)
    ready = seen(machine_id, seq=12, guest=GuestPhase.READY)
    ok(await reporter.report(ready, seq=12, full=False))
    ok(await reporter.report(seen(machine_id, seq=11, power=Power.OFF), seq=11, full=False))
    assert (await vm_of(user, vm_id))["guest"] == "ready"
    ok(await reporter.report(ready, seq=20))
    ok(await reporter.report(seen(machine_id, seq=15, power=Power.OFF), seq=15, full=False))
    ok(await reporter.report(seq=14))
    assert (await vm_of(user, vm_id))["state"] == "running"
    ok(await reporter.report(seen(machine_id, seq=1, guest=GuestPhase.BOOTING), seq=1, boot_id="boot-2"))
    assert (await vm_of(user, vm_id))["guest"] == "booting"
    ok(await reporter.report(seq=30))
    ok(await reporter.report(seen(machine_id, seq=31, guest=GuestPhase.READY), seq=31, full=False))
    assert (await vm_of(user, vm_id))["guest"] == "booting", "a boot of the host that is over has nothing to say"


async def test_a_machine_missing_from_a_full_report_is_lost_and_says_so(
    reporter: Reporter, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user, wait=None)
    machine_id = await machine_of(db, vm_id)
    ok(await reporter.report(seen(machine_id, seq=2, guest=GuestPhase.READY), seq=2))
    ok(await reporter.report(seq=3, full=False))
    assert (await vm_of(user, vm_id))["state"] == "running"
    ok(await reporter.report(seq=4))

    async def is_lost() -> bool:
        vm = await vm_of(user, vm_id)
        return vm["state"] == "error" and vm["fault"] == "Its host no longer has it; its disks are gone."

    await until(is_lost)


async def test_only_machines_known_to_be_gone_are_to_be_discarded(
    reporter: Reporter, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user, wait=None)
    mine, deleted, elsewhere, never_heard_of = (await machine_of(db, vm_id)), uuid4(), uuid4(), uuid4()
    other = await db.fetchval(
        """
        insert into hosts (id, name, address, credential_sha256, vmm, facts, vcpus, memory_mib, disk_bytes, boot_id)
        values ($1, 'other', 'unix:/x', 'x', 'fake', '{}', 1, 1, 1, 'b') returning id
        """,
        uuid4(),
    )
    insert = "insert into discarded_machines (id, host_id) values ($1, $2)"
    await db.execute(insert, deleted, reporter.host_id)
    await db.execute(insert, elsewhere, other)
    machines = [seen(each, seq=5, power=Power.OFF) for each in (mine, deleted, elsewhere, never_heard_of)]
    answer = ok(await reporter.report(*machines, seq=5))
    assert answer["gone"] == [str(deleted)]


async def test_reports_about_others_machines_change_nothing(
    reporter: Reporter, host: JoinedHost, user: httpx.AsyncClient, db: Db
) -> None:
    await db.execute("update hosts set cordoned = true where id = $1", reporter.host_id)
    vm_id = await create(user)
    machine_id = await machine_of(db, vm_id)
    ok(await reporter.report(seen(machine_id, seq=2**40, power=Power.OFF), seq=2**40))
    assert (await vm_of(user, vm_id))["state"] == "running"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"boot_id": "x", "seq": -1, "full": true}', b"\xff\0"])
async def test_a_report_that_is_none_is_refused(reporter: Reporter, anonymous: httpx.AsyncClient, body: bytes) -> None:
    path = f"/v1/hosts/{reporter.host_id}/heartbeat"
    headers = reporter.headers | {"Content-Type": "application/json"}
    answer = await anonymous.post(path, content=body, headers=headers)
    assert answer.status_code in (400, 422)


async def test_a_cordoned_host_takes_no_new_vms_and_keeps_those_it_runs(
    host: JoinedHost, admin: httpx.AsyncClient, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user)
    [item] = ok(await user.get("/v1/hosts"))["items"]
    path = f"/v1/hosts/{item['id']}"
    refused(await user.post(f"{path}/cordon"), 403)
    refused(await admin.post(f"/v1/hosts/{uuid4()}/cordon"), 404)
    for _ in range(2):
        ok(await admin.post(f"{path}/cordon"))
    assert ok(await user.get(path))["item"]["is_cordoned"]
    body = refused(await user.post("/v1/vms", json={"name": "web-2"}), 503)
    assert body["fault_message"] == "host-1: takes no new machines (cordoned)."
    assert (await vm_of(user, vm_id))["state"] == "running"
    ok(await admin.post(f"{path}/uncordon"))
    await create(user, "web-2")
    verbs = await db.fetch("select verb from audit where subject_kind = 'host' and verb like '%cordon' order by at")
    assert [row["verb"] for row in verbs] == ["cordon", "cordon", "uncordon"]


GENEROUS = Overcommit(vcpus=2, memory=1, disk=1)
HAS = Amounts(vcpus=2, memory_mib=1000, disk_bytes=1000)


def room(name: str = "a", *, reserved: Amounts | None = None, **other: Any) -> Room:
    return Room(host_id=uuid4(), name=name, has=HAS, reserved=reserved or Amounts(), **other)


@pytest.mark.parametrize(
    ("place", "need", "why"),
    [
        (room(), Amounts(vcpus=4, memory_mib=1000, disk_bytes=1000), None),
        (room(), Amounts(vcpus=5), "vCPUs: 5 needed, 4 of 4 free"),
        (
            room(reserved=Amounts(memory_mib=900)),
            Amounts(memory_mib=101),
            "MiB of memory: 101 needed, 100 of 1000 free",
        ),
        (room(reserved=Amounts(disk_bytes=2000)), Amounts(disk_bytes=1), "MiB of disk: 1 needed, 0 of 0 free"),
        (room(reserved=Amounts(disk_bytes=2000)), Amounts(memory_mib=1), None),
        (room(is_silent=True), Amounts(), "has not been heard from"),
        (room(is_cordoned=True), Amounts(), "takes no new machines (cordoned)"),
        (room(is_abandoned=True, is_silent=True, is_cordoned=True), Amounts(), "was abandoned"),
    ],
)
def test_a_host_says_why_it_cannot_take_a_machine(place: Room, need: Amounts, why: str | None) -> None:
    assert refusal(place, need, GENEROUS) == why


def test_a_host_that_lacks_what_a_machine_needs_says_what_it_is() -> None:
    wanted = frozenset({Offer.PAUSE, Offer.BRIDGE})
    assert refusal(room(offers=frozenset({Offer.PAUSE})), Amounts(), GENEROUS, wanted) == "does not offer bridge"
    assert refusal(room(offers=wanted), Amounts(), GENEROUS, wanted) is None


def test_the_host_with_the_most_memory_left_is_chosen_and_the_others_say_why_not() -> None:
    rooms = [room("full", reserved=Amounts(memory_mib=950)), room("b", reserved=Amounts(memory_mib=10)), room("a")]
    found = place(rooms, Amounts(memory_mib=100), GENEROUS)
    assert [(each.name, each.refusal is None) for each in found.places] == [("a", True), ("b", True), ("full", False)]
    assert found.chosen is found.places[0]
    found = place(rooms[:1], Amounts(memory_mib=100), GENEROUS)
    assert found.chosen is None
    assert found.explain() == "full: MiB of memory: 100 needed, 50 of 1000 free."
    assert place([], Amounts(), GENEROUS).explain() == "No host has joined yet."
