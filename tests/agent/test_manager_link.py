"""Joining a manager and reporting to it, against a small manager that can refuse, fail and be away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

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
from nexus.agent.vmm.fake import FakeVmm
from nexus.kit.clock import SystemClock
from nexus.kit.ids import new_id
from nexus.protocol.hosts import Heartbeat, HeartbeatAnswer, Registered, RegisterRequest
from nexus.protocol.machines import MachineSeen, Power

HOST = new_id()


@dataclass
class Manager:
    """What it was told, and how it answers. `status` other than 200: it refuses everything with that."""

    token: str = "join-me"
    interval_s: float = 3600
    status: int = 200
    gone: tuple[UUID, ...] = ()
    registered: list[RegisterRequest] = field(default_factory=list[RegisterRequest])
    heard: list[Heartbeat] = field(default_factory=list[Heartbeat])
    attempts: int = 0
    credentials: list[str] = field(default_factory=list[str])

    async def register(self, request: Request) -> Response:
        self.attempts += 1
        wanted = RegisterRequest.model_validate_json(await request.body())
        if self.status != 200 or wanted.join_token != self.token:
            return JSONResponse({"error": "no"}, status_code=self.status if self.status != 200 else 401)
        self.registered.append(wanted)
        return JSONResponse(Registered(host_id=HOST, credential="host-secret").model_dump(mode="json"))

    async def heartbeat(self, request: Request) -> Response:
        self.attempts += 1
        assert UUID(request.path_params["host"]) == HOST
        if self.status != 200:
            return JSONResponse({"error": "no"}, status_code=self.status)
        self.credentials.append(request.headers["authorization"])
        self.heard.append(Heartbeat.model_validate_json(await request.body()))
        answer = HeartbeatAnswer(interval_s=self.interval_s, gone=self.gone)
        return JSONResponse(answer.model_dump(mode="json"))

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/hosts/register", self.register, methods=["POST"]),
                Route("/v1/hosts/{host}/heartbeat", self.heartbeat, methods=["POST"]),
            ]
        )


@dataclass
class Side:
    """The agent's side of one link."""

    link: ManagerLink
    outbox: Outbox
    numbers: NumberLine
    everything: list[MachineSeen]
    discarded: list[UUID]
    credential_file: Path
    found_again: list[bool]

    def report(self, machine: UUID, power: Power = Power.ON) -> MachineSeen:
        seen = MachineSeen(id=machine, seq=self.numbers.next(), generation=1, power=power)
        self.outbox.put(seen)
        return seen


@pytest.fixture
def manager() -> Manager:
    return Manager()


@pytest.fixture
async def make_side(manager: Manager, short_tmp: Path) -> AsyncIterator[Callable[[str | None], Side]]:
    clients: list[httpx.AsyncClient] = []

    def make(token: str | None) -> Side:
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app=manager.app()), base_url="http://manager")
        clients.append(http)
        discarded: list[UUID] = []
        everything: list[MachineSeen] = []
        found_again: list[bool] = []

        async def discard(machine: UUID) -> None:
            discarded.append(machine)

        outbox, numbers = Outbox(), NumberLine()
        vmm = FakeVmm(machines=short_tmp, clock=SystemClock())
        link = ManagerLink(
            http,
            address="unix:/run/nexus/agent.sock",
            credential_file=short_tmp / "credential.json",
            token=lambda: token,
            facts=host_facts(vmm, UserNetwork(restrict=True, why=""), name="host-1", disks=short_tmp, boot_id="b1"),
            usage=lambda: host_usage(short_tmp),
            outbox=outbox,
            numbers=numbers,
            everything=lambda: tuple(everything),
            discard=discard,
            found_again=lambda: found_again.append(True),
        )
        return Side(link, outbox, numbers, everything, discarded, short_tmp / "credential.json", found_again)

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
async def side(make_side: Callable[[str | None], Side]) -> AsyncIterator[Side]:
    """A link that runs, with a good token."""
    made = make_side("join-me")
    running = asyncio.create_task(made.link.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await made.link.close()


async def test_a_host_joins_once_and_keeps_its_credential_to_itself(
    manager: Manager, side: Side, make_side: Callable[[str | None], Side]
) -> None:
    await eventually(lambda: len(manager.heard) == 1)
    assert manager.registered[0].facts.name == "host-1"
    assert manager.credentials == ["Bearer host-secret"]
    assert side.credential_file.stat().st_mode & 0o777 == 0o600
    assert credentials.load(side.credential_file) is not None
    restarted = make_side(None)
    again = asyncio.create_task(restarted.link.run())
    await eventually(lambda: len(manager.heard) == 2)
    assert len(manager.registered) == 1
    again.cancel()


async def test_the_first_report_is_full_and_a_change_follows_at_once(manager: Manager, side: Side) -> None:
    await eventually(lambda: len(manager.heard) == 1)
    assert manager.heard[0].full
    assert manager.heard[0].facts is not None
    machine = new_id()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    seen = side.report(machine)
    await eventually(lambda: len(manager.heard) == 2)
    assert loop.time() - begun < 0.5
    assert (manager.heard[1].full, manager.heard[1].machines) == (False, (seen,))
    assert manager.heard[1].seq > manager.heard[0].seq


async def test_changes_that_come_together_are_told_together_newest_only(manager: Manager, side: Side) -> None:
    await eventually(lambda: len(manager.heard) == 1)
    one, other = new_id(), new_id()
    side.report(one)
    kept = side.report(other)
    newest = side.report(one, Power.OFF)
    await eventually(lambda: len(manager.heard) == 2)
    assert manager.heard[1].machines == (kept, newest)


async def test_what_could_not_be_told_is_told_when_the_manager_is_back(manager: Manager, side: Side) -> None:
    await eventually(lambda: len(manager.heard) == 1)
    manager.status = 503
    attempts = manager.attempts
    machine = new_id()
    side.report(machine)
    await eventually(lambda: manager.attempts > attempts)
    side.everything.append(side.report(machine, Power.OFF))
    manager.status = 200
    await eventually(lambda: any(seen.power is Power.OFF for beat in manager.heard for seen in beat.machines))
    told = [seen for beat in manager.heard for seen in beat.machines if seen.id == machine]
    assert told[-1].power is Power.OFF


async def test_it_is_told_when_the_manager_is_back_and_only_then(manager: Manager, side: Side) -> None:
    await eventually(lambda: len(manager.heard) == 1)
    side.report(new_id())
    await eventually(lambda: len(manager.heard) == 2)
    assert side.found_again == []
    manager.status = 503
    attempts = manager.attempts
    side.report(new_id())
    await eventually(lambda: manager.attempts > attempts)
    manager.status = 200
    await eventually(lambda: side.found_again == [True])


async def test_a_link_that_is_ended_ends_also_while_news_come_in(
    manager: Manager, make_side: Callable[[str | None], Side]
) -> None:
    for turns in range(6):
        made = make_side("join-me")
        running, before = asyncio.create_task(made.link.run()), len(manager.heard)
        await eventually(lambda before=before: len(manager.heard) > before)
        await turn(50)  # until it waits for news
        made.report(new_id())
        await turn(turns)
        running.cancel()
        async with asyncio.timeout(60):
            await asyncio.wait({running})
        assert running.cancelled(), f"{turns} turns of the event loop after the news"


async def turn(times: int) -> None:
    """Let everybody else in the event loop have so many turns."""
    for _ in range(times):
        await asyncio.sleep(0)


async def test_full_reports_come_every_interval(manager: Manager, side: Side) -> None:
    manager.interval_s = 0.05
    side.report(new_id())
    await eventually(lambda: sum(beat.full for beat in manager.heard) >= 3)
    assert all(beat.usage is not None for beat in manager.heard if beat.full)


async def test_machines_that_the_manager_has_confirmed_gone_are_discarded(manager: Manager, side: Side) -> None:
    machine = new_id()
    manager.gone = (machine,)
    side.report(new_id())
    await eventually(lambda: side.discarded == [machine])


async def test_a_host_without_a_good_token_keeps_asking_and_reports_nothing(
    manager: Manager, make_side: Callable[[str | None], Side]
) -> None:
    refused = make_side("wrong")
    running = asyncio.create_task(refused.link.run())
    await eventually(lambda: manager.attempts >= 2)
    assert manager.heard == []
    assert not refused.credential_file.exists()
    running.cancel()


def test_a_damaged_credential_says_what_to_do(short_tmp: Path) -> None:
    path = short_tmp / "credential.json"
    path.write_text("{}")
    with pytest.raises(credentials.CredentialUnreadable, match="remove it and give the agent a new join token"):
        credentials.load(path)
