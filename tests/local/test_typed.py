import os
import shutil
import subprocess
from pathlib import Path

import pytest

from nexus.local.typed import VARIABLE, as_typed

LAUNCHER = Path(__file__).parents[2] / "nexus"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Get in:\n  nexus vm shell web-1", "Get in:\n  ./nexus vm shell web-1"),
        ("Sign in with `nexus login`.", "Sign in with `./nexus login`."),
        ("Stop it with 'nexus down now'", "Stop it with './nexus down now'"),
        ("below /srv/nexus and /opt/nexus is", "below /srv/nexus and /opt/nexus is"),
        ("a bug in nexus: KeyError", "a bug in nexus: KeyError"),
        ("nexus is deleted.", "nexus is deleted."),
        ("The host nexus has not been heard from", "The host nexus has not been heard from"),
        ("nexus ups and downs", "nexus ups and downs"),
    ],
)
def test_a_command_is_told_as_it_was_typed(words: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "./nexus")
    assert as_typed(words) == told


def test_without_a_launcher_it_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert as_typed("nexus up") == "nexus up"


def test_a_name_with_a_space_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/my cloud/nexus")
    assert as_typed("nexus vm list") == "'/my cloud/nexus' vm list"


def test_the_launcher_says_how_it_was_called_unless_nexus_alone_finds_it(tmp_path: Path) -> None:
    shutil.copy(LAUNCHER, tmp_path / "nexus")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "${NEXUS_COMMAND-nexus}"\n')
    python.chmod(0o755)

    def called(name: str, *, path: str = os.environ["PATH"]) -> str:
        command = ["sh", "-c", f"{name} vm list"]
        return subprocess.check_output(command, cwd=tmp_path, env={"PATH": path}, text=True).strip()

    assert called("./nexus") == "./nexus"
    assert called(str(tmp_path / "nexus")) == str(tmp_path / "nexus")
    assert called("nexus", path=f"{tmp_path}:{os.environ['PATH']}") == "nexus"
