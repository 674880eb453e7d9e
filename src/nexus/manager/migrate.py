"""Bringing the database's schema up to the code: numbered SQL files, each applied once, in its own transaction.

Any number of managers may start at once: an advisory lock lets one at a time look. A migration that has been applied
is history: if its file has changed since, or the database holds one this code does not know, nothing is touched.
"""

import hashlib
import re
from dataclasses import dataclass
from importlib import resources

import asyncpg

from nexus.kit import log

_log = log.get("migrate")

_LOCK = 0x6E65787573  # "nexus"
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class MigrationError(Exception):
    """The database and this code do not belong together; the message says how they differ and what to do."""


@dataclass(frozen=True)
class Migration:
    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def packaged() -> list[Migration]:
    """The migrations of this code, in order."""
    found: list[Migration] = []
    for file in (resources.files("nexus.manager") / "migrations").iterdir():
        if match := _NAME.fullmatch(file.name):
            found.append(Migration(int(match[1]), file.name, file.read_text()))
    return sorted(found, key=lambda migration: migration.number)


async def migrate(dsn: str, migrations: list[Migration] | None = None) -> list[str]:
    """Apply what is missing; the names of what was applied now. Raises MigrationError."""
    wanted = packaged() if migrations is None else migrations
    connection = await asyncpg.connect(dsn, server_settings={"application_name": "nexus migrate"})
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        applied = await _applied(connection)
        _require_history(wanted, applied)
        missing = [migration for migration in wanted if migration.number not in applied]
        for migration in missing:
            await _apply(connection, migration)
            _log.info("migrated", migration=migration.name)
        return [migration.name for migration in missing]
    finally:
        await connection.close()


async def missing(dsn: str, migrations: list[Migration] | None = None) -> list[str]:
    """The names of what `migrate` would apply; nothing is changed. Raises MigrationError where it would refuse."""
    wanted = packaged() if migrations is None else migrations
    connection = await asyncpg.connect(dsn, server_settings={"application_name": "nexus migrate"})
    try:
        has_any = await connection.fetchval("select to_regclass('migrations') is not null")
        applied = await _recorded(connection) if has_any else {}
        _require_history(wanted, applied)
        return [migration.name for migration in wanted if migration.number not in applied]
    finally:
        await connection.close()


async def _applied(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[int, tuple[str, str]]:
    await connection.execute("""
        create table if not exists migrations (
            number integer primary key, name text not null, sha256 text not null,
            applied_at timestamptz not null default now())
        """)
    return await _recorded(connection)


async def _recorded(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[int, tuple[str, str]]:
    rows = await connection.fetch("select number, name, sha256 from migrations")
    return {row["number"]: (row["name"], row["sha256"]) for row in rows}


def _require_history(wanted: list[Migration], applied: dict[int, tuple[str, str]]) -> None:
    known = {migration.number: migration for migration in wanted}
    for number, (name, sha256) in sorted(applied.items()):
        if number not in known:
            raise MigrationError(
                f"The database is newer than this program: it has had the migration {name}, which this version does "
                "not know. Start the version that made it, or a later one."
            )
        if known[number].sha256 != sha256:
            raise MigrationError(
                f"The migration {known[number].name} has changed since it was applied to this database. An applied "
                "migration must stay as it is: restore the file and put the change into a new one."
            )


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "insert into migrations (number, name, sha256) values ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.sha256,
            )
    except asyncpg.PostgresError as refused:
        raise MigrationError(f"The migration {migration.name} failed and was rolled back: {refused}") from refused
