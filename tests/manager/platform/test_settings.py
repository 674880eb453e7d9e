"""Settings: where they come from, and what is said about a wrong one."""

from pathlib import Path

import pytest

from nexus.kit.settings import SettingsError, load
from nexus.manager.settings import ManagerSettings

DATABASE = "postgresql:///nexus"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in ManagerSettings.model_fields.values():
        if field.alias:
            monkeypatch.delenv(field.alias, raising=False)
    monkeypatch.setenv("DATABASE_URL", DATABASE)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "nexus-manager.toml"
    config.write_text('bind = "127.0.0.1:1"\nlog_level = "debug"\n')
    monkeypatch.setenv("MANAGER_BIND", "127.0.0.1:2")
    settings = load(ManagerSettings, config=config)
    assert (settings.bind, settings.log_level, settings.metrics_disabled) == ("127.0.0.1:2", "debug", False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://nexus"),
        ("MANAGER_BIND", "18080"),
        ("MANAGER_BIND", "127.0.0.1:99999"),
        ("MANAGER_BIND", "127.0.0.1:0"),
        ("MANAGER_CPU_OVERCOMMIT", "0.1"),
        ("MANAGER_MEMORY_OVERCOMMIT", "lots"),
        ("MANAGER_RECONCILER_DISABLED", "perhaps"),
        ("MANAGER_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load(ManagerSettings, config=None)
    assert f"environment variable {name}" in str(refused.value)


def test_an_unknown_key_in_the_file_and_a_missing_database_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "nexus-manager.toml"
    config.write_text("bnd = 1\n")
    with pytest.raises(SettingsError, match="bnd"):
        load(ManagerSettings, config=config)
    monkeypatch.delenv("DATABASE_URL")
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        load(ManagerSettings, config=None)


def test_secrets_do_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nexus:hunter2@db/nexus")
    monkeypatch.setenv("MANAGER_SECRET_KEY", "c2VjcmV0")
    printed = repr(load(ManagerSettings, config=None))
    assert "hunter2" not in printed
    assert "c2VjcmV0" not in printed


@pytest.mark.parametrize(
    ("bind", "host", "is_loopback"),
    [
        ("127.0.0.1:18080", "127.0.0.1", True),
        ("localhost:18080", "localhost", True),
        ("[::1]:18080", "::1", True),
        ("0.0.0.0:18080", "0.0.0.0", False),
        ("[::]:18080", "::", False),
        ("127.evil.example:18080", "127.evil.example", False),
    ],
)
def test_loopback_is_told_from_what_others_can_reach(
    monkeypatch: pytest.MonkeyPatch, bind: str, host: str, is_loopback: bool
) -> None:
    monkeypatch.setenv("MANAGER_BIND", bind)
    settings = load(ManagerSettings, config=None)
    assert (settings.host, settings.port, settings.is_loopback) == (host, 18080, is_loopback)
