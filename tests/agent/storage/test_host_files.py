"""Files of the host's own: only below the directories that were opened, by whatever name they are asked for."""

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from nexus.agent.storage.host_files import NO_HOST_FILES, HostFiles, open_file
from nexus.agent.storage.trouble import StorageTrouble
from nexus.protocol.trouble import Refused

MIB = 1 << 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "volumes"
    made.mkdir()
    (made / "own").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    return made


@pytest.fixture
def files(root: Path) -> HostFiles:
    return HostFiles((root,), private=(root / "own",))


def test_a_file_is_found_made_and_grown_and_never_cut_short(files: HostFiles, root: Path) -> None:
    path = root / "one.img"
    assert files.find(path).size_bytes is None
    assert files.create(path, size_bytes=4 * MIB).size_bytes == 4 * MIB
    path.write_bytes(b"data" + bytes(4 * MIB - 4))
    assert files.create(path, size_bytes=MIB).size_bytes == 4 * MIB, "what is there stays"
    assert files.ensure(path, size_bytes=8 * MIB) == path
    assert files.ensure(path, size_bytes=2 * MIB) == path
    assert (path.stat().st_size, path.read_bytes()[:4]) == (8 * MIB, b"data")
    assert files.find(path).size_bytes == 8 * MIB
    assert path.stat().st_mode & 0o777 == 0o644 & ~os.umask(os.umask(0)) or path.stat().st_mode & 0o077 == 0


def test_a_link_within_is_followed_and_one_that_leads_out_is_not(files: HostFiles, root: Path) -> None:
    (root / "real").mkdir()
    (root / "real/one.img").write_bytes(bytes(MIB))
    (root / "alias").symlink_to(root / "real")
    (root / "link.img").symlink_to(root / "real/one.img")
    for name in ("alias/one.img", "link.img", "real/../real/one.img"):
        assert files.find(root / name).path == str(root / "real/one.img")
    with pytest.raises(StorageTrouble, match="leads elsewhere"):
        files.ensure(root / "link.img", size_bytes=None)


def _outside(root: Path) -> Path:
    (root / "out").symlink_to(root.parent)
    return root / "out/secret"


def _linked(root: Path) -> Path:
    (root / "link").symlink_to(root.parent / "secret")
    return root / "link"


def _dangling(root: Path) -> Path:
    (root / "dangling").symlink_to(root.parent / "to-be-made")
    return root / "dangling"


def _loop(root: Path) -> Path:
    (root / "loop").symlink_to(root / "loop")
    return root / "loop/x"


def _private(root: Path) -> Path:
    (root / "own/disk.img").write_bytes(b"another machine's")
    return root / "own/disk.img"


def _pipe(root: Path) -> Path:
    os.mkfifo(root / "pipe")
    return root / "pipe"


PLACES: list[Callable[[Path], Path]] = [
    _outside,
    _linked,
    _dangling,
    _loop,
    _private,
    _pipe,
    lambda root: root / "../secret",
    lambda root: root.parent / "secret",
    lambda root: root / "missing/one.img",
    lambda root: root,
    lambda root: root / "own",
    lambda _root: Path("/dev/null"),
    lambda _root: Path("/proc/self/mem"),
    lambda _root: Path("/"),
    lambda root: Path(f"{root}-other/one.img"),
]


@pytest.mark.parametrize("place", PLACES)
def test_nothing_else_is_served_nor_made(files: HostFiles, root: Path, place: Callable[[Path], Path]) -> None:
    path = place(root)
    with pytest.raises(Refused):
        files.find(path)
    with pytest.raises((Refused, StorageTrouble)):
        files.ensure(path, size_bytes=MIB)
    with pytest.raises(Refused):
        files.create(path, size_bytes=MIB)
    assert not (root.parent / "to-be-made").exists()
    assert (root.parent / "secret").read_bytes() == b"secret"


def test_what_is_put_in_the_way_after_it_was_resolved_is_not_followed(files: HostFiles, root: Path) -> None:
    (root / "dir").mkdir()
    path = root / "dir/one.img"
    path.write_bytes(bytes(MIB))
    assert files.ensure(path, size_bytes=None) == path
    path.unlink()
    path.symlink_to(root.parent / "secret")
    with pytest.raises(OSError, match="symbolic"):
        open_file(path, os.O_RDWR)
    path.unlink()
    (root / "dir").rmdir()
    (root / "dir").symlink_to(root.parent)
    with pytest.raises(NotADirectoryError):
        open_file(root / "dir/secret", os.O_RDONLY)


def test_two_machines_never_write_one_file_by_whatever_name(files: HostFiles, root: Path) -> None:
    path, other_name = root / "one.img", root / "two.img"
    path.write_bytes(bytes(MIB))
    other_name.hardlink_to(path)
    one, two = uuid4(), uuid4()
    files.claim(one, path, writes=True)
    files.claim(one, path, writes=True)
    for writes in (True, False):
        with pytest.raises(StorageTrouble, match="in use by another machine"):
            files.claim(two, other_name, writes=writes)
    files.release(one)
    files.claim(two, other_name, writes=False)
    files.claim(one, path, writes=False)
    with pytest.raises(StorageTrouble, match="in use"):
        files.claim(one, path, writes=True)


def test_a_host_whose_owner_opened_nothing_serves_nothing(root: Path) -> None:
    assert not NO_HOST_FILES.is_open
    with pytest.raises(Refused, match="AGENT_DRIVE_ROOTS"):
        NO_HOST_FILES.find(root / "one.img")
