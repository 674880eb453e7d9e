"""The archive must be what a kernel and cpio(1) read, and the same bytes every time."""

import shutil
import stat
import subprocess

import pytest

from nexus.kit import cpio


def members(archive: bytes) -> list[tuple[str, int, bytes, tuple[int, int]]]:
    """Read an archive back with nothing but the format's description."""
    found: list[tuple[str, int, bytes, tuple[int, int]]] = []
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        assert at % 4 == 0
        field = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name_end = at + 110 + field[11]
        name = archive[at + 110 : name_end - 1].decode()
        assert archive[name_end - 1] == 0
        data_at = name_end + -name_end % 4
        data = archive[data_at : data_at + field[6]]
        at = data_at + field[6] + -field[6] % 4
        if name == "TRAILER!!!":
            assert at == len(archive)
            return found
        found.append((name, field[1], data, (field[9], field[10])))


@pytest.mark.parametrize(
    ("entry", "mode", "data", "device"),
    [
        (cpio.file("init", b"abc", mode=0o755), 0o100755, b"abc", (0, 0)),
        (cpio.file("empty", b""), 0o100644, b"", (0, 0)),
        (cpio.directory("proc", mode=0o555), 0o040555, b"", (0, 0)),
        (cpio.symlink("sh", "busybox"), 0o120777, b"busybox", (0, 0)),
        (cpio.character_device("console", 5, 1), 0o020600, b"", (5, 1)),
    ],
)
def test_every_kind_of_entry_reads_back_as_written(
    entry: cpio.Entry, mode: int, data: bytes, device: tuple[int, int]
) -> None:
    assert members(cpio.write([entry])) == [(entry.path, mode, data, device)]


@pytest.mark.parametrize("size", range(9))
@pytest.mark.parametrize("name", ["a", "ab", "abc", "abcd"])
def test_every_member_starts_on_a_multiple_of_four(name: str, size: int) -> None:
    archive = cpio.write([cpio.file(name, b"x" * size), cpio.file("next", b"y")])
    assert [path for path, *_ in members(archive)] == [name, "next"]
    assert len(archive) % 4 == 0


def test_parents_come_before_what_is_in_them_and_only_once() -> None:
    archive = cpio.write([cpio.directory("a", mode=0o700), cpio.file("a/b/c", b"1"), cpio.file("a/b/d", b"2")])
    assert [(path, oct(stat.S_IMODE(mode))) for path, mode, *_ in members(archive)] == [
        ("a", "0o700"),
        ("a/b", "0o755"),
        ("a/b/c", "0o644"),
        ("a/b/d", "0o644"),
    ]


def test_the_same_entries_give_the_same_bytes() -> None:
    entries = [cpio.file("modules/order", b"virtio.ko\n"), cpio.character_device("dev/console", 5, 1)]
    assert cpio.write(entries) == cpio.write(entries)


@pytest.mark.parametrize("path", ["", ".", "/etc", "a/../b", "..", "a//b", "a/", "./a", "a\0b", "TRAILER!!!"])
def test_a_path_that_is_not_plainly_inside_the_archive_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"path|name"):
        cpio.file(path, b"")


def test_a_path_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        cpio.write([cpio.file("a", b"1"), cpio.file("a", b"2")])


@pytest.mark.parametrize(("length", "pad"), [(0, 0), (1, 3), (2, 2), (3, 1), (4, 0), (4097, 3)])
def test_padding_reaches_the_next_multiple_of_four(length: int, pad: int) -> None:
    assert cpio.padding(length) == b"\0" * pad


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
def test_cpio_lists_what_was_written() -> None:
    archive = cpio.write([cpio.file("bin/sh", b"#!", mode=0o755), cpio.character_device("dev/console", 5, 1)])
    listing = subprocess.run(["cpio", "-t", "--quiet"], input=archive, capture_output=True, check=True)
    assert listing.stdout.decode().split() == ["bin", "bin/sh", "dev", "dev/console"]
