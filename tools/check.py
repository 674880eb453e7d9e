"""`make check` and `make fmt`: everything that can be said about the code without running it.

Tools run as modules of the virtual environment (see bootstrap/venv.py for why not by their scripts).
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bootstrap.guest import go_environment, go_root
from bootstrap.steps import ROOT
from bootstrap.ui import UI, node_environment, npm

PYTHON = [sys.executable, "-m"]
CODE = ["src", "tests", "tools", *(folder for folder in ("benchmarks",) if any((ROOT / folder).rglob("*.py")))]
GO_FILES = sorted(str(file) for file in (ROOT / "guest").rglob("*.go"))
GENERATED = ROOT / "docs" / "openapi" / "manager.json"


def check() -> int:
    """Run every check, whatever the others say; 1 when one complained."""
    import_linter = "from importlinter.cli import lint_imports_command as run; run()"
    verdicts = [
        passes("ruff format", [*PYTHON, "ruff", "format", "--check", "--quiet", *CODE]),
        passes("ruff", [*PYTHON, "ruff", "check", "--quiet", *CODE]),
        passes("basedpyright", [*PYTHON, "basedpyright", "--level", "error"]),
        passes("import-linter", [sys.executable, "-c", import_linter]),
        passes("gofmt", [gofmt(), "-l", *GO_FILES], is_quiet_when_good=True),
        passes("go vet", [str(go_root() / "bin" / "go"), "vet", "./..."], cwd=ROOT / "guest"),
        passes("ui types", [*npm(), "run", "--silent", "typecheck"], cwd=UI, env=node_environment()),
        passes("ui lint", [*npm(), "run", "--silent", "lint"], cwd=UI, env=node_environment()),
        passes("openapi", [sys.executable, "tools/check.py", "openapi"]),
        passes("tables", [sys.executable, "tools/tables.py"]),
        passes("client drift", [*PYTHON, "pytest", "--quiet", "tests/client/test_drift.py"]),
    ]
    return 0 if all(verdicts) else 1


def passes(
    name: str,
    command: list[str],
    *,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    is_quiet_when_good: bool = False,
) -> bool:
    began = time.monotonic()
    # the environment serves Go as well; Python's tools do not look at it
    done = subprocess.run(command, cwd=cwd, env=env or go_environment(), text=True, capture_output=True, check=False)
    is_good = done.returncode == 0 and not (is_quiet_when_good and done.stdout)
    print(f"{'ok  ' if is_good else 'FAIL'} {name} ({time.monotonic() - began:.1f} s)", flush=True)
    if not is_good:
        print((done.stdout + done.stderr).rstrip(), flush=True)
    return is_good


def gofmt() -> str:
    return str(go_root() / "bin" / "gofmt")


def openapi() -> int:
    """Whether the committed API description is what the code would generate; says how to renew it."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch) / GENERATED.name
        generate(fresh)
        if GENERATED.is_file() and fresh.read_bytes() == GENERATED.read_bytes():
            return 0
    print(f"{GENERATED.relative_to(ROOT)} is not what the code generates; run `make fmt` and commit it")
    return 1


def generate(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    document = subprocess.run([*PYTHON, "nexus.manager", "openapi"], cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if document.returncode != 0:  # it has said why
        sys.exit(document.returncode)
    target.write_bytes(document.stdout)


def fmt() -> int:
    """Format Python and Go, and generate what is generated."""
    subprocess.run([*PYTHON, "ruff", "check", "--quiet", "--fix", *CODE], cwd=ROOT, check=False)
    subprocess.run([*PYTHON, "ruff", "format", "--quiet", *CODE], cwd=ROOT, check=True)
    subprocess.run([gofmt(), "-w", *GO_FILES], cwd=ROOT, env=go_environment(), check=True)
    generate(GENERATED)
    subprocess.run([sys.executable, "tools/tables.py", "write"], cwd=ROOT, check=True)
    return 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit({"check": check, "fmt": fmt, "openapi": openapi}[sys.argv[1]]())
