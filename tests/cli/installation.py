"""A whole installation of its own (`nexus up`), for tests of the CLI against what it was made for."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pexpect

from nexus.kit.paths import runtime_dir
from nexus.local import identity
from nexus.local.images import Store


@dataclass(frozen=True)
class Installation:
    """`nexus(…)` runs a command as a process, `on_terminal(…)` on a terminal of its own."""

    data: Path
    environment: dict[str, str]

    def nexus(self, *words: str, input: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, "-m", "nexus.cli", *words]
        return subprocess.run(command, env=os.environ | self.environment, input=input, capture_output=True, timeout=120)

    def done(self, *words: str, input: bytes = b"") -> str:
        """Standard output of a command that must succeed."""
        run = self.nexus(*words, input=input)
        assert run.returncode == 0, run.stderr.decode()
        return run.stdout.decode()

    def on_terminal(self, *words: str, rows: int = 24, cols: int = 100) -> "pexpect.spawn[bytes]":
        environment = dict(os.environ | self.environment | {"TERM": "xterm"})
        arguments = ["-m", "nexus.cli", *words]
        return pexpect.spawn(sys.executable, arguments, env=environment, dimensions=(rows, cols), timeout=60)  # pyright: ignore[reportUnknownVariableType, reportArgumentType]

    def pid_of(self, name: str) -> int:
        found = identity.running(runtime_dir(self.data) / f"{name}.pid")
        assert found is not None
        return found.pid


@contextmanager
def installed(home: Path, images: Store, **settings: str) -> Generator[Installation]:
    """`nexus up` in `home` with images that are there already, and everything gone afterwards, guests too."""
    data = home / "data"
    (data / "cache").mkdir(parents=True)
    for modules in (images.root.parent / "cache").glob("modules-*"):
        shutil.copy(modules, data / "cache")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    own = {
        "NEXUS_DATA_DIR": str(data),
        "NEXUS_CONFIG_DIR": str(home / "config"),
        "MANAGER_BIND": f"127.0.0.1:{port}",
        "MANAGER_IMAGE_ROOT": str(images.root),
        "AGENT_NETWORK": "user",
        "AGENT_USER_NET_RESTRICT": "1",
    }
    made = Installation(data, own | settings)
    try:
        made.done("up", "--detach")
        yield made
    finally:
        made.nexus("down", "--stop-guests")
        shutil.rmtree(runtime_dir(data), ignore_errors=True)
