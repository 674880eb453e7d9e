"""Which of the host's package sources belong to its distribution.

Images are made from the distribution's own packages alone, signed with its own keys. What third parties added to the
host has no place in a guest, so a source counts only if it is for the distribution's release, has the component `main`
and names no key but the distribution's. Formats: sources.list(5), os-release(5).
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nexus.local.images.errors import ImageBuildError

_SUITES = ("", "-updates", "-security")


@dataclass(frozen=True, slots=True)
class Distribution:
    """`id` is debian or ubuntu, also for a derivative that uses their archive; `codename` is the archive's."""

    id: str
    version: str
    codename: str


@dataclass(frozen=True, slots=True)
class Source:
    """One archive: where it is and which releases of the distribution it holds."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    keyring: str | None


def parse_os_release(text: str) -> dict[str, str]:
    fields = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {
        key.strip(): "".join(shlex.split(value)) if '"' not in value else value.strip().strip('"')
        for key, value in fields
    }


def distribution(os_release: dict[str, str]) -> Distribution:
    """Raises ImageBuildError for a system whose packages are neither Debian's nor Ubuntu's."""
    names = (os_release.get("ID", ""), *os_release.get("ID_LIKE", "").split())
    if "ubuntu" in names:
        codename = os_release.get("UBUNTU_CODENAME") or os_release.get("VERSION_CODENAME")
        found = "ubuntu"
    elif "debian" in names:
        codename = os_release.get("DEBIAN_CODENAME") or os_release.get("VERSION_CODENAME")
        found = "debian"
    else:
        raise ImageBuildError(
            f"images are made from Debian or Ubuntu packages; this system is {os_release.get('ID', 'unknown')}",
            advice="Build the images on a Debian or Ubuntu machine and copy its image directory here.",
        )
    if not codename:
        raise ImageBuildError("os-release names no release (VERSION_CODENAME)", advice="Use a released distribution.")
    return Distribution(found, os_release.get("VERSION_ID", codename), codename)


def read_host(apt: Path = Path("/etc/apt")) -> list[tuple[Path, str]]:
    """The host's source files, the distribution's usual ones first."""
    parts = apt / "sources.list.d"
    files = [apt / "sources.list", *sorted(parts.glob("*.sources")), *sorted(parts.glob("*.list"))]
    return [(file, file.read_text(errors="replace")) for file in files if file.is_file()]


def select(files: list[tuple[Path, str]], wanted: Distribution) -> list[Source]:
    """The distribution's sources among `files`.

    They are looked for in sources.list and in the files named after the distribution; only if none is there, in all
    others too: that is where third parties write. Raises ImageBuildError if there are none.
    """
    usual = [file for file in files if file[0].name == "sources.list" or file[0].stem == wanted.id]
    for group in (usual, files):
        found = [kept for path, text in group for source in _parse(path, text) if (kept := _belongs(source, wanted))]
        if found:
            return found
    raise ImageBuildError(
        f"no package source of {wanted.id} {wanted.codename} is configured in /etc/apt",
        advice=f"Add the distribution's own archive (release {wanted.codename}, component main) to /etc/apt.",
    )


def keyring(wanted: Distribution, folder: Path = Path("/usr/share/keyrings")) -> str:
    """The file of the distribution's keys, for sources that name none. Raises ImageBuildError if there is none."""
    for ending in ("gpg", "pgp"):
        if (file := folder / f"{wanted.id}-archive-keyring.{ending}").exists():
            return str(file)
    raise ImageBuildError(
        f"the keys of {wanted.id}'s archive are not in {folder}",
        advice=f"Install the package {wanted.id}-archive-keyring (on Ubuntu: ubuntu-keyring).",
    )


def render(sources: list[Source], *, architecture: str, keyring: str) -> str:
    """The text of a private deb822 file: package lists only, `main` only, signed by the distribution only."""
    return "\n".join(
        f"Types: deb\nURIs: {' '.join(source.uris)}\nSuites: {' '.join(source.suites)}\nComponents: main\n"
        f"Architectures: {architecture}\nTargets: Packages\nSigned-By: {source.keyring or keyring}\n"
        for source in sources
    )


@dataclass(frozen=True, slots=True)
class _Raw:
    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str


def _parse(path: Path, text: str) -> Iterator[_Raw]:
    return _parse_deb822(text) if path.suffix == ".sources" else _parse_one_line(text)


def _parse_one_line(text: str) -> Iterator[_Raw]:
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if match:
            options = dict(option.split("=", 1) for option in (match[1] or "").split() if "=" in option)
            yield _Raw((match[2],), (match[3],), tuple(match[4].split()), options.get("signed-by", ""))


def _parse_deb822(text: str) -> Iterator[_Raw]:
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", lines):
        fields = {
            key.lower(): " ".join(value.split())
            for key, value in re.findall(r"^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        }
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() in ("yes", "true", "1"):
            yield _Raw(
                tuple(fields.get("uris", "").split()),
                tuple(fields.get("suites", "").split()),
                tuple(fields.get("components", "").split()),
                fields.get("signed-by", ""),
            )


def _belongs(source: _Raw, wanted: Distribution) -> Source | None:
    ours = {wanted.codename + suffix for suffix in _SUITES} | {f"{wanted.codename}/updates"}
    suites = tuple(suite for suite in source.suites if suite in ours)
    keyring = source.signed_by or None
    is_own_key = keyring is None or re.fullmatch(rf"/[^\s:]*/{wanted.id}-archive-[^\s/]*", keyring) is not None
    if not suites or "main" not in source.components or not is_own_key:
        return None
    return Source(source.uris, suites, keyring)
