"""A manager and a host, whole but for the engine: a test moves the flows itself, step by step, and time when it likes.

What is real: the manager with its database, services, flows and routes; the agent with its files. What is not: the
hypervisor runs nothing, the wires between the two are function calls, and a process dies by an exception that nobody
handles. Time passes by moving what the database remembers into the past.
"""

import asyncio
import functools
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from tests.manager.life.death import Death, Killed
from tests.manager.life.steps import Gate, watch
from tests.manager.life.wires import AgentWire, Deliver, ReportWire, over

from nexus.agent import manager_link
from nexus.agent import wiring as agent_wiring
from nexus.agent.machines import machine as agent_machine
from nexus.agent.settings import AgentSettings
from nexus.agent.snapshots.store import DELETED
from nexus.agent.vmm.fake import FakeVmm
from nexus.agent.vmm.port import VmmState
from nexus.kit.db import Db
from nexus.kit.ids import new_id
from nexus.manager import compute
from nexus.manager.agents.client import Agent
from nexus.manager.flows import Flow
from nexus.manager.flows import repository as flows
from nexus.manager.flows.models import Claim
from nexus.manager.flows.repository import LeaseLost
from nexus.manager.flows.runner import Runner
from nexus.manager.hosts import service as hosts
from nexus.manager.hosts.models import HostRef
from nexus.manager.operations import Operation
from nexus.manager.platform import Builder, Built, Platform
from nexus.manager.sweeps import Sweep
from nexus.manager.wiring import Manager

LEASE_S = 30.0
INTERVAL_S = 0.1
"""Between full reports."""
SILENCE_S = 0.15
"""Without anything new for so long, whoever waits waits for time to pass."""
PATIENCE_S = 20.0


class Slices:
    """The manager's builders, remembering what they built, over agents that are reached by a wire."""

    def __init__(self, builders: Sequence[Builder]) -> None:
        self.built: list[Built] = []
        self.builders: list[Builder] = [functools.partial(self._build, builder) for builder in builders]

    def _build(self, builder: Builder, platform: Platform) -> Built:
        self.built.append(builder(platform))
        return self.built[-1]

    @property
    def flows(self) -> list[Flow[Any]]:
        return [flow for built in self.built for flow in built.flows]

    @property
    def sweeps(self) -> list[Sweep]:
        return [sweep for built in self.built for sweep in built.sweeps]


class OneAgent:
    """Stands in for `agents.pool.Agents`: every host is the same one, at the end of a wire."""

    wire: AgentWire

    def __init__(self, *_: object, **__: object) -> None:
        self._http = httpx.AsyncClient(transport=self.wire, base_url="http://agent")

    def of(self, host: HostRef) -> Agent:
        return Agent(self._http, host.address, None)

    async def close(self) -> None:
        await self._http.aclose()


class World:
    """`lies` are promises kept on paper only; `escaped` what made a flow end that should have been handled."""

    def __init__(
        self,
        manager: Manager,
        slices: Slices,
        db: Db,
        settings: AgentSettings,
        *,
        client: httpx.AsyncClient,
        wire: AgentWire,
    ) -> None:
        self.db = db
        self.client = client
        self.settings = settings
        self.flows = slices.flows
        self.sweeps = {sweep.name: sweep for sweep in slices.sweeps}
        self.gate = Gate(self)
        self.death = Death()
        self.wire = wire
        self.reports = ReportWire(over(manager.app))
        self.agent: agent_wiring.Agent
        self.vmm: FakeVmm
        self.lies: list[str] = []
        self.fenced = 0
        self._platform = manager.platform
        self._runner = Runner(manager.platform.db, lease_s=LEASE_S, step_timeout_s=LEASE_S / 2)
        self._stack = AsyncExitStack()
        self._to_agent: Deliver
        self._linking: asyncio.Task[None] | None = None
        self._parked: list[asyncio.Task[Any]] = []
        self._tell_the_truth()

    # the engine

    async def rest(self) -> None:
        """Move what there is to move, as an engine would, until no flow is left."""
        async with asyncio.timeout(PATIENCE_S):
            while await self._go_on():
                pass

    async def _go_on(self) -> bool:
        if self.death.has_come.is_set():
            await self.revive()
        bell = self._platform.flows.bell
        bell.clear()
        names = [flow.name for flow in self.flows]
        claims = (await flows.claim(self.db, names, limit=10, lease=new_id(), lease_s=LEASE_S)).claims
        for claim in claims:
            await self.move(claim)
        if claims:
            return True
        row = await self.db.fetchrow(
            "select bool_or(lease is not null or attempts > 0) as waits, max(attempts) as attempts, max(why) as why "
            "from flows"
        )
        if row is None or row["waits"] is None:
            return False
        assert row["attempts"] < 20, f"it goes on failing: {row['why']}"
        if not row["waits"]:
            try:
                await asyncio.wait_for(bell.wait(), SILENCE_S)
            except TimeoutError:
                await self.pass_time()
            return True
        await self.pass_time()
        return True

    async def move(self, claim: Claim) -> None:
        """Move one flow until it lets go, or its process is gone, or it is left parked in the middle of a step."""
        [flow] = [flow for flow in self.flows if flow.name == claim.flow]
        moving = asyncio.create_task(self._runner.move(flow, claim))
        parked = asyncio.create_task(self.gate.parked.wait())
        await asyncio.wait({moving, parked}, return_when=asyncio.FIRST_COMPLETED)
        parked.cancel()
        if not moving.done():
            self.gate.parked.clear()
            self._parked.append(moving)
            await self.expire_leases()
            return
        try:
            await moving
        except LeaseLost:
            self.fenced += 1
        except Killed:
            await self.expire_leases()

    async def unpark(self) -> None:
        """Let whoever was held in the middle of a step go on, long after somebody else took over."""
        self.gate.unparked.set()
        for outcome in await asyncio.gather(*self._parked, return_exceptions=True):
            assert isinstance(outcome, LeaseLost), f"a process without its lease went on: {outcome!r}"
            self.fenced += 1
        self._parked = []
        self.gate.unparked.clear()

    # time

    async def pass_time(self) -> None:
        """Until the next flow falls due."""
        names = [flow.name for flow in self.flows]
        seconds = await flows.seconds_to_next(self.db, names)
        if seconds is not None:
            await self.pass_seconds(max(seconds, 0) + 0.01)

    async def pass_seconds(self, seconds: float) -> None:
        """Hosts report all the while, so when they were heard stays."""
        for table, columns in (
            ("flows", ("wake_at", "lease_expires", "deadline")),
            ("operations", ("deadline",)),
            ("machines", ("seen_fault_at",)),
        ):
            moved = ", ".join(f"{column} = {column} - make_interval(secs => $1)" for column in columns)
            await self.db.execute(f"update {table} set {moved}", float(seconds))

    async def expire_leases(self) -> None:
        await self.db.execute("update flows set lease_expires = now() where lease is not null")

    # the agent

    async def revive(self) -> None:
        """Bury the agent that is there and start another on what it left."""
        await self.bury()
        self.death.revive()
        await self.start_agent()

    async def bury(self) -> None:
        self.death.come()
        if self._linking is not None:
            self._linking.cancel()
            await asyncio.gather(self._linking, return_exceptions=True)
        await self._stack.aclose()

    async def restart_host(self) -> None:
        """Everything that ran on the host is gone, and it has another boot id."""
        await self.bury()
        for record in (self.settings.run_dir / "machines").glob("*/vmm.json"):
            record.unlink()
        self.settings.boot_id_file.write_text(f"boot-{new_id()}")
        self.death.revive()
        await self.start_agent()

    async def start_agent(self) -> None:
        self._stack = AsyncExitStack()
        self.agent = await agent_wiring.build(self.settings, self._stack)
        self.vmm = cast(Any, self.agent.machines)._host.vmm
        self.death.guard_vmm(self.vmm)
        self._to_agent = over(self.agent.app)
        link = self.agent.link
        assert link is not None
        cast(Any, link)._http = httpx.AsyncClient(transport=self.reports, base_url="http://manager")
        self._linking = asyncio.create_task(link.run())

    async def call_agent(self, request: httpx.Request) -> httpx.Response:
        """Deliver a call, unless the agent is dead or dies over it."""
        if self.death.has_come.is_set():
            raise httpx.ConnectError("nobody listens")
        answering = asyncio.ensure_future(self._to_agent(request))
        dying = asyncio.create_task(self.death.has_come.wait())
        await asyncio.wait({answering, dying}, return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        if self.death.has_come.is_set():
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
            raise httpx.ReadError("the connection was lost")
        return answering.result()

    async def runs(self, machine_id: UUID) -> VmmState:
        """What the hypervisor really does."""
        return await self.vmm.observe(machine_id)

    # truth

    async def account(self, vm_id: UUID) -> str:
        """All that is known of a VM, for whoever has to find out what went wrong."""
        machine = await self.db.fetchval(
            "select to_jsonb(m) from machines m join vms v on v.machine_id = m.id where v.id = $1", vm_id
        )
        moving = await self.db.fetch("select to_jsonb(f) as row from flows f")
        asked = await self.db.fetch(
            "select verb, generation, status, error ->> 'error' as error from operations where subject_id = $1", vm_id
        )
        seen = [one.model_dump(mode="json", exclude_none=True) for one in self.agent.machines.list()]
        return (
            f"\n{machine=}\nflows={[row['row'] for row in moving]}\noperations={[dict(row) for row in asked]}\n{seen=}"
        )

    def _tell_the_truth(self) -> None:
        """Have every promise that is said to be kept compared with what is."""
        operations = self._platform.operations
        settle = operations.settle

        async def compared(*args: Any, **named: Any) -> list[Operation]:
            settled = await settle(*args, **named)
            for operation in settled:
                if named.get("problem") is None and (lie := await self._lie(operation)):
                    self.lies.append(lie)
            return settled

        cast(Any, operations).settle = compared

    async def _lie(self, operation: Operation) -> str | None:
        machine_id = await self.db.fetchval("select machine_id from vms where id = $1", operation.subject_id)
        if machine_id is None:
            return None
        real = (await self.runs(machine_id)).power.value
        told = {"stop": "off", "pause": "paused", "delete": "off", "suspend": "off"}.get(operation.verb, "on")
        is_stopped_create = operation.verb == "create" and real == "off" and not await self._wished_boots(machine_id)
        if real == told or is_stopped_create:
            return None
        return f"{operation.verb} was settled as done while the hypervisor had it {real}"

    async def _wished_boots(self, machine_id: UUID) -> int:
        return await self.db.fetchval("select boot from machines where id = $1", machine_id)

    async def leftovers(self) -> list[str]:
        """What is left of VMs that are gone: on both sides, and given out."""
        left: list[str] = []
        for table in ("vms", "machines", "drives", "nics", "flows", "drains", "snapshots"):
            if count := await self.db.fetchval(f"select count(*) from {table}"):
                left.append(f"{count} rows in {table}")
        if kept := await self.db.fetchval(
            "select next_host - 2 - (select count(*) from released_addresses) from networks"
        ):
            left.append(f"{kept} addresses")
        if running := await self.db.fetchval("select count(*) from operations where status = 'running'"):
            left.append(f"{running} running operations")
        left += [f"machine {seen.id} at the agent" for seen in self.agent.machines.list()]
        for directory in (
            *(self.settings.run_dir / "machines", self.settings.run_dir / "snapshots"),
            self.settings.runtime_dir / "m",
        ):
            left += _below(directory)
        return left


def _below(directory: Path) -> list[str]:
    """All there is, some of which may be going while one looks."""
    found = (Path(at, name) for at, directories, files in os.walk(directory) for name in (*directories, *files))
    return [f"{path}" for path in found if DELETED not in path.parts]


@asynccontextmanager
async def made(
    manager: Manager, slices: Slices, db: Db, settings: AgentSettings, *, client: httpx.AsyncClient, wire: "LateWire"
) -> AsyncGenerator[World]:
    """A world at rest, with a host that has joined."""
    world = World(manager, slices, db, settings, client=client, wire=wire)
    wire.world = world
    with pytest.MonkeyPatch.context() as patching:
        world.death.guard(patching)
        for flow in world.flows:
            watch(flow, world.gate)
        patching.setattr(hosts, "HEARTBEAT_S", INTERVAL_S)
        patching.setattr(manager_link, "FIRST_PAUSE_S", 0.02)
        patching.setattr(agent_machine, "FIRST_PAUSE_S", 0.02)
        await world.start_agent()
        try:
            yield world
        finally:
            await world.bury()


class LateWire(AgentWire):
    """The manager's services take their wire before there is a world at its end."""

    world: World

    def __init__(self) -> None:
        super().__init__(lambda request: self.world.call_agent(request), lambda: self.world.death.come())


def reach_by(wire: AgentWire, patching: pytest.MonkeyPatch) -> None:
    """Have the manager's slices reach every agent by this wire."""
    patching.setattr(OneAgent, "wire", wire, raising=False)
    patching.setattr(compute, "Agents", OneAgent)
