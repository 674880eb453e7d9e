"""The SQL of the authority: one row."""

from uuid import UUID

from asyncpg import Record

from nexus.kit.db import Db


async def find(db: Db) -> "Record | None":
    return await db.fetchrow("select id, certificate, key_sealed from certificate_authority")


async def add_first(db: Db, ca_id: UUID, *, certificate: str, key_sealed: bytes) -> None:
    """Keep this one, unless there is one already."""
    await db.execute(
        "insert into certificate_authority (id, certificate, key_sealed) values ($1, $2, $3) on conflict do nothing",
        ca_id,
        certificate,
        key_sealed,
    )
