"""Completes `ui/package-lock.json` after npm wrote it.

A registry may hold only its own platform's builds of native packages; npm then leaves the other platforms' out of the
lock, and `npm ci` refuses a lock that lacks what a package lists as optional. So each such entry is added with what its
name says of platform and processor: npm needs no more to pass over it on every other one. Run it after each change of
ui/package.json (`make lock` does).
"""

import json
import re
from typing import Any

from bootstrap.steps import ROOT

LOCK = ROOT / "ui" / "package-lock.json"

_SYSTEMS = frozenset(
    {"android", "aix", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"}
)
_PROCESSORS = frozenset({"arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"})
_SPOKEN = {"wasi": "wasm32", "armv7": "arm", "gnueabihf": "arm", "musleabihf": "arm", "arm7": "arm"}
_EXACT = re.compile(r"\d+\.\d+\.\d+[\w.-]*")

Entry = dict[str, Any]


def complete(packages: dict[str, Entry]) -> list[str]:
    """Add the entries that are missing; their names."""
    added: list[str] = []
    for place, entry in list(packages.items()):
        for name, version in entry.get("optionalDependencies", {}).items():
            if not _is_locked(packages, place, name) and (made := _made(name, version, is_dev=entry.get("dev", False))):
                packages[f"node_modules/{name}"] = made
                added.append(name)
    return added


def _is_locked(packages: dict[str, Entry], place: str, name: str) -> bool:
    """Whether Node, looking from `place` upwards, finds `name`."""
    while place:
        if f"{place}/node_modules/{name}" in packages:
            return True
        place = place.rpartition("/node_modules/")[0]
    return f"node_modules/{name}" in packages


def _made(name: str, version: str, *, is_dev: bool) -> Entry | None:
    """An entry as npm writes it; None for a package that is for no platform in particular."""
    words = {_SPOKEN.get(word, word) for word in re.split(r"[-/_.@]", name)}
    systems, processors = sorted(words & _SYSTEMS), sorted(words & _PROCESSORS)
    if not (systems or processors) or not _EXACT.fullmatch(version):
        return None
    entry: Entry = {"version": version, "optional": True}
    entry |= {"cpu": processors} if processors else {}
    entry |= {"os": systems} if systems else {}
    return entry | ({"dev": True} if is_dev else {})


def main() -> None:
    lock: Entry = json.loads(LOCK.read_text())
    packages: dict[str, Entry] = lock["packages"]
    added = complete(packages)
    lock["packages"] = {place: packages[place] for place in sorted(packages)}
    LOCK.write_text(json.dumps(lock, indent=2) + "\n")
    print(f"{LOCK.name}: {len(added)} entries of other platforms added")


if __name__ == "__main__":
    main()
