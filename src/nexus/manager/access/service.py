"""From a token to who it stands for.

Every request asks, so answers are remembered for a few seconds. Revocation does not wait for that: whoever ends a
session says so by NOTIFY in the same transaction, and every manager forgets it; a manager whose listener is down
remembers nothing at all.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from nexus.kit.db import Db, Listener, Tx
from nexus.manager.access import repository
from nexus.manager.access.models import Actor
from nexus.manager.access.tokens import HOST, SESSION, digest

CHANNEL = "access"
SESSION_LIFE_S = 12 * 3600
"""A session ends this long after its last use …"""
SESSION_LONGEST_S = 30 * 24 * 3600
"""… and this long after its login whatever happens."""
SLIDE_AFTER_S = 300
REMEMBERED_S = 5.0
MOST_REMEMBERED = 10_000


@dataclass(frozen=True)
class _Known:
    who: Actor | UUID
    until: float


class Access:
    """Answers who is behind a token."""

    def __init__(self, db: Db, listener: Listener, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._listener = listener
        self._monotonic = monotonic
        self._known: dict[bytes, _Known] = {}
        self._forgettings = 0
        listener.on(CHANNEL, lambda _: self._forget())

    async def actor_behind(self, token: str) -> Actor | None:
        """The user signed in with this session token, or None when it opens nothing (any more)."""
        if not token.startswith(SESSION):
            return None
        key = digest(token)
        if isinstance(known := self._remembered(key), Actor):
            return known
        asked_at = self._forgettings
        login = await repository.find_login(self._db, key, slide_after_s=SLIDE_AFTER_S)
        if login is None:
            return None
        if login.is_due_to_slide and login.actor.session_id is not None:
            await repository.slide(self._db, login.actor.session_id, life_s=SESSION_LIFE_S, longest_s=SESSION_LONGEST_S)
        self._remember(key, login.actor, asked_at)
        return login.actor

    async def host_behind(self, token: str) -> UUID | None:
        """The host whose credential this is, or None."""
        if not token.startswith(HOST):
            return None
        key = digest(token)
        if isinstance(known := self._remembered(key), UUID):
            return known
        asked_at = self._forgettings
        host_id = await repository.find_host(self._db, key)
        if host_id is not None:
            self._remember(key, host_id, asked_at)
        return host_id

    def revoke(self, tx: Tx) -> None:
        """Have every manager look again at whoever comes next, as soon as `tx` commits. For whoever ends a session,
        changes a role, or removes a user or a host."""
        tx.notify(CHANNEL)
        tx.after_commit(self._forget)

    def _forget(self) -> None:
        self._forgettings += 1
        self._known.clear()

    def _remembered(self, key: bytes) -> Actor | UUID | None:
        known = self._known.get(key)
        return known.who if known is not None and known.until > self._monotonic() else None

    def _remember(self, key: bytes, who: Actor | UUID, asked_at: int) -> None:
        """Not when a revocation came in since the question was put, nor while we could not hear of one."""
        if asked_at != self._forgettings or not self._listener.connected.is_set():
            return
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[key] = _Known(who, self._monotonic() + REMEMBERED_S)
