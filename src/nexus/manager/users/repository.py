"""Users' and sessions' SQL."""

from datetime import datetime
from uuid import UUID

from nexus.kit.db import Reader, Record, Tx
from nexus.kit.ids import new_id
from nexus.manager.access.models import Role
from nexus.manager.users.models import User

_COLUMNS = "id, username, role, password_hash, has_default_password"


def _user(row: Record) -> User:
    return User(row["id"], row["username"], Role(row["role"]), row["password_hash"], row["has_default_password"])


async def find_by_name(reader: Reader, username: str) -> User | None:
    row = await reader.fetchrow(f"select {_COLUMNS} from users where username = $1", username)
    return _user(row) if row else None


async def get(reader: Reader, user_id: UUID) -> User:
    """Raises LookupError when there is none: ids come from sessions, which go with their user."""
    row = await reader.fetchrow(f"select {_COLUMNS} from users where id = $1", user_id)
    if row is None:
        raise LookupError(f"no user {user_id}")
    return _user(row)


async def is_empty(reader: Reader) -> bool:
    return not await reader.fetchval("select exists (select from users)")


async def somebody_has_default_password(reader: Reader) -> bool:
    return bool(await reader.fetchval("select exists (select from users where has_default_password)"))


async def add(
    tx: Tx, *, username: str, role: Role, password_hash: str, has_default_password: bool = False
) -> User | None:
    """The new user; None when the name is taken."""
    row = await tx.fetchrow(
        f"""
        insert into users (id, username, role, password_hash, has_default_password) values ($1, $2, $3, $4, $5)
        on conflict (username) do nothing returning {_COLUMNS}
        """,
        new_id(),
        username,
        role.value,
        password_hash,
        has_default_password,
    )
    return _user(row) if row else None


async def set_password(tx: Tx, user_id: UUID, password_hash: str) -> None:
    await tx.execute(
        "update users set password_hash = $2, has_default_password = false, updated_at = now() where id = $1",
        user_id,
        password_hash,
    )


async def open_session(tx: Tx, user_id: UUID, token_sha256: bytes, *, life_s: int) -> datetime:
    """When the session ends unless it is used."""
    return await tx.fetchval(
        """
        insert into sessions (id, user_id, token_sha256, expires_at)
        values ($1, $2, $3, now() + make_interval(secs => $4)) returning expires_at
        """,
        new_id(),
        user_id,
        token_sha256,
        float(life_s),
    )


async def end_session(tx: Tx, session_id: UUID) -> None:
    await tx.execute("delete from sessions where id = $1", session_id)


async def end_sessions_of(tx: Tx, user_id: UUID, *, but: UUID | None) -> None:
    """End every session of a user except `but`."""
    await tx.execute("delete from sessions where user_id = $1 and id is distinct from $2", user_id, but)
