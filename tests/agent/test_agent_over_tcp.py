"""An agent on TCP obeys the managers of its platform and answers nobody else: not on any route, not with any other
certificate. What the strangers hold comes from the manager's own authority, so that both sides are tested as they are.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from starlette.routing import Route, WebSocketRoute
from tests.agent.lab import agent_settings
from tests.manager.conftest import free_port
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidMessage, InvalidStatus

from nexus.agent import wiring
from nexus.agent.listening import listen
from nexus.agent.serve import serve_on, server_of
from nexus.agent.tls import AgentTls, UnfitIdentity
from nexus.kit.clock import SystemClock
from nexus.kit.ids import new_id
from nexus.kit.tls import use_certificate
from nexus.manager.authority import certificates
from nexus.manager.authority.certificates import Ca
from nexus.protocol.hosts import HostIdentity

NOW = datetime.now(UTC)
HOST = new_id()
NAME = certificates.host_name(HOST, 1)


@pytest.fixture(scope="module")
def ca() -> Ca:
    return certificates.make_ca(new_id(), now=NOW)


def grant(ca: Ca, tls: AgentTls, *, now: datetime = NOW) -> HostIdentity:
    certificate = certificates.certify_host(ca, tls.request, HOST, 1, now=now)
    return HostIdentity(certificate=certificate, ca=ca.pem, manager=ca.manager_name)


@dataclass
class Place:
    """An agent on TCP: its port, what it has been asked, and its routes."""

    port: int
    agent: wiring.Agent
    asked: list[str]

    @property
    def base(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def routes(self) -> list[tuple[str, str]]:
        """Every method and path there is; WEBSOCKET for those."""
        found: list[tuple[str, str]] = []
        for route in self.agent.app.routes:
            assert isinstance(route, Route | WebSocketRoute)
            path = route.path.replace("{machine:uuid}", str(UUID(int=1))).replace("{session}", "s")
            path = path.replace("{path:path}", "v1/health")
            methods = sorted(route.methods or ()) if isinstance(route, Route) else ["WEBSOCKET"]
            found += [(method, path) for method in methods]
        return found


@asynccontextmanager
async def running_agent(root: Path) -> AsyncGenerator[Place]:
    """It has joined nobody yet."""
    port = free_port()
    settings = agent_settings(root, bind=f"127.0.0.1:{port}", manager="http://127.0.0.1:9")
    asked: list[str] = []
    async with AsyncExitStack() as stack:
        agent = await wiring.build(settings, stack)

        async def noted(scope: Any, receive: Any, send: Any) -> None:
            asked.append(scope["path"])
            await agent.app(scope, receive, send)

        server = server_of(replace(agent, app=cast(Any, noted)))
        serving = asyncio.create_task(serve_on(listen(settings), server, agent.tls))
        yield Place(port, agent, asked)
        server.should_exit = True
        if not server.started:
            serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest.fixture(scope="module")
async def place(ca: Ca, session_tmp: Path) -> AsyncIterator[Place]:
    async with running_agent(session_tmp / "tcp") as running:
        assert running.agent.tls is not None
        running.agent.tls.use(grant(ca, running.agent.tls))
        yield running


def showing(pem: bytes | None, *, trusting: Ca) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=trusting.pem)
    if pem is not None:
        use_certificate(context, pem)
    return context


def a_hosts(ca: Ca) -> bytes:
    """What another host of the platform holds."""
    tls = AgentTls(clock=SystemClock(), trust=None)
    return tls._key_pem + certificates.certify_host(ca, tls.request, new_id(), 1, now=NOW).encode()  # pyright: ignore[reportPrivateUsage]


def of_the_authority(ca: Ca, *names: x509.GeneralName, usage: x509.ObjectIdentifier) -> bytes:
    """A certificate that our authority would never sign."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(ca.certificate.subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(NOW - timedelta(hours=1)).not_valid_after(NOW + timedelta(days=1))
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    made = builder.sign(ca.key, hashes.SHA256())
    return certificates.private_pem(key) + made.public_bytes(serialization.Encoding.PEM)


STRANGERS: dict[str, Callable[[Ca], bytes | None]] = {
    "no certificate": lambda _ca: None,
    "a manager's of another platform": lambda _ca: certificates.make_manager(
        certificates.make_ca(new_id(), now=NOW), now=NOW
    ),
    "a forged authority's under our names": lambda ca: certificates.make_manager(
        certificates.make_ca(ca.id, now=NOW), now=NOW
    ),
    "an expired manager's": lambda ca: certificates.make_manager(ca, now=NOW - timedelta(days=2)),
    "a manager's of tomorrow": lambda ca: certificates.make_manager(ca, now=NOW + timedelta(days=1)),
    "another host's": a_hosts,
    "a host's for clients": lambda ca: of_the_authority(
        ca, x509.DNSName(certificates.host_name(new_id(), 1)), usage=ExtendedKeyUsageOID.CLIENT_AUTH
    ),
    "a manager's for servers": lambda ca: of_the_authority(
        ca, x509.UniformResourceIdentifier(ca.manager_name), usage=ExtendedKeyUsageOID.SERVER_AUTH
    ),
    "a manager's of another id": lambda ca: of_the_authority(
        ca, x509.UniformResourceIdentifier(f"nexus:manager:{new_id()}"), usage=ExtendedKeyUsageOID.CLIENT_AUTH
    ),
}


@pytest.mark.parametrize("who", STRANGERS)
async def test_a_stranger_gets_nothing_on_any_route(place: Place, ca: Ca, who: str) -> None:
    context = showing(STRANGERS[who](ca), trusting=ca)
    place.asked.clear()
    assert len(place.routes) > 12
    async with httpx.AsyncClient(base_url=place.base, verify=context, trust_env=False) as http:
        for method, path in place.routes:
            with pytest.raises((httpx.TransportError, InvalidMessage, ssl.SSLError, OSError)):
                await ask(http, context, method, path)
    assert place.asked == []


async def test_the_manager_is_answered_on_every_route(place: Place, ca: Ca) -> None:
    context = showing(certificates.make_manager(ca, now=NOW), trusting=ca)
    place.asked.clear()
    async with httpx.AsyncClient(base_url=place.base, verify=context, trust_env=False) as http:
        for method, path in place.routes:
            assert await ask(http, context, method, path) in (200, 400, 404, 409, 422)
    assert sorted(place.asked) == sorted(path for _, path in place.routes)


async def ask(http: httpx.AsyncClient, context: ssl.SSLContext, method: str, path: str) -> int:
    if method == "WEBSOCKET":
        url = http.base_url.copy_with(scheme="wss", raw_path=path.encode())
        with pytest.raises(InvalidStatus) as refused:
            async with connect(str(url), ssl=context, server_hostname=NAME, proxy=None):
                pass
        return refused.value.response.status_code
    return (await http.request(method, path, extensions={"sni_hostname": NAME})).status_code


async def test_plain_http_gets_nothing(place: Place) -> None:
    place.asked.clear()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{place.port}", trust_env=False) as http:
        with pytest.raises(httpx.TransportError):
            await http.get("/v1/host")
    assert place.asked == []


async def test_nothing_listens_before_the_host_has_joined(short_tmp: Path, ca: Ca) -> None:
    async with running_agent(short_tmp) as place:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", place.port)
        assert place.agent.tls is not None
        place.agent.tls.use(grant(ca, place.agent.tls))
        context = showing(certificates.make_manager(ca, now=NOW), trusting=ca)
        async with httpx.AsyncClient(base_url=place.base, verify=context, trust_env=False) as http:
            async with asyncio.timeout(60):
                while True:
                    try:
                        assert await ask(http, context, "GET", "/v1/host") == 200
                        return
                    except httpx.ConnectError:
                        await asyncio.sleep(0.01)


async def test_a_session_cannot_be_resumed_without_showing_a_certificate_again(place: Place, ca: Ca) -> None:
    context = showing(certificates.make_manager(ca, now=NOW), trusting=ca)
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port, ssl=context, server_hostname=NAME)
    writer.write(b"GET /v1/host HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    tls = cast(ssl.SSLObject, writer.get_extra_info("ssl_object"))
    assert tls.version() == "TLSv1.3"
    assert tls.session is None or not tls.session.has_ticket
    writer.close()


def test_what_a_manager_grants_is_used_only_if_it_is_for_this_key_and_of_the_authority_joined(ca: Ca) -> None:
    tls, other = AgentTls(clock=SystemClock(), trust=None), AgentTls(clock=SystemClock(), trust=None)
    with pytest.raises(UnfitIdentity, match="another key"):
        tls.use(grant(ca, other))
    with pytest.raises(UnfitIdentity, match="cannot be used"):
        tls.use(HostIdentity(certificate="nonsense", ca=ca.pem, manager="m"))
    assert not tls.is_granted
    tls.use(grant(ca, tls))
    with pytest.raises(UnfitIdentity, match="not the one that this host has joined"):
        tls.use(grant(certificates.make_ca(new_id(), now=NOW), tls))
    assert not tls.is_manager({"subjectAltName": (("URI", f"nexus:manager:{new_id()}"),)})
    assert not tls.is_manager({})
    assert not tls.is_manager(None)
    assert tls.is_manager({"subjectAltName": (("URI", ca.manager_name),)})


def test_the_next_certificate_is_due_when_half_of_the_life_of_the_last_is_over(ca: Ca) -> None:
    @dataclass
    class Clock:
        time: datetime = NOW

        def now(self) -> datetime:
            return self.time

    clock = Clock()
    tls = AgentTls(clock=clock, trust=None)
    assert tls.is_due
    tls.use(grant(ca, tls))
    assert not tls.is_due
    clock.time = NOW + certificates.HOST_LIFE / 2 + timedelta(seconds=1)
    assert tls.is_due
    tls.use(grant(ca, tls, now=clock.time))
    assert not tls.is_due
