"""Keeping users' public SSH keys, and handing them to what is being created.

A key here opens nothing by itself: it is copied into a VM when that is created. Renaming or deleting it changes no VM.
"""

from collections.abc import Sequence
from uuid import UUID

from nexus.kit.db import Db, Reader, Tx
from nexus.kit.envelopes import item_json
from nexus.kit.ids import new_id, read_id
from nexus.kit.paging import Page
from nexus.kit.versions import ANY, Expected
from nexus.manager import audit, events, idempotency
from nexus.manager.access import Actor
from nexus.manager.operations import Created
from nexus.manager.platform import Built, Platform
from nexus.manager.ssh_keys import public_key, repository
from nexus.manager.ssh_keys.errors import SshKeyNotFound
from nexus.manager.ssh_keys.models import SshKey
from nexus.manager.ssh_keys.repository import NewSshKey
from nexus.manager.ssh_keys.schemas import CreateSshKey, PatchSshKey


def build(platform: Platform) -> Built:
    """This slice over the platform."""
    return Built(services=(SshKeys(platform.db),))


class SshKeys:
    def __init__(self, db: Db) -> None:
        self._db = db

    async def list(self, actor: Actor, page: Page, *, name: str | None, q: str | None) -> bytes:
        return await repository.list_json(
            self._db, page, project_id=actor.project_id, sees_only=actor.sees_only, name=name, q=q
        )

    async def get(self, actor: Actor, key_id: UUID) -> bytes:
        """The answer `{"item": …}`. Raises SshKeyNotFound."""
        item = await repository.find_json(self._db, key_id, project_id=actor.project_id, sees_only=actor.sees_only)
        if item is None:
            raise SshKeyNotFound
        return item_json(item)

    async def create(self, actor: Actor, wanted: CreateSshKey) -> Created:
        """Keep a key for the actor. Raises PublicKeyRefused, SshKeyKnown or SshKeyNameTaken."""
        key = public_key.parse(wanted.public_key, field="public_key")
        new = NewSshKey(
            id=new_id(), project_id=actor.project_id, created_by_user_id=actor.user_id, name=wanted.name, key=key
        )
        answer = Created(id=new.id)
        async with self._db.transaction() as tx:
            await repository.add(tx, new)
            details = {"type": key.type, "fingerprint": key.fingerprint}
            await audit.write(tx, actor, verb="create", subject=new.subject, details=details)
            await events.emit(tx, type="ssh_key.created", subject=new.subject, owner_user_id=actor.user_id)
            await idempotency.keep(tx, answer)
        return answer

    async def edit(self, actor: Actor, key_id: UUID, changes: PatchSshKey, *, expected: Expected = ANY) -> None:
        """Give a key another name. Raises SshKeyNotFound or SshKeyNameTaken."""
        async with self._db.transaction() as tx:
            key = await _lock(tx, actor, key_id, expected)
            await repository.rename(tx, key_id, changes.name)
            await audit.write(tx, actor, verb="edit", subject=key.subject, details=changes.model_dump())
            await events.emit(tx, type="ssh_key.updated", subject=key.subject, owner_user_id=key.created_by_user_id)

    async def delete(self, actor: Actor, key_id: UUID, *, expected: Expected = ANY) -> None:
        """Forget a key; VMs that were made with it keep it. Raises SshKeyNotFound."""
        async with self._db.transaction() as tx:
            key = await _lock(tx, actor, key_id, expected)
            await repository.remove(tx, key_id)
            await audit.write(tx, actor, verb="delete", subject=key.subject)
            await events.emit(tx, type="ssh_key.deleted", subject=key.subject, owner_user_id=key.created_by_user_id)


async def _lock(tx: Tx, actor: Actor, key_id: UUID, expected: Expected) -> SshKey:
    """The key, to be changed. Raises SshKeyNotFound, or Stale when it is not what the actor has seen."""
    key = await repository.lock(tx, key_id, project_id=actor.project_id, sees_only=actor.sees_only)
    await expected.require(
        lambda: repository.find_json(tx, key_id, project_id=actor.project_id, sees_only=actor.sees_only)
    )
    return key


async def authorize(reader: Reader, actor: Actor, *, given: Sequence[str], named: Sequence[str]) -> list[str]:
    """The lines of authorized_keys that a request asks for: keys `given` in it (field `ssh_authorized_keys`), and
    registered ones by name, of the actor's own, or by id. Each line once. Raises PublicKeyRefused or SshKeyNotFound."""
    lines = [public_key.parse(text, field=f"ssh_authorized_keys.{place}").line for place, text in enumerate(given)]
    wanted = [read_id(name) or name for name in named]
    if not wanted:
        return list(dict.fromkeys(lines))
    known = await repository.lines(
        reader,
        project_id=actor.project_id,
        owner=actor.user_id,
        sees_only=actor.sees_only,
        named=[one for one in wanted if isinstance(one, str)],
        ids=[one for one in wanted if isinstance(one, UUID)],
    )
    for one in wanted:
        if one not in known:
            raise SshKeyNotFound(str(one))
        lines.append(known[one])
    return list(dict.fromkeys(lines))
