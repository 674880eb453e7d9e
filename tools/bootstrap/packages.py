"""System packages: what packaging/apt-packages.txt lists, installed when missing and when we may.

A package is missing when its program is not there, however it would have got there. So a machine that has everything
needs neither apt nor root, and on other distributions the same list names the programs to look for.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass

from bootstrap.steps import ROOT, Failed, digest, is_stamped, put_stamp, run, say

LIST = ROOT / "packaging" / "apt-packages.txt"
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


@dataclass(frozen=True)
class Package:
    """A line of the list: Debian's package, the program looked for, and what it is for: `required` to run, `optional`,
    or `tests`."""

    name: str
    program: str
    section: str


def parse(text: str) -> list[Package]:
    """`[required]`, `[optional]` and `[tests]` sections of `package program  # why` lines."""
    packages: list[Package] = []
    section = ""
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) == 1 and words[0] in ("[required]", "[optional]", "[tests]"):
            section = words[0].strip("[]")
        elif len(words) == 2 and section:
            packages.append(Package(words[0], words[1], section))
        elif words:
            raise Failed(f"{LIST}: cannot read {line!r}")
    return packages


def ensure() -> None:
    """What running takes, and what it can use."""
    missing = _missing()
    required = [package for package in missing if package.section == "required"]
    optional = [package for package in missing if package.section == "optional"]
    prefix = _as_root() if required or optional else None
    if prefix is None:
        _refuse(required)
        return
    if required:
        _install(required, prefix)
    _try(optional, prefix, stamp="optional-packages")


def ensure_for_tests() -> None:
    """The same and what tests use besides; a test that lacks its program says so."""
    ensure()
    only_tests = [package for package in _missing() if package.section == "tests"]
    prefix = _as_root() if only_tests else None
    if prefix is not None:
        _try(only_tests, prefix, stamp="test-packages")


def _missing() -> list[Package]:
    return [package for package in parse(LIST.read_text()) if shutil.which(package.program, path=_PATH) is None]


def _try(packages: list[Package], prefix: list[str], *, stamp: str) -> None:
    """Install what one can do without. Tried once: a machine without network must not try each time."""
    if not packages or is_stamped(stamp, digest([LIST])):
        return
    put_stamp(stamp, digest([LIST]))
    try:
        _install(packages, prefix)
    except Failed as failed:
        say(f"going on without {', '.join(package.name for package in packages)}: {failed}")


def _refuse(required: list[Package]) -> None:
    if required and shutil.which("apt-get"):
        names = " ".join(package.name for package in required)
        raise Failed(f"packages are missing; run: sudo apt-get install --no-install-recommends {names}")
    if required:
        raise Failed(f"programs are missing; install them first: {', '.join(p.program for p in required)}")


def _install(packages: list[Package], prefix: list[str]) -> None:
    names = [package.name for package in packages]
    say(f"installing {', '.join(names)}")
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    install = [*apt, "install", "--no-install-recommends", "--yes", *names]
    try:
        run(install, quiet=True)
    except Failed:
        run([*apt, "update"], quiet=True)  # the lists may be absent or name files that are gone
        run(install, quiet=True)


def _as_root() -> list[str] | None:
    """What to put before apt-get to run it as root; None when we may not (or would be asked for a password), or when
    there is none."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None
