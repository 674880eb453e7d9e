"""What may be done to accounts by whoever can reach the database directly: the operator of this installation."""

import getpass
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC

from nexus.kit.db import Db
from nexus.manager import audit
from nexus.manager.access.models import Role
from nexus.manager.access.service import CHANNEL
from nexus.manager.migrate import migrate
from nexus.manager.subjects import Subject
from nexus.manager.users import repository
from nexus.manager.users.passwords import hash_password
from nexus.manager.users.service import FIRST_USERNAME, open_session

SHORTEST_PASSWORD = 8


class AccountError(Exception):
    """What was asked for cannot be done to this account; the message says why."""


async def mint_session(dsn: str, username: str) -> dict[str, str | bool]:
    """Sign a user in without a password: `{"token", "username", "expires_at", "has_default_password"}`.

    Raises AccountError."""
    async with _database(dsn) as db:
        user = await repository.find_by_name(db, username)
        if user is None:
            raise AccountError(f"there is no user {username}; start the manager once to make the first one")
        async with db.transaction() as tx:
            session = await open_session(tx, user, details={"from": "mint-session"})
    expires_at = session.expires_at.astimezone(UTC).isoformat()
    return {
        "token": session.token,
        "username": user.username,
        "expires_at": expires_at,
        "has_default_password": user.has_default_password,
    }


async def set_password(dsn: str, username: str, password: str) -> None:
    """Set a password and end the user's sessions; the first user is made if there is none. Raises AccountError."""
    if len(password) < SHORTEST_PASSWORD:
        raise AccountError(f"a password has at least {SHORTEST_PASSWORD} characters")
    await migrate(dsn)
    password_hash = await hash_password(password)
    async with _database(dsn) as db, db.transaction() as tx:
        user = await repository.find_by_name(tx, username)
        if user is None and username == FIRST_USERNAME and await repository.is_empty(tx):
            user = await repository.add(tx, username=username, role=Role.ADMIN, password_hash=password_hash)
        if user is None:
            raise AccountError(f"there is no user {username}")
        await repository.set_password(tx, user.id, password_hash)
        await repository.end_sessions_of(tx, user.id, but=None)
        tx.notify(CHANNEL)
        await audit.write(tx, None, verb="change_password", subject=Subject("user", user.id, username))


def read_password(username: str) -> str:
    """From the terminal without echo, or the first line of standard input."""
    if sys.stdin.isatty():
        return getpass.getpass(f"New password for {username}: ")
    return sys.stdin.readline().rstrip("\n")


@asynccontextmanager
async def _database(dsn: str) -> AsyncGenerator[Db]:
    db = Db(dsn, min_size=1, max_size=1)
    await db.open()
    try:
        yield db
    finally:
        await db.close()
