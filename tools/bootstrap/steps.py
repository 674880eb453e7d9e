"""What the steps share: where the checkout is, stamps, running a program."""

import hashlib
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build"
VENV = ROOT / ".venv"


class Failed(Exception):
    """The step cannot be done; the message tells the person at the keyboard what to do."""


def say(text: str) -> None:
    print(f"nexus: {text}", file=sys.stderr, flush=True)


def digest(files: Iterable[Path], *words: str) -> str:
    """One hash over `words` and the names and contents of `files`."""
    total = hashlib.sha256("\0".join(words).encode())
    for file in sorted(files):
        total.update(f"\0{file.relative_to(ROOT)}\0".encode())
        total.update(file.read_bytes())
    return total.hexdigest()


def is_stamped(name: str, value: str) -> bool:
    stamp = BUILD / f"{name}.stamp"
    return stamp.is_file() and stamp.read_text() == value


def put_stamp(name: str, value: str) -> None:
    BUILD.mkdir(exist_ok=True)
    (BUILD / f"{name}.stamp").write_text(value)


def run(command: list[str], *, env: Mapping[str, str] | None = None, cwd: Path = ROOT, quiet: bool = False) -> str:
    """Run `command` and return its output; Failed carries what it said when it did not succeed."""
    done = subprocess.run(
        command,
        env=env,
        cwd=cwd,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if quiet else None,
        check=False,
    )
    if done.returncode != 0:
        said = "\n".join(filter(None, [done.stdout.strip(), (done.stderr or "").strip()]))
        raise Failed(f"`{' '.join(command)}` ended with status {done.returncode}\n{said}".rstrip())
    return done.stdout
