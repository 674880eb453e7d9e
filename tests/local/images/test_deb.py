"""Packages are read whatever they are compressed with, and damage is said rather than passed on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.local.images.packages import ar

from nexus.local.images.deb import BadPackage, open_data, open_data_at_random


def contents(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with open_data(path) as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            found[member.name] = file.read()
    return found


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_the_files_of_a_package_are_read(make_deb: Callable[..., Path], suffix: str) -> None:
    files = {"./usr/bin/env": b"#!" * 5000, "./odd": b"x"}
    assert contents(make_deb(files, suffix=suffix)) == files


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_the_files_of_a_package_are_read_in_any_order(make_deb: Callable[..., Path], suffix: str) -> None:
    with open_data_at_random(make_deb({"./a": b"1" * 9999, "./b": b"2"}, suffix=suffix)) as tar:
        contents = [file.read() for name in ("./b", "./a") if (file := tar.extractfile(name))]
    assert contents == [b"2", b"1" * 9999]


def test_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.deb"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(BadPackage, match="no Debian package"):
        contents(path)


def test_a_package_without_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.deb"
    path.write_bytes(ar({"debian-binary": b"2.0\n"}))
    with pytest.raises(BadPackage, match="no data archive"):
        contents(path)


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_a_package_that_breaks_off_is_refused(make_deb: Callable[..., Path], suffix: str) -> None:
    path = make_deb({"./file": bytes(range(256)) * 4000}, suffix=suffix)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadPackage, match="ends too early"):
        contents(path)


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_a_damaged_package_is_refused(make_deb: Callable[..., Path], suffix: str) -> None:
    path = make_deb({"./file": b"abc" * 4000}, suffix=suffix)
    whole = bytearray(path.read_bytes())
    start = whole.index(b"data.tar") + 60
    whole[start + 20 : start + 40] = b"\xff" * 20
    path.write_bytes(whole)
    with pytest.raises(BadPackage):
        contents(path)


def test_an_unknown_compression_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.deb"
    path.write_bytes(ar({"data.tar.br": b"x"}))
    with pytest.raises(BadPackage, match=r"data\.tar\.br"):
        contents(path)
