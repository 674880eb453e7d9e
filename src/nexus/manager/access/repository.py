"""Who a token belongs to, in one indexed query each."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from nexus.kit.db import Db
from nexus.manager.access.models import Actor, Role


@dataclass(frozen=True)
class Login:
    """A session that is valid now, and until when."""

    actor: Actor
    expires_at: datetime
    is_due_to_slide: bool


async def find_login(db: Db, token_sha256: bytes, *, slide_after_s: int) -> Login | None:
    """The login behind a session token, unless it has expired. It is due to slide when it was last used more than
    `slide_after_s` ago, so that an active session costs one write in that time and not one a request."""
    row = await db.fetchrow(
        """
        select s.id, s.expires_at, s.last_used_at < now() - make_interval(secs => $2) as is_due, u.id as user_id,
               u.username, u.role
        from sessions s join users u on u.id = s.user_id
        where s.token_sha256 = $1 and s.expires_at > now()
        """,
        token_sha256,
        float(slide_after_s),
    )
    if row is None:
        return None
    actor = Actor(row["user_id"], row["username"], Role(row["role"]), session_id=row["id"])
    return Login(actor, row["expires_at"], row["is_due"])


async def slide(db: Db, session_id: UUID, *, life_s: int, longest_s: int) -> None:
    """Let a session live for `life_s` from now, though never longer than `longest_s` in all."""
    await db.execute(
        """
        update sessions set last_used_at = now(),
            expires_at = least(now() + make_interval(secs => $2), created_at + make_interval(secs => $3))
        where id = $1
        """,
        session_id,
        float(life_s),
        float(longest_s),
    )


async def find_host(db: Db, credential_sha256: bytes) -> UUID | None:
    return await db.fetchval("select id from hosts where credential_sha256 = $1", credential_sha256)
