"""A root file system by installing packages, their scripts and all, with mmdebstrap.

It needs no privilege where the host lets users make namespaces (or has fakechroot), and gives the same tar stream in
each of its modes. Nothing it installs runs on the host outside that sandbox.
"""

import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from typing import IO

from nexus.local.images.apt import Apt
from nexus.local.images.errors import ImageBuildError
from nexus.local.images.progress import Progress
from nexus.local.images.recipes import LoadedRootfs
from nexus.local.images.sources import Distribution
from nexus.local.images.tree import Tree


def install(
    loaded: LoadedRootfs, apt: Apt, distribution: Distribution, progress: Progress
) -> tuple[Tree, dict[str, str]]:
    """The installed system as a tree, and the versions of the packages in it. Raises ImageBuildError."""
    program = shutil.which("mmdebstrap")
    if program is None:
        raise ImageBuildError(
            f"mmdebstrap is not installed; the image {loaded.name} is made with it",
            advice="Install the package mmdebstrap (apt-get install mmdebstrap), then try again.",
        )
    progress.stage("installing the system with mmdebstrap (half a minute or more)")
    command = [
        program, "--variant=minbase", "--format=tar", f"--include={','.join(loaded.recipe.packages)}",
        distribution.codename, "-", apt.sources_file,
    ]  # fmt: skip
    environment = {**os.environ, **apt.proxies(), "SOURCE_DATE_EPOCH": str(apt.released_at()), "LC_ALL": "C"}
    tree = Tree()
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment
        ) as process:
            assert process.stdout is not None
            broken = _read(process.stdout, tree, loaded)
        if process.returncode or broken:
            errors.seek(0)
            last = "\n".join(errors.read().strip().splitlines()[-8:])
            raise ImageBuildError(
                f"mmdebstrap failed{f' ({broken})' if broken else ''}:\n{last}",
                advice="As an ordinary user it needs the package uidmap or fakechroot; otherwise run it as root.",
            )
    versions = _versions(tree.read("var/lib/dpkg/status").decode())
    installed = apt.describe(f"{name}={version}" for name, version in versions.items())
    apt.downloaded_bytes += sum(package.size_bytes for package in installed)
    return tree, versions


def _read(stream: IO[bytes], tree: Tree, loaded: LoadedRootfs) -> tarfile.TarError | None:
    """Fill `tree`. A stream that breaks off is an error to report together with the program's own words."""
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            tree.add_package(tar, drop=loaded.recipe.drop, keep=loaded.recipe.keep)
    except tarfile.TarError as broken:
        return broken
    return None


def _versions(status: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for stanza in status.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version): (.+)$", stanza, re.MULTILINE))
        if len(fields) == 2:
            found[fields["Package"]] = fields["Version"]
    return found
