"""Opening, moving, settling and awaiting operations.

The service that records a wish opens an operation about the generation that wish made; the flow that makes it true
reports progress and settles it. Opening a newer one supersedes those still running for an older generation.
"""

from datetime import datetime
from uuid import UUID

from nexus.kit.db import Db, Listener, Tx
from nexus.kit.problems import Problem
from nexus.manager.access.models import Actor
from nexus.manager.operations.models import Operation
from nexus.manager.operations.schemas import Created, Done
from nexus.manager.subjects import Subject

CHANNEL = "operations"


class Operations:
    """One per process; `listener` must not have been started yet."""

    def __init__(self, db: Db, listener: Listener) -> None: ...

    async def open(
        self,
        tx: Tx,
        subject: Subject,
        *,
        verb: str,
        generation: int,
        actor: Actor | None,
        deadline: datetime | None = None,
    ) -> Operation:
        """Promise that `generation` of `subject` will come true. Supersedes the subject's operations that still run for
        an older generation. No actor: the platform itself asked."""
        raise NotImplementedError

    async def running(self, tx: Tx, subject: Subject, *, verb: str | None = None) -> Operation | None:
        """The newest operation of the subject that still runs (of this verb), if any: a second DELETE returns it."""
        raise NotImplementedError

    async def progress(
        self, tx: Tx, subject: Subject, *, generation: int, percent: int | None = None, stage: str | None = None
    ) -> None:
        """Report on the subject's running operations up to `generation`. Writes and tells nothing if nothing changed;
        percent never goes back."""
        raise NotImplementedError

    async def settle(
        self, tx: Tx, subject: Subject, *, generation: int, problem: Problem | None = None
    ) -> list[Operation]:
        """End the subject's running operations up to `generation`: done, or failed with `problem`. Those settled."""
        raise NotImplementedError

    async def get(self, operation_id: UUID, actor: Actor) -> Operation:
        """Raises OperationNotFound for one that is absent or not this actor's."""
        raise NotImplementedError

    async def wait(self, operation_id: UUID, *, seconds: float) -> Operation:
        """The operation once it has finished, or as it is when `seconds` are over."""
        raise NotImplementedError

    async def done(self, operation: Operation | None, *, wait: float | None) -> Done:
        """The answer to an action that opened `operation` (None: there was nothing to do). Call it after the commit.

        With `wait`, waits; raises OperationFailed when it failed and Superseded when another wish took its place."""
        raise NotImplementedError

    async def created(self, subject_id: UUID, operation: Operation | None, *, wait: float | None) -> Created:
        """The answer to a create; as `done`."""
        raise NotImplementedError
