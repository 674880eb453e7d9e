"""The CLI under test: in this process for speed, as a process for streams and signals, on a pty for people."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from tests.cli.harness import Golden, Process, Run, Spawn
from tests.cli.stub_manager import TOKEN, StubManager, serving
from typer.testing import CliRunner, Result

from nexus.cli.main import app

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def stub() -> Iterator[StubManager]:
    with serving(StubManager()) as served:
        yield served


@pytest.fixture
def environment(stub: StubManager, tmp_path: Path) -> dict[str, str]:
    """Signed in to the stub, and away from whoever runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {
        "NEXUS_CONFIG_DIR": str(tmp_path / "config"),
        "NEXUS_URL": stub.url,
        "NEXUS_TOKEN": TOKEN,
        "COLUMNS": "100",
        "TERM": "xterm",
    }


@pytest.fixture
def nexus(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`nexus("vm", "list")` in this process: quick, and without a terminal."""
    for name in ("NEXUS_URL", "NEXUS_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str, input: str | None = None, env: dict[str, str] | None = None) -> Result:
        result = CliRunner().invoke(app, list(words), input=input, env=environment | (env or {}), prog_name="nexus")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def process(environment: dict[str, str]) -> Process:
    """The same as a process of its own."""

    def run(*words: str, input: bytes = b"", env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, "-m", "nexus.cli", *words]
        return subprocess.run(command, input=input, capture_output=True, env=environment | (env or {}), timeout=60)

    return run


@pytest.fixture
def spawn(environment: dict[str, str]) -> Iterator[Spawn]:
    """The same on a terminal of its own."""
    started: list[pexpect.spawn[bytes]] = []

    def run(*words: str, rows: int = 24, cols: int = 80) -> "pexpect.spawn[bytes]":
        arguments = ["-m", "nexus.cli", *words]
        without_width = {name: value for name, value in environment.items() if name != "COLUMNS"}
        child: pexpect.spawn[bytes] = pexpect.spawn(
            sys.executable, arguments, env=without_width, dimensions=(rows, cols), timeout=40
        )
        started.append(child)
        return child

    yield run
    for child in started:
        child.close(force=True)


@pytest.fixture
def golden() -> Golden:
    """Compare output with a file in golden/; NEXUS_UPDATE_GOLDEN=1 writes the file instead."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("NEXUS_UPDATE_GOLDEN"):
            path.write_text(text)
        assert text == path.read_text()

    return compare
