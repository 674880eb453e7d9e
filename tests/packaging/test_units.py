"""The systemd units: that systemd understands them, and how much they leave open."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "packaging" / "systemd"
MOST_EXPOSED = {"nexus-agent.service": 5.0, "nexus-manager.service": 1.5}
"""Of 10, as `systemd-analyze security` counts. The agent makes jails: most of what it counts is what that takes."""

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")


def installed(unit: str, into: Path) -> Path:
    """The unit as on a host where the checkout is where it says."""
    text = (UNITS / unit).read_text().replace("/opt/nexus/nexus", shutil.which("true") or "/bin/true")
    path = into / unit
    path.write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE))
    return path


def test_every_unit_is_tried() -> None:
    assert {path.name for path in UNITS.iterdir()} == set(MOST_EXPOSED)


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
