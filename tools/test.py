"""`make test`: the guest's Go tests, the UI's unit tests, then pytest with everything, real guests included.

Tests that need what this machine or user cannot give (network namespaces without root) say so and are skipped.
"""

import json
import os
import subprocess
import sys

from bootstrap.guest import go_environment, go_root
from bootstrap.steps import ROOT
from bootstrap.ui import UI, node_environment, npm

SETTINGS = ("NEXUS_", "MANAGER_", "AGENT_", "FC_", "DATABASE_URL", "PG")
"""What the names of settings begin with; tests must not find the way to a database that somebody works with."""

SIDE_BY_SIDE = ("-n", "2")
"""How the whole suite runs: most of its time is waiting. Which tests may run beside which is said in tests/lanes.py."""

FAILED = 1
"""What pytest returns when tests failed (and not when it could not run them)."""
MOST_UNSTEADY = 3
"""So many failed tests are run once more, by themselves and in full view: real guests under emulation on a busy machine
now and then miss a deadline. A test that fails twice has failed, and one that is named there needs to be looked at."""


def main(pytest_options: list[str]) -> int:
    go = [str(go_root() / "bin" / "go"), "test", "./..."]
    guest = subprocess.run(go, cwd=ROOT / "guest", env=go_environment(), check=False).returncode
    ui = subprocess.run([*npm(), "run", "--silent", "test"], cwd=UI, env=node_environment(), check=False).returncode
    # the user's own settings and installations are none of the tests' business
    env = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    pytest = [sys.executable, "-m", "pytest", *pytest_options]
    lanes = () if pytest_options else SIDE_BY_SIDE
    tests = subprocess.run([*pytest, *lanes], cwd=ROOT, env=env, check=False).returncode
    if tests == FAILED and len(failed()) <= MOST_UNSTEADY:
        print(f"\nOnce more, alone: {', '.join(failed())}", flush=True)
        tests = subprocess.run([*pytest, "--last-failed"], cwd=ROOT, env=env, check=False).returncode
    return guest or ui or tests


def failed() -> list[str]:
    """The tests that failed in the last run, as pytest remembers them."""
    remembered = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
    return sorted(json.loads(remembered.read_text())) if remembered.is_file() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
