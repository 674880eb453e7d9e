"""A key's claim: taken as the first thing in the change's own transaction, so that of any number of requests under one
key exactly one changes anything; the answer is kept before that transaction commits.

The request being served is found through a context variable, for services open their transactions themselves.
"""

from contextvars import ContextVar
from dataclasses import dataclass

from pydantic import BaseModel

from nexus.kit.db import Db, Tx
from nexus.kit.seal import Seal
from nexus.manager.idempotency import repository
from nexus.manager.idempotency.repository import Request


class Replayed(Exception):
    """Another request has taken this key and committed; nothing of this one may happen."""


@dataclass
class Claim:
    """The key of the request being served, and whether the change that took it has committed."""

    request: Request
    seal: Seal
    is_committed: bool = False

    def commit(self) -> None:
        self.is_committed = True

    async def keep(self, db: Db | Tx, *, status: int, body: str) -> None:
        """Keep the answer, sealed: one may hold a secret that is shown only once."""
        sealed = self.seal.seal(body, purpose=_purpose(self.request))
        await repository.keep(db, self.request, status=status, response=sealed)

    def open(self, sealed: bytes) -> str:
        """The body of an answer that was kept."""
        return self.seal.unseal(sealed, purpose=_purpose(self.request))


def _purpose(request: Request) -> str:
    return f"idempotency:{request.user_id}:{request.key}"


current: ContextVar[Claim | None] = ContextVar("idempotency_claim", default=None)


async def take(tx: Tx) -> None:
    """Run at the beginning of every transaction (`Db.on_begin`): the first one of a request under a key takes it."""
    claim = current.get()
    if claim is None or claim.is_committed:
        return
    if not await repository.insert(tx, claim.request):
        raise Replayed
    tx.after_commit(claim.commit)


async def keep(tx: Tx, answer: BaseModel, *, status: int = 200) -> None:
    """Keep what will be answered, together with the change itself, in case this process dies before it has answered.
    Does nothing for a request without a key."""
    claim = current.get()
    if claim is not None and not claim.is_committed:
        await claim.keep(tx, status=status, body=answer.model_dump_json())
