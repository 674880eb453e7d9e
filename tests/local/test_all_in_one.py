"""`nexus up` and `down` as a person meets them: real database, manager and agent (with the fake hypervisor)."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nexus.kit.paths import runtime_dir
from nexus.local import identity
from nexus.local.images import Store


@dataclass(frozen=True)
class Installation:
    data: Path
    port: int
    images: Store

    def nexus(self, *arguments: str, port: int | None = None) -> subprocess.CompletedProcess[str]:
        settings = {
            "NEXUS_DATA_DIR": str(self.data),
            "NEXUS_CONFIG_DIR": str(self.data.parent / "config"),
            "MANAGER_BIND": f"127.0.0.1:{port or self.port}",
            "MANAGER_IMAGE_ROOT": str(self.images.root),
            "AGENT_VMM": "fake",
            "AGENT_NETWORK": "user",
            "AGENT_USER_NET_RESTRICT": "1",
        }
        return subprocess.run(
            [sys.executable, "-m", "nexus.cli", *arguments],
            env=os.environ | settings,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def pid_of(self, name: str) -> identity.Identity | None:
        return identity.running(runtime_dir(self.data) / f"{name}.pid")


@pytest.fixture
def installation(short_tmp: Path, built_images: Store) -> Iterator[Installation]:
    """A place of its own, with images ready so that nothing is downloaded."""
    data = short_tmp / "data"
    (data / "cache").mkdir(parents=True)
    for modules in (built_images.root.parent / "cache").glob("modules-*"):
        shutil.copy(modules, data / "cache")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    made = Installation(data=data, port=port, images=built_images)
    yield made
    made.nexus("down")
    shutil.rmtree(runtime_dir(data), ignore_errors=True)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited 30 s in vain"
        time.sleep(0.05)


def test_up_leaves_a_signed_in_cli_and_down_leaves_no_process(installation: Installation) -> None:
    up = installation.nexus("up", "--detach")
    assert up.returncode == 0, up.stderr
    assert f"http://127.0.0.1:{installation.port}" in up.stderr
    assert "root / root" in up.stderr
    hosts = installation.nexus("host", "list")
    assert hosts.returncode == 0, hosts.stderr
    assert "fake" in hosts.stdout

    again = installation.nexus("up")
    assert again.returncode == 0
    assert "running already" in again.stderr

    began = [installation.pid_of(name) for name in ("up", "agent", "manager", "postgres")]
    assert all(began)
    down = installation.nexus("down")
    assert down.returncode == 0, down.stderr
    assert "Nexus is stopped. No guest is running." in down.stderr
    assert not any(process.is_running for process in began if process)
    assert "was not running" in installation.nexus("down").stderr
    assert (installation.data / "postgres" / "PG_VERSION").exists()


def test_what_dies_is_started_again_and_what_a_killed_supervisor_left_is_found(installation: Installation) -> None:
    assert installation.nexus("up", "--detach").returncode == 0
    manager = installation.pid_of("manager")
    assert manager is not None
    os.kill(manager.pid, signal.SIGKILL)
    until(lambda: installation.pid_of("manager") not in (None, manager))
    until(lambda: installation.nexus("host", "list").returncode == 0)
    assert "killed by SIGKILL" in (installation.data / "log" / "up.log").read_text()

    supervisor, agent = installation.pid_of("up"), installation.pid_of("agent")
    assert supervisor is not None
    assert agent is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    until(lambda: not supervisor.is_running)
    assert agent.is_running
    up = installation.nexus("up", "--detach")
    assert up.returncode == 0, up.stderr
    assert "Took over from a supervisor that was killed" in up.stderr
    assert not agent.is_running
    assert installation.nexus("host", "list").returncode == 0

    successor = installation.pid_of("up")
    children = [installation.pid_of(name) for name in ("agent", "manager", "postgres")]
    assert successor is not None
    os.kill(successor.pid, signal.SIGKILL)
    until(lambda: not successor.is_running)
    assert "Nexus is stopped" in installation.nexus("down").stderr
    assert not any(child.is_running for child in children if child)


def test_a_taken_port_is_a_clear_error_and_starts_nothing(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", installation.port)):
        up = installation.nexus("up")
    assert up.returncode == 1
    assert f"error: port {installation.port} is taken" in up.stderr
    assert installation.pid_of("postgres") is None


def test_a_wrong_setting_is_told_by_its_name(installation: Installation) -> None:
    (installation.data / "nexus-manager.toml").write_text("cpu_overcommit = 0\n")
    up = installation.nexus("up")
    assert up.returncode == 1
    assert "cpu_overcommit (MANAGER_CPU_OVERCOMMIT)" in up.stderr
