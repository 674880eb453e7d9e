"""The SQL of SSH keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from nexus.kit.db import Reader, Tx
from nexus.kit.paging import Page, conditions
from nexus.manager.access import visible_to
from nexus.manager.ssh_keys.errors import SshKeyKnown, SshKeyNameTaken, SshKeyNotFound
from nexus.manager.ssh_keys.models import COLUMNS, KIND, PublicKey, SshKey, ssh_key_of
from nexus.manager.subjects import Subject

_IS_VISIBLE = f"k.project_id = $1 and {visible_to(2, owner='k.created_by_user_id')}"
ITEM = """
json_build_object(
    'id', k.id, 'name', k.name, 'type', k.type, 'bits', k.bits, 'comment', k.comment, 'fingerprint', k.fingerprint,
    'public_key', k.public_key, 'created_by_user_id', k.created_by_user_id, 'created_at', k.created_at,
    'updated_at', k.updated_at
)
"""
"""An SSH key as `schemas.SshKeyBody` describes it."""


async def list_json(
    reader: Reader, page: Page, *, project_id: UUID, sees_only: UUID | None, name: str | None, q: str | None
) -> bytes:
    """The answer of `GET /v1/ssh-keys`."""
    args: list[object] = []
    where = conditions(
        args,
        ("k.project_id = {}", project_id),
        ("k.created_by_user_id = {}", sees_only),
        ("k.name = {}", name),
        ("strpos(lower(concat_ws(' ', k.name, k.comment, k.fingerprint)), lower({})) > 0", q),
    )
    sql = page.json_query(item=ITEM, source="ssh_keys k", where=where, args=args)
    return page.json_answer(await reader.fetchrow(sql, *args))


async def find_json(reader: Reader, key_id: UUID, *, project_id: UUID, sees_only: UUID | None) -> str | None:
    """One key as JSON text, if the asker may see it."""
    return await reader.fetchval(
        f"select ({ITEM})::text from ssh_keys k where {_IS_VISIBLE} and k.id = $3", project_id, sees_only, key_id
    )


async def lock(tx: Tx, key_id: UUID, *, project_id: UUID, sees_only: UUID | None) -> SshKey:
    """The key, locked until `tx` ends. Raises SshKeyNotFound, also for one that is not the asker's."""
    row = await tx.fetchrow(
        f"select {COLUMNS} from ssh_keys k where {_IS_VISIBLE} and k.id = $3 for update", project_id, sees_only, key_id
    )
    if row is None:
        raise SshKeyNotFound
    return ssh_key_of(row)


@dataclass(frozen=True, kw_only=True)
class NewSshKey:
    id: UUID
    project_id: UUID
    created_by_user_id: UUID
    name: str
    key: PublicKey

    @property
    def subject(self) -> Subject:
        return Subject(KIND, self.id, self.name, self.project_id)


async def add(tx: Tx, new: NewSshKey) -> None:
    """Add a key. Raises SshKeyKnown when its owner has it already, else SshKeyNameTaken."""
    added = await tx.fetchval(
        """
        insert into ssh_keys (id, project_id, created_by_user_id, name, type, bits, comment, fingerprint, public_key)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing returning id
        """,
        new.id,
        new.project_id,
        new.created_by_user_id,
        new.name,
        new.key.type,
        new.key.bits,
        new.key.comment,
        new.key.fingerprint,
        new.key.line,
    )
    if added is None:
        known_as = await tx.fetchval(
            "select name from ssh_keys where project_id = $1 and created_by_user_id = $2 and fingerprint = $3",
            new.project_id,
            new.created_by_user_id,
            new.key.fingerprint,
        )
        raise SshKeyKnown(new.name, known_as) if known_as else SshKeyNameTaken(new.name)


async def rename(tx: Tx, key_id: UUID, name: str) -> None:
    """Raises SshKeyNameTaken."""
    try:
        await tx.execute("update ssh_keys set name = $2, updated_at = now() where id = $1", key_id, name)
    except asyncpg.UniqueViolationError as taken:
        raise SshKeyNameTaken(name) from taken


async def remove(tx: Tx, key_id: UUID) -> None:
    await tx.execute("delete from ssh_keys where id = $1", key_id)


async def lines(
    reader: Reader, *, project_id: UUID, owner: UUID, sees_only: UUID | None, named: Sequence[str], ids: Sequence[UUID]
) -> dict[str | UUID, str]:
    """Lines of authorized_keys by name (of `owner`'s keys) and by id (of keys that the asker may see)."""
    rows = await reader.fetch(
        f"""
        select k.id, k.name, k.public_key, k.created_by_user_id = $3 as is_own from ssh_keys k
        where {_IS_VISIBLE} and ((k.created_by_user_id = $3 and k.name = any($4)) or k.id = any($5))
        """,
        project_id,
        sees_only,
        owner,
        list(named),
        list(ids),
    )
    by_name: dict[str | UUID, str] = {row["name"]: row["public_key"] for row in rows if row["is_own"]}
    return by_name | {row["id"]: row["public_key"] for row in rows}
