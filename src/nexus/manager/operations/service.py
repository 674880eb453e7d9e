"""Opening, moving, settling and awaiting operations.

The service that records a wish opens an operation about the generation that wish made; the flow that makes it true
reports progress and settles it. Opening a newer one supersedes those still running for an older generation.
"""

import asyncio
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from nexus.kit import log
from nexus.kit.db import Db, Listener, Tx
from nexus.kit.ids import new_id
from nexus.kit.problems import Problem
from nexus.manager import events, idempotency
from nexus.manager.access.models import Actor
from nexus.manager.operations import repository
from nexus.manager.operations.errors import OperationFailed, OperationNotFound, Superseded
from nexus.manager.operations.models import Operation, Status
from nexus.manager.operations.schemas import Created, Done, OperationBody
from nexus.manager.subjects import Subject

CHANNEL = "operations"


class Operations:
    """One per process; `listener` must not have been started yet."""

    def __init__(self, db: Db, listener: Listener) -> None:
        self._db = db
        self._waiting: dict[str, set[_Awaited]] = {}
        self._is_closing = False
        listener.on(CHANNEL, self._heard)

    async def open(
        self,
        tx: Tx,
        subject: Subject,
        *,
        verb: str,
        generation: int,
        actor: Actor | None,
        within: timedelta | None = None,
        replaces: bool = True,
        vm_id: UUID | None = None,
    ) -> Operation:
        """Promise that `generation` of `subject` will come true. Supersedes the subject's operations that still run for
        an older generation, unless `replaces` is false: only the definition has changed, and those come true with it.
        No actor: the platform itself asked. `within`: its deadline, by the database's clock. `vm_id`: the VM whose
        history it belongs to, of a subject that is no VM itself. Under an Idempotency-Key the answer is kept: that of
        a create for the verb `create`, that of an action for any other."""
        if replaces:
            await self._tell(tx, await repository.supersede(tx, subject, before=generation))
        request_id = log.bound("request_id")
        operation = await repository.add(
            tx,
            new_id(),
            subject,
            verb=verb,
            generation=generation,
            user_id=actor.user_id if actor else None,
            request_id=str(request_id) if request_id else None,
            within=within,
            vm_id=subject.id if subject.kind == "vm" else vm_id,
        )
        await self._tell(tx, [operation])
        await idempotency.keep(tx, first_answer(operation))
        return operation

    async def running(self, tx: Tx, subject: Subject, *, verb: str | None = None) -> Operation | None:
        """The newest operation of the subject that still runs (of this verb), if any: a second DELETE returns it."""
        return await repository.newest_running(tx, subject, verb=verb)

    async def progress(
        self, tx: Tx, subject: Subject, *, generation: int, percent: int | None = None, stage: str | None = None
    ) -> None:
        """Report on the subject's running operations up to `generation`. Writes and tells nothing if nothing changed;
        percent never goes back."""
        changed = await repository.report(tx, subject, generation=generation, percent=percent, stage=stage)
        await self._tell(tx, changed)

    async def note(self, tx: Tx, operation_id: UUID, *, percent: int, stage: str, result: dict[str, Any]) -> None:
        """Report on one operation over several things: how far it is, and what came of each by now."""
        await self._tell(tx, await repository.note(tx, operation_id, percent=percent, stage=stage, result=result))

    async def all_of(self, tx: Tx, operation_ids: Sequence[UUID]) -> list[Operation]:
        """Those of these that there are."""
        return await repository.all_of(tx, operation_ids) if operation_ids else []

    async def supersede(self, tx: Tx, subject: Subject, *, before: int) -> None:
        """End the subject's running operations of a generation older than `before`: nobody wants them any more."""
        await self._tell(tx, await repository.supersede(tx, subject, before=before))

    async def settle(
        self, tx: Tx, subject: Subject, *, generation: int, problem: Problem | None = None
    ) -> list[Operation]:
        """End the subject's running operations up to `generation`: done, or failed with `problem`. Those settled."""
        error = problem.body(None).model_dump() if problem else None
        status = Status.FAILED if problem else Status.DONE
        settled = await repository.settle(tx, subject, generation=generation, status=status, error=error)
        await self._tell(tx, settled)
        return settled

    async def begin(
        self, tx: Tx, subject: Subject, *, generation: int, within_s: Mapping[str, float]
    ) -> datetime | None:
        """The time of the subject's running operations up to `generation` begins now; `within_s` is how long by verb.
        When the subject's first is due, or None: none began."""
        return await repository.begin(tx, subject, generation=generation, within_s=within_s)

    async def late(self, tx: Tx, subject: Subject) -> list[Operation]:
        """The subject's running operations whose deadline has passed, the oldest wish first."""
        return await repository.late(tx, subject)

    async def first_due(self, tx: Tx, subject: Subject) -> datetime | None:
        """When the first of the subject's running operations is due."""
        return await repository.first_due(tx, subject)

    async def fail(self, tx: Tx, operation: Operation, problem: Problem) -> None:
        """End this one operation, if it still runs."""
        await self._tell(tx, await repository.fail(tx, operation.id, problem.body(None).model_dump()))

    async def get(self, operation_id: UUID, actor: Actor) -> Operation:
        """Raises OperationNotFound for one that is absent or not this actor's."""
        operation = await repository.find(self._db, operation_id)
        is_hidden = operation is None or actor.sees_only not in (None, operation.created_by_user_id)
        if operation is None or is_hidden or operation.project_id != actor.project_id:
            raise _not_found(operation_id)
        return operation

    async def wait(self, operation_id: UUID, *, seconds: float) -> Operation:
        """The operation once it has finished, or as it is when `seconds` are over or this process is to end."""
        clock = asyncio.get_running_loop().time
        ends_at = clock() + seconds
        with self._listening(operation_id) as awaited:
            while True:
                awaited.news.clear()
                operation = awaited.ended or await repository.find(self._db, operation_id)
                if operation is None:
                    raise _not_found(operation_id)
                if operation.is_finished or self._is_closing or clock() >= ends_at:
                    return operation
                try:
                    async with asyncio.timeout_at(ends_at):
                        await awaited.news.wait()
                except TimeoutError:
                    continue

    def close(self) -> None:
        """Let nobody wait any more: they are answered how far it is, and ask whoever comes next."""
        self._is_closing = True
        self._heard(None)

    async def done(self, operation: Operation | None, *, wait: float | None) -> Done:
        """The answer to an action that opened `operation` (None: there was nothing to do). Call it after the commit.

        With `wait`, waits; raises OperationFailed when it failed and Superseded when another wish took its place."""
        awaited = await self._await(operation, wait)
        return Done(
            operation_id=operation.id if operation else None,
            operation=OperationBody.of(awaited) if awaited else None,
            status=_told_status(awaited, wait),
        )

    async def created(self, subject_id: UUID, operation: Operation | None, *, wait: float | None) -> Created:
        """The answer to a create; as `done`."""
        awaited = await self._await(operation, wait)
        return Created(
            id=subject_id,
            operation_id=operation.id if operation else None,
            operation=OperationBody.of(awaited) if awaited else None,
            status=_told_status(awaited, wait),
        )

    async def _await(self, operation: Operation | None, wait: float | None) -> Operation | None:
        if operation is None or wait is None:
            return None
        ended = await self.wait(operation.id, seconds=wait)
        if ended.status is Status.FAILED:
            raise OperationFailed(ended)
        if ended.status is Status.SUPERSEDED:
            raise Superseded(
                f"{ended.verb.capitalize()} of {ended.subject_name} gave way to a newer request before it was done.",
                suggestion=f"Look at the {ended.subject_kind}'s state before asking again.",
                subject_id=str(ended.subject_id),
                operation_id=str(ended.id),
            )
        return ended

    async def _tell(self, tx: Tx, changed: list[Operation]) -> None:
        for operation in changed:
            body = OperationBody.of(operation).model_dump(mode="json", exclude={"result"})
            subject = Subject("operation", operation.id, operation.verb, operation.project_id)
            await events.emit(
                tx,
                type="operation.updated",
                subject=subject,
                owner_user_id=operation.created_by_user_id,
                data=body,
            )
            if operation.is_finished:
                tx.notify(CHANNEL, str(operation.id))
                tx.after_commit(partial(self._ended, operation))

    def _ended(self, operation: Operation) -> None:
        """It has ended in this process: who waits for it here need not ask the database."""
        for awaited in self._waiting.get(str(operation.id), ()):
            awaited.ended = operation
            awaited.news.set()

    @contextmanager
    def _listening(self, operation_id: UUID) -> Generator["_Awaited"]:
        awaited, key = _Awaited(), str(operation_id)
        self._waiting.setdefault(key, set()).add(awaited)
        try:
            yield awaited
        finally:
            self._waiting[key].discard(awaited)
            if not self._waiting[key]:
                del self._waiting[key]

    def _heard(self, operation_id: str | None) -> None:
        """None: the connection was lost and found again, so everybody looks for themselves."""
        keys = list(self._waiting) if operation_id is None else [operation_id]
        for key in keys:
            for awaited in self._waiting.get(key, ()):
                awaited.news.set()


class _Awaited:
    """What one who waits for an operation is told."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.ended: Operation | None = None


def first_answer(operation: Operation) -> Created | Done:
    """What the request that opened it is answered without ?wait; kept for whoever sends that request again."""
    if operation.verb == "create":
        return Created(id=operation.subject_id, operation_id=operation.id)
    return Done(operation_id=operation.id)


def _not_found(operation_id: UUID) -> OperationNotFound:
    return OperationNotFound(
        f"There is no operation {operation_id}.",
        suggestion="Finished operations are kept for a week; list them with GET /v1/operations.",
    )


def _told_status(awaited: Operation | None, wait: float | None) -> Status | None:
    if wait is None:
        return None
    return awaited.status if awaited else Status.DONE
