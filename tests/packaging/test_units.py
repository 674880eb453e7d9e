"""The systemd units: that systemd understands them, and how much they leave open."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "packaging" / "systemd"
MOST_EXPOSED = {"nexus-agent.service": 5.0, "nexus-manager.service": 1.5}
"""Of 10, as `systemd-analyze security` counts. The agent makes jails: most of what it counts is what that takes."""

PAGE = Path(__file__).parents[2] / "docs" / "production-host.md"
ANALYZES = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")


def said(unit: str, key: str) -> list[str]:
    """The values of a key, as they stand there."""
    return re.findall(rf"^{key}=(.*)$", (UNITS / unit).read_text(), flags=re.MULTILINE)


def installed(unit: str, into: Path) -> Path:
    """The unit as on a host where the checkout is where it says."""
    text = (UNITS / unit).read_text().replace("/opt/nexus/nexus", shutil.which("true") or "/bin/true")
    path = into / unit
    path.write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE))
    return path


def test_every_unit_is_tried() -> None:
    assert {path.name for path in UNITS.iterdir()} == set(MOST_EXPOSED)


@ANALYZES
@pytest.mark.parametrize("unit", MOST_EXPOSED)
def test_systemd_has_nothing_to_say_about_a_unit(unit: str, short_tmp: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(installed(unit, short_tmp))],
        capture_output=True,
        text=True,
        check=False,
    )
    about = [line for line in done.stderr.splitlines() if unit in line]
    assert about == []


@ANALYZES
@pytest.mark.parametrize("unit", MOST_EXPOSED)
def test_a_unit_leaves_no_more_open_than_it_did(unit: str, short_tmp: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(installed(unit, short_tmp))],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= MOST_EXPOSED[unit]


@pytest.mark.parametrize("unit", MOST_EXPOSED)
def test_systemd_makes_every_directory_that_a_unit_writes_to(unit: str) -> None:
    """systemd refuses to start what is to write to a directory that a fresh host does not have."""
    assert said(unit, "ReadWritePaths") == []
    data = [value.removeprefix("NEXUS_DATA_DIR=") for value in said(unit, "Environment")]
    assert data == [f"/var/lib/{name}" for name in said(unit, "StateDirectory")]


def test_the_manager_reads_root_s_files_as_copies_only() -> None:
    """A made-up uid cannot read what is root's alone."""
    unit = "nexus-manager.service"
    copied = dict(value.split(":") for value in said(unit, "LoadCredential"))
    assert copied == {"nexus-manager.toml": "/etc/nexus/nexus-manager.toml"}
    [start] = said(unit, "ExecStart")
    assert start.endswith("manager --config %d/nexus-manager.toml")
    page = PAGE.read_text()
    assert 'tls_key = "/run/credentials/nexus-manager.service/key.pem"' in page
    assert "LoadCredential=key.pem:/etc/nexus/key.pem" in page


def test_the_page_makes_every_file_that_its_settings_name() -> None:
    page = PAGE.read_text()
    settings = re.findall(r"^\w+ = \"(/etc/nexus/[^\"]+)\"", page, flags=re.MULTILINE)
    assert set(settings) == {"/etc/nexus/cert.pem", "/etc/nexus/join-token"}
    assert "to `/etc/nexus/cert.pem`" in page
    assert "cat > /etc/nexus/join-token" in page
