"""The embedded PostgreSQL: made whole or not at all, reachable by its own uid only."""

import stat
from pathlib import Path

import asyncpg
import pytest

from nexus.local import postgres
from nexus.local.errors import CannotStart


async def test_the_server_answers_on_its_socket_and_nowhere_else(postgres_server: postgres.Postgres) -> None:
    connection = await asyncpg.connect(postgres_server.url())
    try:
        assert await connection.fetchval("select current_setting('listen_addresses')") == ""
        assert await connection.fetchval("select current_database()") == postgres.DATABASE
    finally:
        await connection.close()


def test_only_the_servers_own_uid_can_enter_the_socket_directory(postgres_server: postgres.Postgres) -> None:
    found = postgres_server.socket_dir.stat()
    assert stat.S_IMODE(found.st_mode) == 0o700
    assert found.st_uid == postgres_server.uid


def test_a_running_server_is_found_by_its_cluster(postgres_server: postgres.Postgres) -> None:
    assert postgres.running_server(postgres_server.data) is not None


async def test_each_test_has_a_database_of_its_own(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("select count(*) from pg_stat_user_tables") == 0
    finally:
        await connection.close()


def test_a_pid_file_that_names_another_process_is_removed(short_tmp: Path) -> None:
    (short_tmp / "postmaster.pid").write_text("1\n/elsewhere\n")
    assert postgres.running_server(short_tmp) is None
    assert not (short_tmp / "postmaster.pid").exists()


def test_a_cluster_left_half_made_is_made_again(short_tmp: Path) -> None:
    half = short_tmp / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    made = postgres.prepare(data=short_tmp / "postgres", socket_dir=short_tmp / "pg", cache=short_tmp)
    assert (made.data / "base").is_dir()
    assert not half.exists()


def test_a_cluster_of_another_major_version_is_refused(short_tmp: Path) -> None:
    (short_tmp / "postgres").mkdir()
    (short_tmp / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(CannotStart, match="made by PostgreSQL 15"):
        postgres.prepare(data=short_tmp / "postgres", socket_dir=short_tmp / "pg", cache=short_tmp)


def test_a_copy_of_the_programs_makes_a_cluster_like_the_wheels_own(
    postgres_server: postgres.Postgres, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = postgres.copy_programs(postgres_server.programs, cache=short_tmp)
    assert copy.is_relative_to(short_tmp)

    def find_copy(_uid: int, _gid: int, *, cache: Path) -> Path:
        assert cache == short_tmp
        return copy

    monkeypatch.setattr(postgres, "find_programs", find_copy)
    made = postgres.prepare(data=short_tmp / "postgres", socket_dir=short_tmp / "pg", cache=short_tmp)
    assert (made.data / "base").is_dir()
    assert made.command()[0].startswith(str(short_tmp))
