"""The optional fast kernel: compiled here from the distribution's kernel source, with all a microVM needs built in.

It boots in half the time of the distribution's own kernel and takes minutes to make, so nothing ever makes it unasked.
"""

import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from nexus.local.images import vmlinux
from nexus.local.images.apt import Apt, Package
from nexus.local.images.deb import BadPackage, open_data
from nexus.local.images.errors import ImageBuildError
from nexus.local.images.progress import Progress

PROGRAMS = ("make", "gcc", "ld", "bc", "flex", "bison", "tar", "xz", "perl")
HEADERS = (Path("/usr/include/libelf.h"),)
PACKAGES = "build-essential bc flex bison libelf-dev xz-utils perl"
NICENESS = 10
SUFFIX = "-nexus"
_SOURCE = re.compile(r"(?:^|/)usr/src/linux-source-[^/]*(?:/linux-source-[^/]*)?\.tar\.(?:xz|gz|bz2|zst)$")
_MOST_FREE_BYTES = 4 << 30
_TREE = "fast-kernel-"
_LAST_LINES = 12


@dataclass(frozen=True)
class Compiled:
    """`release` is what uname -r will say."""

    release: str
    vmlinux: bytes


def source_package(apt: Apt, distribution: str) -> Package:
    """The newest kernel source of the distribution. Raises ImageBuildError."""
    if not apt.offers("linux-source"):
        raise ImageBuildError(
            f"{distribution} offers no package linux-source", advice="Use the kernel of the packages."
        )
    newest = re.search(r"\blinux-source-\d[\w.+~-]*", apt.describe(["linux-source"])[0].depends)
    if newest is None:
        raise ImageBuildError("linux-source names no version", advice="Use the kernel of the packages.")
    return apt.describe([newest[0]])[0]


def require_tools() -> None:
    """Raises ImageBuildError for what is missing, with the command that installs it."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    missing += [str(header) for header in HEADERS if not header.exists()]
    if missing:
        raise ImageBuildError(
            f"compiling a kernel needs {', '.join(missing)}", advice=f"Run: apt-get install {PACKAGES}"
        )


def compile_kernel(deb: Path, fragment: bytes, *, cache: Path, jobs: int, progress: Progress) -> Compiled:
    """Compile the source in `deb` with the options of `fragment`; what make said is in `cache`/fast-kernel.log.

    Needs 4 GB below `cache` meanwhile, and leaves none of it. Raises ImageBuildError."""
    free_bytes = shutil.disk_usage(cache).free
    if free_bytes < _MOST_FREE_BYTES:
        raise ImageBuildError(
            f"compiling a kernel takes 4 GB, and {cache} has {free_bytes >> 30} GB", advice="Make room, then try again."
        )
    for left in cache.glob(f"{_TREE}*"):  # by a build that was killed; whoever compiles holds the cache's lock
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=cache, prefix=_TREE) as directory:
        progress.stage("unpacking the kernel's source")
        tree = _unpack(deb, Path(directory))
        (tree / "nexus.config").write_bytes(fragment)
        make = _Make(tree, cache / "fast-kernel.log", jobs)
        progress.stage("compiling the kernel (minutes)")
        make.run("KCONFIG_ALLCONFIG=nexus.config", "allnoconfig")
        make.run("vmlinux")
        release = make.answer("kernelrelease")
        make.strip()
        try:
            return Compiled(release, vmlinux.extract((tree / "vmlinux").read_bytes()))
        except vmlinux.BadKernel as unfit:
            raise ImageBuildError(f"what was compiled cannot be booted: {unfit}", advice=make.advice) from unfit


def _unpack(deb: Path, directory: Path) -> Path:
    """The source tree; its only directory in `directory`."""
    packed = directory / "source.tar"
    try:
        with open_data(deb) as tar:
            _copy_out(tar, packed)
    except BadPackage as broken:
        raise ImageBuildError(str(broken), advice="Remove it from the cache and try again.") from broken
    _require(["tar", "-x", "--no-same-owner", "-f", str(packed), "-C", str(directory)], "the source is damaged")
    packed.unlink()
    [tree] = [path for path in directory.iterdir() if path.is_dir()]
    return tree


def _copy_out(tar: tarfile.TarFile, to: Path) -> None:
    for member in tar:
        content = tar.extractfile(member) if _SOURCE.search(member.name) and member.isfile() else None
        if content is not None:
            with to.open("wb") as out:
                shutil.copyfileobj(content, out, 1 << 20)
            return
    raise BadPackage("the package holds no kernel source")


def _require(command: list[str], trouble: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImageBuildError(f"{trouble}: {done.stderr.strip()[-300:]}", advice="Try again; look for a full disk.")


class _Make:
    """make in one tree: at low priority, and with nothing of this machine or moment in what it makes."""

    def __init__(self, tree: Path, log: Path, jobs: int) -> None:
        self._tree = tree
        self._log = log
        self._command = ["nice", "-n", str(NICENESS), "make", f"-j{jobs}", f"LOCALVERSION={SUFFIX}"]
        log.write_bytes(b"")

    @property
    def advice(self) -> str:
        return f"All that the compiler said is in {self._log}."

    def run(self, *arguments: str) -> None:
        with self._log.open("ab") as log:
            done = subprocess.run(
                [*self._command, *arguments],
                cwd=self._tree,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )
        if done.returncode:
            last = "\n".join(self._log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
            raise ImageBuildError(f"the kernel does not compile:\n{last}", advice=self.advice)

    def answer(self, question: str) -> str:
        command = [*self._command, "-s", question]
        return subprocess.run(
            command, cwd=self._tree, env=_environment(), capture_output=True, text=True, check=True
        ).stdout.strip()

    def strip(self) -> None:
        _require(["strip", "--strip-debug", str(self._tree / "vmlinux")], "the kernel cannot be stripped")


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR")}
    build = {"USER": "nexus", "HOST": "nexus", "TIMESTAMP": "1970-01-01 00:00:00 UTC", "VERSION": "1"}
    return kept | {"LC_ALL": "C"} | {f"KBUILD_BUILD_{name}": value for name, value in build.items()}
