"""Which Firecracker may run guests here: what its program says it is, held against what is known of that version.

Advisories are Firecracker's own and AWS's (facts 1 to 3, 38). A denied version is not started, by nobody's wish.
"""

import re
import subprocess
from dataclasses import dataclass
from functools import total_ordering
from pathlib import Path

SAYS = re.compile(r"^(?:Firecracker|Jailer) v(\d+)\.(\d+)\.(\d+)\b", re.MULTILINE)
PATIENCE_S = 10


class VersionTrouble(Exception):
    """The program is none of ours to run; the message says why, and what to do."""


@total_ordering
@dataclass(frozen=True)
class Release:
    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def __lt__(self, other: "Release") -> bool:
        return (self.major, self.minor, self.patch) < (other.major, other.minor, other.patch)


@dataclass(frozen=True)
class Advisory:
    """`first` to `last`, both included, have it."""

    first: Release
    last: Release
    name: str
    what: str
    cure: str


OLDEST = Release(1, 16, 1)
"""The oldest that takes all that is asked of it: a rate of the serial console and a vsock named anew at a load came
with 1.16.0, which loses the vsock at a load (facts 1, 15 and 38)."""
TESTED = Release(1, 16, 1)
"""The release whose API description our requests are held to."""
DENIED = (
    Advisory(
        Release(0, 0, 0),
        Release(1, 13, 1),
        "CVE-2026-1386",
        "its jailer can be made to overwrite files of the host through a symbolic link",
        "1.16.1",
    ),
    Advisory(Release(1, 14, 0), Release(1, 14, 0), "CVE-2026-1386", "as above", "1.16.1"),
    Advisory(
        Release(1, 13, 0), Release(1, 14, 3), "CVE-2026-5747", "a guest can write beyond a virtio queue", "1.16.1"
    ),
    Advisory(
        Release(1, 15, 0), Release(1, 15, 0), "CVE-2026-5747", "a guest can write beyond a virtio queue", "1.16.1"
    ),
)


def said_by(program: Path) -> Release:
    """What the program says of itself. Raises VersionTrouble."""
    try:
        done = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, timeout=PATIENCE_S, check=False, env={}
        )
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise VersionTrouble(f"{program} cannot be run: {failed}") from failed
    found = SAYS.search(done.stdout)
    if found is None:
        raise VersionTrouble(f"{program} does not tell its version")
    return Release(*(int(part) for part in found.groups()))


def advisories(release: Release) -> tuple[Advisory, ...]:
    """Those for which this release is not started."""
    return tuple(each for each in DENIED if each.first <= release <= each.last)


def require_sound(release: Release) -> None:
    """Raises VersionTrouble for a release that is denied, or too old for our requests."""
    for each in advisories(release):
        raise VersionTrouble(f"Firecracker {release} has {each.name} ({each.what}): install {each.cure} or newer")
    if release < OLDEST:
        raise VersionTrouble(
            f"Firecracker {release} is too old for what is asked of it here: install {OLDEST} or newer"
        )


def require_pair(firecracker: Release, jailer: Release) -> None:
    """A jailer belongs to the Firecracker of its own release (fact 5). Raises VersionTrouble."""
    if firecracker != jailer:
        raise VersionTrouble(f"Firecracker is {firecracker} and its jailer {jailer}: install both of one release")
