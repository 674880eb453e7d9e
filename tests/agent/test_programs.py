"""An ordinary user's PATH on Debian has no sbin, where mke2fs is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nexus.agent.programs import search_path
from nexus.protocol.checkup import Checkup, Verdict


@pytest.mark.parametrize(
    ("given", "searched"),
    [
        ("/usr/bin:/bin", "/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"),
        ("/usr/sbin:/usr/bin", "/usr/sbin:/usr/bin:/usr/local/sbin:/sbin"),
        (None, f"{os.defpath}:/usr/local/sbin:/usr/sbin:/sbin"),
    ],
)
def test_the_directories_for_administration_come_after_what_was_given(given: str | None, searched: str) -> None:
    assert search_path(given) == searched


@pytest.mark.skipif(shutil.which("mke2fs", path="/usr/sbin:/sbin") is None, reason="mke2fs is not installed")
def test_the_agent_finds_mke2fs_with_an_ordinary_users_path(tmp_path: Path) -> None:
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "FC_RUN_DIR": str(tmp_path),
        "AGENT_VMM": "fake",
        "AGENT_NETWORK": "user",
    }
    said = subprocess.run(
        [sys.executable, "-m", "nexus.agent", "doctor", "--json"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    tools = next(one for one in Checkup.model_validate_json(said.stdout).findings if one.name == "disk tools")
    assert tools.verdict is Verdict.OK
