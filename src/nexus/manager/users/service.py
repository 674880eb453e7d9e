"""Signing in and out, and the first user."""

import math
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from nexus.kit.db import Db, Tx
from nexus.manager import audit
from nexus.manager.access.models import Actor, Role
from nexus.manager.access.service import SESSION_LIFE_S, Access
from nexus.manager.access.tokens import SESSION, digest, mint
from nexus.manager.subjects import Subject
from nexus.manager.users import repository
from nexus.manager.users.errors import TooManyAttempts, WrongCredentials
from nexus.manager.users.models import User
from nexus.manager.users.passwords import UNKNOWN_USER_HASH, hash_password, is_password
from nexus.manager.users.throttle import Throttle

FIRST_USERNAME = FIRST_PASSWORD = "root"  # noqa: S105 - known to everybody, which is why it may not leave loopback

_USERS = Subject("user", UUID(int=0), "")
"""What a failed login is about: nobody in particular, so that the trail does not say which names exist."""


@dataclass(frozen=True)
class Session:
    """A login that has just happened; `token` is nowhere else."""

    token: str
    expires_at: datetime
    user: User


class Users:
    def __init__(self, db: Db, access: Access, *, throttle: Throttle | None = None) -> None:
        self._db = db
        self._access = access
        self._throttle = throttle or Throttle()

    async def sign_in(self, username: str, password: str, *, address: str) -> Session:
        """Raises WrongCredentials; TooManyAttempts after a handful of those from one address."""
        self._require_patience(username, address)
        user = await repository.find_by_name(self._db, username)
        matches = await is_password(user.password_hash if user else UNKNOWN_USER_HASH, password)
        if user is None or not matches:
            self._throttle.failed(username, address)
            async with self._db.transaction() as tx:
                await audit.write_as(tx, None, username, verb="login_failed", subject=_USERS, details={"from": address})
            raise WrongCredentials("The user name or the password is wrong.", suggestion="Check both and try again.")
        self._throttle.succeeded(username, address)
        async with self._db.transaction() as tx:
            return await open_session(tx, user, details={"from": address})

    async def sign_out(self, actor: Actor) -> None:
        """End the session this request came with, everywhere and at once."""
        async with self._db.transaction() as tx:
            if actor.session_id is not None:
                await repository.end_session(tx, actor.session_id)
            self._access.revoke(tx)
            await audit.write(tx, actor, verb="logout", subject=Subject("user", actor.user_id, actor.username))

    async def me(self, actor: Actor) -> User:
        return await repository.get(self._db, actor.user_id)

    async def change_password(self, actor: Actor, current: str, new: str, *, address: str) -> None:
        """Set a new password and end the user's other sessions. Raises WrongCredentials, TooManyAttempts."""
        self._require_patience(actor.username, address)
        user = await repository.get(self._db, actor.user_id)
        if not await is_password(user.password_hash, current):
            self._throttle.failed(actor.username, address)
            raise WrongCredentials("current_password: this is not your password.")
        password_hash = await hash_password(new)
        async with self._db.transaction() as tx:
            await repository.set_password(tx, user.id, password_hash)
            await repository.end_sessions_of(tx, user.id, but=actor.session_id)
            self._access.revoke(tx)
            await audit.write(tx, actor, verb="change_password", subject=Subject("user", actor.user_id, actor.username))

    def _require_patience(self, username: str, address: str) -> None:
        if (left := self._throttle.seconds_left(username, address)) > 0:
            raise TooManyAttempts(
                f"Too many failed logins as {username} from this address.",
                suggestion=f"Wait {math.ceil(left)} seconds before the next attempt.",
            )


async def open_session(tx: Tx, user: User, *, details: dict[str, str]) -> Session:
    """A session for this user, with its row in the audit trail; `details` say how it came about."""
    token = mint(SESSION)
    expires_at = await repository.open_session(tx, user.id, digest(token), life_s=SESSION_LIFE_S)
    await audit.write_as(
        tx, user.id, user.username, verb="login", subject=Subject("user", user.id, user.username), details=details
    )
    return Session(token, expires_at, user)


class DefaultPassword(Exception):
    """The manager would be reachable from elsewhere while somebody still has the password everybody knows."""


async def ensure_first_user(db: Db, *, is_loopback: bool) -> bool:
    """Create `root` with password `root` where there are no users yet; whether it did. Raises DefaultPassword when that
    password is in use, or would be, on a manager that listens beyond loopback."""
    if not is_loopback and (await repository.is_empty(db) or await repository.somebody_has_default_password(db)):
        raise DefaultPassword(
            "MANAGER_BIND is not a loopback address, and the first user's password is still the default. Set it with "
            "'python -m nexus.manager set-password --username root', then start again."
        )
    if not await repository.is_empty(db):
        return False
    password_hash = await hash_password(FIRST_PASSWORD)
    async with db.transaction() as tx:
        user = await repository.add(
            tx, username=FIRST_USERNAME, role=Role.ADMIN, password_hash=password_hash, has_default_password=True
        )
        if user is not None:
            await audit.write(tx, None, verb="create", subject=Subject("user", user.id, user.username))
    return user is not None
