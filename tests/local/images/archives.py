"""Makes package archives on disk that the real apt reads."""

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.local.images.packages import deb

from nexus.local.images.apt import Apt


@dataclass(frozen=True)
class Offered:
    name: str
    version: str = "1"
    depends: str = ""
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    suffix: str = ".xz"


def make_archive(root: Path, packages: Iterable[Offered]) -> Path:
    root.mkdir()
    index = ""
    for one in packages:
        control = f"Package: {one.name}\nVersion: {one.version}\nArchitecture: amd64\nMaintainer: x\nDescription: x\n"
        control += f"Depends: {one.depends}\n" if one.depends else ""
        body = deb(one.files or {f"./usr/lib/{one.name}": one.name.encode() * 1000}, control=control, suffix=one.suffix)
        (root / f"{one.name}.deb").write_bytes(body)
        sums = f"Size: {len(body)}\nSHA256: {hashlib.sha256(body).hexdigest()}\n"
        index += f"{control}Filename: {one.name}.deb\n{sums}\n"
    (root / "Packages.gz").write_bytes(gzip.compress(index.encode()))
    return root


def apt_for(archive: Path, directory: Path) -> Apt:
    """A private apt state for an archive that `make_archive` made."""
    sources = f"Types: deb\nURIs: copy:{archive}\nSuites: ./\nTrusted: yes\nTargets: Packages\n"
    return Apt(directory, sources=sources, architecture="amd64")
