"""An agent on TCP and its certificates: asked for when joining, at every start and in time, from one authority."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.agent.lab import eventually

from nexus.agent import credential as credentials
from nexus.agent.facts import host_facts, host_usage
from nexus.agent.machines.registry import NumberLine
from nexus.agent.manager_link import ManagerLink
from nexus.agent.net.user import UserNetwork
from nexus.agent.reporter import Outbox
from nexus.agent.tls import AgentTls
from nexus.agent.vmm.fake import FakeVmm
from nexus.kit.clock import SystemClock
from nexus.kit.ids import new_id
from nexus.manager.authority import certificates
from nexus.manager.authority.certificates import Ca
from nexus.protocol.hosts import CertificateRequest, HeartbeatAnswer, HostIdentity, Registered, RegisterRequest

HOST = new_id()
NOW = datetime.now(UTC)
INTERVAL_S = 0.02


@dataclass
class Manager:
    """What it was asked, in order. `refusal`: what it answers to requests for certificates, if not with one."""

    ca: Ca = field(default_factory=lambda: certificates.make_ca(new_id(), now=NOW))
    refusal: int | None = None
    is_old: bool = False
    asked: list[str] = field(default_factory=list[str])
    addresses: list[str] = field(default_factory=list[str])

    def _grant(self, csr: str) -> HostIdentity:
        certificate = certificates.certify_host(self.ca, csr, HOST, 1, now=NOW)
        return HostIdentity(certificate=certificate, ca=self.ca.pem, manager=self.ca.manager_name)

    async def register(self, request: Request) -> Response:
        wanted = RegisterRequest.model_validate_json(await request.body())
        self.asked.append("register")
        assert wanted.csr is not None
        granted = None if self.is_old else self._grant(wanted.csr)
        answer = Registered(host_id=HOST, credential="host-secret", identity=granted)
        return JSONResponse(answer.model_dump(mode="json"))

    async def certify(self, request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer host-secret"
        wanted = CertificateRequest.model_validate_json(await request.body())
        self.asked.append("certificate")
        self.addresses.append(wanted.address)
        if self.refusal is not None:
            return JSONResponse({"error": "no"}, status_code=self.refusal)
        return JSONResponse(self._grant(wanted.csr).model_dump(mode="json"))

    async def heartbeat(self, _request: Request) -> Response:
        self.asked.append("heartbeat")
        return JSONResponse(HeartbeatAnswer(interval_s=INTERVAL_S).model_dump(mode="json"))

    def app(self) -> Starlette:
        paths = {"register": self.register, f"{HOST}/certificate": self.certify, f"{HOST}/heartbeat": self.heartbeat}
        return Starlette(routes=[Route(f"/v1/hosts/{path}", to, methods=["POST"]) for path, to in paths.items()])


@dataclass
class Clock:
    time: datetime = NOW

    def now(self) -> datetime:
        return self.time


@dataclass
class Started:
    """An agent's link that runs."""

    tls: AgentTls
    clock: Clock
    credential_file: Path


Start = Callable[..., Started]


@pytest.fixture
def manager() -> Manager:
    return Manager()


@pytest.fixture
async def start(manager: Manager, short_tmp: Path) -> AsyncIterator[Start]:
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=manager.app()), base_url="http://manager")
    running: list[asyncio.Task[None]] = []

    async def discard(_machine: object) -> None:
        raise AssertionError("nothing is gone")

    def begin(address: str = "https://far:18081") -> Started:
        for task in running:
            task.cancel()
        file = short_tmp / "credential.json"
        known, clock = credentials.load(file), Clock()
        tls = AgentTls(clock=clock, trust=known.trust if known else None)
        vmm = FakeVmm(machines=short_tmp, clock=SystemClock())
        link = ManagerLink(
            http,
            address=address,
            credential_file=file,
            token=lambda: "join-me",
            facts=host_facts(vmm, UserNetwork(restrict=True, why=""), name="far-1", disks=short_tmp, boot_id="b1"),
            usage=lambda: host_usage(short_tmp),
            outbox=Outbox(),
            numbers=NumberLine(),
            everything=tuple,
            discard=discard,
            tls=tls,
        )
        running.append(asyncio.create_task(link.run()))
        return Started(tls, clock, file)

    yield begin
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await http.aclose()


async def test_a_host_is_certified_as_it_joins(manager: Manager, start: Start) -> None:
    agent = start()
    await eventually(lambda: manager.asked.count("heartbeat") >= 2)
    assert manager.asked[:2] == ["register", "heartbeat"]
    assert "certificate" not in manager.asked
    assert agent.tls.is_granted
    known = credentials.load(agent.credential_file)
    assert known is not None
    assert known.trust is not None
    assert (known.trust.ca, known.trust.manager) == (manager.ca.pem, manager.ca.manager_name)


async def test_at_every_start_it_says_where_it_is_and_is_certified_before_it_reports(
    manager: Manager, start: Start
) -> None:
    start()
    await eventually(lambda: "heartbeat" in manager.asked)
    manager.asked.clear()
    again = start("https://elsewhere:1")
    await eventually(lambda: manager.asked.count("heartbeat") >= 2)
    assert manager.asked[:2] == ["certificate", "heartbeat"]
    assert manager.addresses == ["https://elsewhere:1"]
    assert again.tls.is_granted


async def test_a_renewal_that_fails_is_tried_again_and_keeps_no_report_back(manager: Manager, start: Start) -> None:
    agent = start()
    await eventually(lambda: "heartbeat" in manager.asked)
    manager.refusal = 503
    agent.clock.time = NOW + certificates.HOST_LIFE / 2 + timedelta(minutes=1)
    manager.asked.clear()
    await eventually(lambda: manager.asked.count("certificate") >= 2 and manager.asked.count("heartbeat") >= 2)
    manager.refusal = None
    await eventually(lambda: not agent.tls.is_due)


async def test_without_a_first_certificate_nothing_is_reported(manager: Manager, start: Start) -> None:
    start()
    await eventually(lambda: "heartbeat" in manager.asked)
    manager.refusal = 403
    agent = start()
    await asyncio.sleep(0)
    manager.asked.clear()
    await eventually(lambda: manager.asked.count("certificate") >= 2)
    assert "heartbeat" not in manager.asked
    assert not agent.tls.is_granted


async def test_another_authority_than_the_one_joined_is_not_obeyed(manager: Manager, start: Start) -> None:
    start()
    await eventually(lambda: "heartbeat" in manager.asked)
    manager.ca = certificates.make_ca(manager.ca.id, now=NOW)
    agent = start()
    await asyncio.sleep(0)
    manager.asked.clear()
    await eventually(lambda: manager.asked.count("certificate") >= 2)
    assert "heartbeat" not in manager.asked
    assert not agent.tls.is_granted


async def test_a_manager_that_certifies_nobody_is_not_joined(manager: Manager, start: Start) -> None:
    manager.is_old = True
    agent = start()
    await eventually(lambda: manager.asked.count("register") >= 2)
    assert not agent.credential_file.exists()
    assert not agent.tls.is_granted
