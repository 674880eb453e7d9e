"""Standing at the door of every step of every flow: who goes in is counted, and one of them is interrupted."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tests.manager.life.death import Killed
from tests.manager.life.wires import Call

from nexus.kit.db import Tx
from nexus.manager.flows import Flow
from nexus.manager.flows.flow import side_of
from nexus.manager.flows.models import Next

if TYPE_CHECKING:
    from tests.manager.life.world import World

Visit = tuple[str, str, int]
"""Flow, step, and for the how manieth time."""


class Manager(StrEnum):
    """What befalls the manager that moves a flow."""

    CRASH_BEFORE = "crash-before"
    CRASH_AFTER = "crash-after"
    """Done, and not committed."""
    LEASE_LOST = "lease-lost"
    """It stands still while another moves the flow to its end, and then goes on."""
    LEASE_LOST_FOR_LONG = "lease-lost-for-long"
    """As LEASE_LOST, and meanwhile the VM is deleted as well."""
    OVERDUE = "overdue"
    """It dies, and its successor finds that the deadline has passed."""


Interruption = Manager | Call

STANDING_STILL = (Manager.LEASE_LOST, Manager.LEASE_LOST_FOR_LONG)
IN_TX: tuple[Interruption, ...] = tuple(Manager)
ON_AGENT: tuple[Interruption, ...] = (*Manager, *Call)


def steps_of(flow: Flow[Any]) -> dict[str, str]:
    """Every step of a flow, with its side (`tx` or `agent`): found, not listed."""
    found: dict[str, str] = {}
    for name in dir(type(flow)):
        try:
            found[name] = side_of(flow, name)
        except LookupError:
            continue
    return found


def watch(flow: Flow[Any], gate: "Gate") -> None:
    """Have everybody who takes a step of `flow` pass the gate."""
    wrapped = {name: _wrapped(flow, name, gate) for name in steps_of(flow)}
    flow.__class__ = type(f"Watched{type(flow).__name__}", (type(flow),), wrapped)


def _wrapped(flow: Flow[Any], name: str, gate: "Gate") -> Callable[..., Awaitable[Next]]:
    original = getattr(type(flow), name)

    @functools.wraps(original)
    async def step(self: Flow[Any], *args: Any) -> Next:
        tx = args[0] if side_of(flow, name) == "tx" else None
        await gate.enter(flow.name, name, tx)
        next_ = await original(self, *args)
        gate.leave()
        return next_

    return step


class Gate:
    """`visits` are those since `expect`; at `at`, `what` happens."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.visits: list[Visit] = []
        self.at: Visit | None = None
        self.what: Interruption | None = None
        self.has_happened = False
        self.parked = asyncio.Event()
        self.unparked = asyncio.Event()
        self._dies_leaving = False

    def expect(self, at: Visit | None = None, what: Interruption | None = None) -> None:
        self.visits, self.at, self.what, self.has_happened = [], at, what, False

    async def enter(self, flow: str, step: str, tx: Tx | None) -> None:
        visit = (flow, step, sum(known[:2] == (flow, step) for known in self.visits) + 1)
        self.visits.append(visit)
        if visit != self.at or self.what is None:
            return
        self.at, self.has_happened = None, True
        if isinstance(self.what, Call):
            self._world.wire.next = self.what
        else:
            await self._befall(self.what, tx)

    def leave(self) -> None:
        self._world.wire.next = None
        if self._dies_leaving:
            self._dies_leaving = False
            raise Killed

    async def _befall(self, what: Manager, tx: Tx | None) -> None:
        match what:
            case Manager.CRASH_BEFORE:
                raise Killed
            case Manager.CRASH_AFTER:
                self._dies_leaving = True
            case Manager.OVERDUE:
                await self._world.db.execute("update flows set deadline = now() - interval '1 s'")
                await self._world.db.execute(
                    "update operations set deadline = now() - interval '1 s' where status = 'running'"
                )
                raise Killed
            case Manager.LEASE_LOST | Manager.LEASE_LOST_FOR_LONG if tx is None:
                self.parked.set()
                await self.unparked.wait()
            case Manager.LEASE_LOST | Manager.LEASE_LOST_FOR_LONG:
                # its open transaction holds the subject: another can take the flow over, but not move it before that
                await self._world.db.execute(
                    "update flows set lease = gen_random_uuid(), lease_expires = now() where lease is not null"
                )
