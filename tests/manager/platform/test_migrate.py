"""Migrations: each once, whole or not at all, and never over a history that is not ours."""

import asyncio
import hashlib

import asyncpg
import pytest

from nexus.manager.migrate import Migration, MigrationError, migrate, missing, packaged

ONE = Migration(1, "0001_one.sql", "create table one (id int);")
TWO = Migration(2, "0002_two.sql", "create table two (id int); insert into two values (1);")
BROKEN = Migration(2, "0002_two.sql", "create table two (id int); insert into nowhere values (1);")


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
        return {row["tablename"] for row in rows} - {"migrations"}
    finally:
        await connection.close()


async def test_what_is_missing_is_applied_once_and_in_order(database_url: str) -> None:
    assert await migrate(database_url, [ONE]) == ["0001_one.sql"]
    assert await migrate(database_url, [ONE, TWO]) == ["0002_two.sql"]
    assert await migrate(database_url, [ONE, TWO]) == []
    assert await tables(database_url) == {"one", "two"}


async def test_many_managers_starting_at_once_apply_each_migration_once(database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(database_url) for _ in range(5)))
    assert sorted(len(names) for names in applied) == [0, 0, 0, 0, len(packaged())]


async def test_a_migration_that_fails_leaves_nothing_of_itself(database_url: str) -> None:
    with pytest.raises(MigrationError, match=r"0002_two\.sql failed and was rolled back"):
        await migrate(database_url, [ONE, BROKEN])
    assert await tables(database_url) == {"one"}
    assert await migrate(database_url, [ONE, TWO]) == ["0002_two.sql"]


async def test_what_is_missing_can_be_asked_for_without_applying_it(database_url: str) -> None:
    assert await missing(database_url, [ONE, TWO]) == [ONE.name, TWO.name]
    await migrate(database_url, [ONE])
    assert await missing(database_url, [ONE, TWO]) == [TWO.name]
    assert await tables(database_url) == {"one"}
    with pytest.raises(MigrationError, match="newer than this program"):
        await missing(database_url, [])


async def test_a_database_newer_than_the_code_is_refused(database_url: str) -> None:
    await migrate(database_url, [ONE, TWO])
    with pytest.raises(MigrationError, match="newer than this program"):
        await migrate(database_url, [ONE])


async def test_an_applied_migration_that_was_edited_is_refused_and_nothing_applied(database_url: str) -> None:
    await migrate(database_url, [ONE])
    edited = Migration(1, ONE.name, ONE.sql + " -- harmless")
    with pytest.raises(MigrationError, match=r"0001_one\.sql has changed"):
        await migrate(database_url, [edited, TWO])
    assert await tables(database_url) == {"one"}


def test_the_packaged_migrations_are_numbered_without_gaps() -> None:
    assert [migration.number for migration in packaged()] == list(range(1, len(packaged()) + 1))
    assert packaged()[0].sha256 == hashlib.sha256(packaged()[0].sql.encode()).hexdigest()
