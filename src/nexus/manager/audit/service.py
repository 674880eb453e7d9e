"""The audit trail: who did what to which thing, written in the transaction of the change itself.

Every mutation writes a row; nothing is ever updated or removed by the product. No secret may stand in `details`.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from nexus.kit import log
from nexus.kit.db import Tx
from nexus.kit.ids import new_id
from nexus.manager.access.models import Actor
from nexus.manager.subjects import Subject

_INSERT = """
insert into audit (id, actor_user_id, actor_name, verb, subject_kind, subject_id, subject_name, project_id, request_id,
                   details, vm_id)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""


async def write(
    tx: Tx,
    actor: Actor | None,
    *,
    verb: str,
    subject: Subject,
    details: Mapping[str, Any] | None = None,
    vm_id: UUID | None = None,
) -> None:
    """Record that `actor` did `verb` (`create`, `stop`, `login` …) to `subject`. No actor: the platform itself did.
    `vm_id`: the VM whose history it belongs to, of a subject that is no VM itself."""
    user_id, name = (None, "system") if actor is None else (actor.user_id, actor.username)
    await write_as(tx, user_id, name, verb=verb, subject=subject, details=details, vm_id=vm_id)


async def write_as(
    tx: Tx,
    user_id: UUID | None,
    name: str,
    *,
    verb: str,
    subject: Subject,
    details: Mapping[str, Any] | None = None,
    vm_id: UUID | None = None,
) -> None:
    """For those who are no signed-in users: a host (`host web-a`), a failed login (the name that was tried)."""
    request_id = log.bound("request_id")
    await tx.execute(
        _INSERT,
        new_id(),
        user_id,
        name,
        verb,
        subject.kind,
        subject.id,
        subject.name,
        subject.project_id,
        str(request_id) if request_id else None,
        dict(details or {}),
        subject.id if subject.kind == "vm" else vm_id,
    )
