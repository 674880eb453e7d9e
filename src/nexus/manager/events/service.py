"""Emitting events: what changed, told in the transaction that changes it.

`seq` grows by one in commit order, or a reader would skip what commits late: the counter's row is locked as the last
thing in the transaction (a `before_commit` hook) and held to its end.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from nexus.kit.db import Tx
from nexus.manager.events import repository
from nexus.manager.events.repository import New
from nexus.manager.subjects import Subject

CHANNEL = "events"


async def emit(
    tx: Tx, *, type: str, subject: Subject, owner_user_id: UUID | None, data: Mapping[str, Any] | None = None
) -> None:
    """Tell whoever may see `subject` (admins, viewers and `owner_user_id`) that something of `type` happened to it.

    `type` is `noun.what` (`vm.created`, `vm.state_changed`, `operation.updated`). `data` is small, of JSON values, and
    without secrets: a reader fetches the rest. It is written at the end of the transaction."""
    if tx not in _told:
        _told[tx] = []
        tx.before_commit(_append)
    _told[tx].append(New(type, subject, owner_user_id, dict(data or {})))
    tx.notify(CHANNEL)


_told: WeakKeyDictionary[Tx, list[New]] = WeakKeyDictionary()
"""What open transactions have emitted and not written yet: they write it at once."""


async def _append(tx: Tx) -> None:
    await repository.append(tx, _told.pop(tx))
