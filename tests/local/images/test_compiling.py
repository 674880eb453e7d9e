"""The fast kernel's way from a source package to a kernel; the source is a stand-in, make and tar are real."""

import io
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.local.images.kernels import elf

from nexus.local.images import compiling, recipes
from nexus.local.images.errors import ImageBuildError
from nexus.local.images.progress import Silent

MAKEFILE = b"""
allnoconfig:
\tcp $(KCONFIG_ALLCONFIG) .config
vmlinux:
\tcp kernel.elf vmlinux
\ttest "$$KBUILD_BUILD_USER" = nexus
kernelrelease:
\t@echo 6.1.7$(LOCALVERSION)
"""
FRAGMENT = b"CONFIG_PVH=y\n"

pytestmark = pytest.mark.skipif(
    shutil.which("make") is None or shutil.which("strip") is None, reason="needs make and strip"
)


def source(makefile: bytes = MAKEFILE) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as tar:
        for name, content in (("Makefile", makefile), ("kernel.elf", elf())):
            entry = tarfile.TarInfo(f"linux-source-6.1/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def not_strip(_make: object) -> None:
    pass


@pytest.fixture(autouse=True)
def unstripped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in is too little of an ELF file for strip."""
    monkeypatch.setattr(compiling, "_MOST_FREE_BYTES", 0)
    monkeypatch.setattr("nexus.local.images.compiling._Make.strip", not_strip)


def test_a_source_package_becomes_a_kernel_and_leaves_nothing(make_deb: Callable[..., Path], tmp_path: Path) -> None:
    deb = make_deb({"usr/src/linux-source-6.1.tar.xz": source(), "usr/share/doc/x": b""})
    (tmp_path / "fast-kernel-killed" / "tree").mkdir(parents=True)
    made = compiling.compile_kernel(deb, FRAGMENT, cache=tmp_path, jobs=2, progress=Silent())
    assert (made.release, made.vmlinux) == ("6.1.7-nexus", elf())
    assert not list(tmp_path.glob("fast-kernel-*"))


def test_what_the_compiler_said_last_is_told(make_deb: Callable[..., Path], tmp_path: Path) -> None:
    broken = MAKEFILE.replace(b"\tcp kernel.elf vmlinux", b"\techo nothing fits; exit 1")
    deb = make_deb({"usr/src/linux-source-6.1.tar.xz": source(broken)})
    with pytest.raises(ImageBuildError, match="nothing fits") as refused:
        compiling.compile_kernel(deb, FRAGMENT, cache=tmp_path, jobs=2, progress=Silent())
    assert str(tmp_path / "fast-kernel.log") in refused.value.advice
    assert not list(tmp_path.glob("fast-kernel-*"))


def test_a_package_without_a_source_is_refused(make_deb: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ImageBuildError, match="no kernel source"):
        compiling.compile_kernel(make_deb({"etc/x": b""}), FRAGMENT, cache=tmp_path, jobs=1, progress=Silent())


def test_missing_tools_are_named_with_the_command_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "PROGRAMS", ("make", "no-such-compiler"))
    monkeypatch.setattr(compiling, "HEADERS", (Path("/nowhere/libelf.h"),))
    with pytest.raises(ImageBuildError, match=r"needs no-such-compiler, /nowhere/libelf\.h") as refused:
        compiling.require_tools()
    assert "apt-get install" in refused.value.advice


def test_the_fragment_says_each_option_once_and_builds_everything_in() -> None:
    fragment, _digest = recipes.fast_kernel()
    lines = [line for line in fragment.decode().splitlines() if line and not line.startswith("#")]
    options = [line.partition("=")[0] for line in lines]
    assert len(options) == len(set(options))
    assert "CONFIG_MODULES=n" in lines
    assert not [line for line in lines if line.endswith("=m")]


def test_the_page_names_the_room_that_compiling_asks_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compiling, "_MOST_FREE_BYTES", 1 << 62)
    with pytest.raises(ImageBuildError) as refused:
        compiling.compile_kernel(tmp_path / "none.deb", FRAGMENT, cache=tmp_path, jobs=1, progress=Silent())
    [room] = re.findall(r"takes (\d+ GB)", str(refused.value))
    assert f"{room} of disk meanwhile" in (Path(__file__).parents[3] / "docs" / "images.md").read_text()
