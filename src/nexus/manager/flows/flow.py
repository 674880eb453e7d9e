"""What a slice implements to have its subjects moved: load facts, decide, and steps.

Every step can run twice, and any process may be killed between any two of them: say *ensure*, not *create*; when
deleting, absent is success. A step touches PostgreSQL (`@in_tx`) or the world (`@on_agent`), never both.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from nexus.kit.db import Tx
from nexus.manager.flows.models import Next
from nexus.protocol.trouble import Refused

Facts = TypeVar("Facts")

_SIDE = "__nexus_step__"
_T = TypeVar("_T", bound=Callable[..., Awaitable[Next]])


def in_tx(step: _T) -> _T:
    """A step of the form `async def step(self, tx, facts) -> Next`. Its changes and the hop commit together, and only
    while the lease holds."""
    setattr(step, _SIDE, "tx")
    return step


def on_agent(step: _T) -> _T:
    """A step of the form `async def step(self, facts) -> Next` that calls an agent. No connection is held meanwhile; it
    is cut off (as Retryable) after two thirds of the lease. What it found goes to `absorb`."""
    setattr(step, _SIDE, "agent")
    return step


class Flow(ABC, Generic[Facts]):
    """A kind of flow. One instance serves all subjects, so it keeps nothing of them in itself."""

    name: ClassVar[str]
    """As given to `flows.open(flow=…)`."""

    @abstractmethod
    async def load(self, tx: Tx, subject_id: UUID) -> Facts | None:
        """Lock the subject (`for update`) and read all that deciding takes. None: there is no such subject any more,
        and the flow ends."""

    @abstractmethod
    def decide(self, facts: Facts) -> str | Next:
        """The step that is due, by name, or at once a nap or finish. Pure: no clock, no I/O."""

    async def absorb(self, tx: Tx, facts: Facts, found: object) -> None:
        """Record what an `@on_agent` step found, in the transaction that moves the flow on. `facts` are those the step
        was given and may have aged; lock before writing. Called only when `found` is not None."""
        raise NotImplementedError(f"{self.name}: a step found {found!r} and absorb() is not written")

    @abstractmethod
    async def refused(self, tx: Tx, facts: Facts, step: str, error: Refused) -> Next:
        """The other side understood and will not: record the fault, fail the promise, say what comes next."""

    async def retrying(self, tx: Tx, facts: Facts, step: str, error: Exception, attempts: int) -> Next | None:
        """A passing trouble, for the `attempts`-th time in a row. Return None for the engine's own back-off, or give up
        by returning something else."""
        return None

    async def overdue(self, tx: Tx, facts: Facts) -> Next:
        """The flow's deadline has passed (it is cleared now): fail the promise, say what comes next."""
        raise NotImplementedError(f"{self.name}: a deadline was set and overdue() is not written")


def side_of(flow: Flow[Any], step: str) -> str:
    """`tx` or `agent`. Raises LookupError for a name that is no step of this flow."""
    side = getattr(getattr(type(flow), step, None), _SIDE, None)
    if side is None:
        raise LookupError(f"flow {flow.name} has no step {step!r}")
    return side
