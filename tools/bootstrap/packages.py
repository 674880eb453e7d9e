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
    """A line of the list: Debian's package, the program looked for, and whether Nexus can do without."""

    name: str
    program: str
    is_required: bool


def parse(text: str) -> list[Package]:
    """`[required]` and `[optional]` sections of `package program  # why` lines."""
    packages: list[Package] = []
    section = ""
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) == 1 and words[0] in ("[required]", "[optional]"):
            section = words[0]
        elif len(words) == 2 and section:
            packages.append(Package(words[0], words[1], section == "[required]"))
        elif words:
            raise Failed(f"{LIST}: cannot read {line!r}")
    return packages


def ensure() -> None:
    missing = [package for package in parse(LIST.read_text()) if shutil.which(package.program, path=_PATH) is None]
    required = [package for package in missing if package.is_required]
    optional = [package for package in missing if not package.is_required]
    prefix = _as_root() if missing and shutil.which("apt-get") else None
    if prefix is None:
        _refuse(required)
        return
    if required:
        _install(required, prefix)
    if optional and not is_stamped("optional-packages", digest([LIST])):
        put_stamp("optional-packages", digest([LIST]))  # tried once: a machine without network must not try each time
        try:
            _install(optional, prefix)
        except Failed as failed:
            say(f"going on without {', '.join(package.name for package in optional)}: {failed}")


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
    """What to put before a command to run it as root; None when we may not (or would be asked for a password)."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None
