"""What an agent for another machine's manager is told: where it listens, what it says of that, and what it refuses."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.manager.conftest import free_port

from nexus.agent.listening import SocketTaken, address_of, bind_tcp
from nexus.agent.settings import AgentSettings
from nexus.kit.settings import SettingsError, load


def settings(**values: Any) -> AgentSettings:
    return AgentSettings.model_validate(values)


@pytest.mark.parametrize(
    ("given", "tcp"),
    [
        ({}, None),
        ({"manager": "http://127.0.0.1:18080"}, None),
        ({"manager": "https://localhost"}, None),
        ({"manager": "https://[::1]:18080"}, None),
        ({"manager": "https://manager.lab:18080"}, ("0.0.0.0", 18081)),
        ({"manager": "https://manager.lab", "bind": "unix:/run/x.sock"}, None),
        ({"manager": "https://manager.lab", "bind": "10.0.0.2:1"}, ("10.0.0.2", 1)),
        ({"manager": "http://127.0.0.1:18080", "bind": "[::1]:18081"}, ("::1", 18081)),
    ],
)
def test_an_agent_is_on_tcp_when_its_manager_is_elsewhere_or_it_is_told_so(
    given: dict[str, Any], tcp: tuple[str, int] | None
) -> None:
    assert settings(**given).tcp == tcp


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({"bind": "127.0.0.2:18081"}, "https://127.0.0.2:18081"),
        ({"bind": "[::1]:18081"}, "https://[::1]:18081"),
        ({"bind": "0.0.0.0:18081"}, "https://127.0.0.1:18081"),
        ({"bind": "0.0.0.0:18081", "advertise": "far.lab:443"}, "https://far.lab:443"),
        ({"bind": "unix:/run/x.sock"}, "unix:/run/x.sock"),
    ],
)
async def test_managers_are_told_an_address_that_they_can_reach(given: dict[str, Any], address: str) -> None:
    assert await address_of(settings(manager="http://127.0.0.1:18080", **given)) == address


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"MANAGER_BASE": "http://10.0.0.1:18080"}, "must be https://"),
        ({"MANAGER_BASE": "http://127.evil.example"}, "AGENT_ALLOW_PLAIN_HTTP"),
        ({"AGENT_BIND": "0.0.0.0:18081"}, "is needed"),
        ({"AGENT_BIND": "0.0.0.0:99999"}, "host:port"),
        ({"AGENT_BIND": "far.lab"}, "host:port"),
        ({"AGENT_ADVERTISE": "0.0.0.0:18081"}, "managers can connect to"),
        ({"MANAGER_BASE": "https://"}, "must be a URL"),
    ],
)
def test_what_would_be_unsafe_or_useless_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], words: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load(AgentSettings, config=None)
    assert words in str(refused.value)


def test_plain_http_to_another_machine_takes_a_word_of_its_own() -> None:
    allowed = settings(manager="http://10.0.0.1:18080", allow_plain_http=True)
    assert allowed.manager == "http://10.0.0.1:18080"


def test_a_port_is_taken_before_anybody_is_answered_on_it() -> None:
    port = free_port()
    with bind_tcp("127.0.0.1", port) as first:
        first.listen()
        with pytest.raises(SocketTaken, match=f"port {port}"):
            bind_tcp("127.0.0.1", port)


def test_a_manager_that_vanished_is_hung_up_on() -> None:
    """Whoever watches says nothing for hours: only the kernel can tell that nobody is there any more."""
    with bind_tcp("127.0.0.1", free_port()) as listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()[:2]):
            listener.setblocking(True)
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                patience_s = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) + (
                    accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
                    * accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
                )
    assert patience_s == 60


def agent(data: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    env = os.environ | {"AGENT_VMM": "fake", "NEXUS_DATA_DIR": str(data)}
    command = [sys.executable, "-m", "nexus.agent", *options]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_line_is_refused_as_the_settings_are(short_tmp: Path) -> None:
    plain = agent(short_tmp, "--join", "http://192.0.2.1:18080", "--token", "nxj_secret")
    assert plain.returncode == 78
    assert "must be https://" in plain.stderr
    assert "given by the command line" in plain.stderr
    assert "nxj_secret" not in plain.stderr
    ca = short_tmp / "ca.pem"
    ca.write_text("nonsense")
    for file in (ca, short_tmp / "none.pem"):
        unusable = agent(short_tmp, "--join", "https://localhost:1", "--ca", str(file))
        assert unusable.returncode == 78
        assert f"AGENT_MANAGER_CA: {file} holds no certificates" in unusable.stderr
