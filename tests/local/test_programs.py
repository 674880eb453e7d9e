"""What the supervisor tells manager and agent, and where it reaches them."""

from pathlib import Path

import pytest

from nexus.local import programs
from nexus.local.errors import CannotStart
from nexus.local.place import Place


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MANAGER_BIND", "MANAGER_TLS_CERT", "MANAGER_LOCAL_BIND", "AGENT_BIND"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(data=tmp_path, runtime=tmp_path / "run")


def test_a_manager_with_a_certificate_is_reached_on_a_plain_port_of_this_machine(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = programs.manager_settings(place, None)
    assert programs.local_bind(given, "0.0.0.0:18080") is None
    monkeypatch.setenv("MANAGER_TLS_CERT", "/etc/nexus/cert.pem")
    assert programs.local_bind(given, "0.0.0.0:18080") == "127.0.0.1:18082"
    program = programs.manager(place, given, database_url="postgresql:///x", bind="0.0.0.0:18080", url="http://x")
    assert program.env["MANAGER_LOCAL_BIND"] == "127.0.0.1:18082"
    monkeypatch.setenv("MANAGER_LOCAL_BIND", "127.0.0.1:1")
    assert programs.local_bind(given, "0.0.0.0:18080") == "127.0.0.1:1"


def test_the_same_from_a_settings_file(place: Place) -> None:
    (place.data / "nexus-manager.toml").write_text('tls_cert = "/c.pem"\ntls_key = "/k.pem"\nbind = "[::]:443"\n')
    assert programs.local_bind(programs.manager_settings(place, None), "[::]:443") == "127.0.0.1:445"


def test_the_agent_beside_a_manager_stays_on_its_socket(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    given = programs.agent_settings(place, None)
    program = programs.agent(place, given, url="http://127.0.0.1:18082", image_root=place.images)
    assert program.env["AGENT_BIND"] == f"unix:{place.agent_socket}"
    assert program.env["MANAGER_BASE"] == "http://127.0.0.1:18082"
    monkeypatch.setenv("AGENT_BIND", "0.0.0.0:18081")
    with pytest.raises(CannotStart, match="nexus agent --join"):
        programs.agent(place, given, url="http://127.0.0.1:18082", image_root=place.images)
