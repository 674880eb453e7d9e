"""Idempotency keys' SQL."""

from dataclasses import dataclass
from uuid import UUID

from nexus.kit.db import Db, Tx


@dataclass(frozen=True)
class Request:
    """What a key stands for: a second request under it must be this very one."""

    user_id: UUID
    key: str
    method: str
    path: str
    body_sha256: bytes


@dataclass(frozen=True)
class Kept:
    """What is known of the first request under a key; no `status`: its answer is not known (yet)."""

    is_same: bool
    status: int | None
    response: bytes | None


async def insert(tx: Tx, request: Request) -> bool:
    """Take the key; false when another transaction has. Waits for one that is about to decide."""
    tag = await tx.execute(
        """
        insert into idempotency_keys (user_id, key, method, path, body_sha256) values ($1, $2, $3, $4, $5)
        on conflict (user_id, key) do nothing
        """,
        request.user_id,
        request.key,
        request.method,
        request.path,
        request.body_sha256,
    )
    return tag != "INSERT 0 0"


async def keep(db: Db | Tx, request: Request, *, status: int, response: bytes) -> None:
    await db.execute(
        "update idempotency_keys set status = $3, response = $4 where user_id = $1 and key = $2",
        request.user_id,
        request.key,
        status,
        response,
    )


async def find(db: Db, request: Request) -> Kept | None:
    row = await db.fetchrow(
        """
        select method = $3 and path = $4 and body_sha256 = $5 as is_same, status, response
        from idempotency_keys where user_id = $1 and key = $2
        """,
        request.user_id,
        request.key,
        request.method,
        request.path,
        request.body_sha256,
    )
    return Kept(row["is_same"], row["status"], row["response"]) if row else None
