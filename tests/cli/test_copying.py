"""`vm cp` and `vm forward` where no guest is needed: what is meant by their arguments, and archives that mean harm."""

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.harness import Run

from nexus.cli.failures import CliFailure
from nexus.cli.vm.unpacking import unpack


def entry(name: str, kind: bytes = tarfile.REGTYPE, *, to: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode, made.mtime = kind, to, mode, 1_600_000_000
    return made


def archive(*entries: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for one in entries:
            made, content = one if isinstance(one, tuple) else (one, b"")
            made.size = len(content)
            tar.addfile(made, io.BytesIO(content))
    return packed.getvalue()


def chunks(data: bytes, size: int = 1000) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


TREE = archive(
    entry("tree/", tarfile.DIRTYPE, mode=0o555),
    (entry("tree/a", mode=0o4755), b"content"),
    entry("tree/link", tarfile.SYMTYPE, to="/etc/passwd"),
    entry("tree/same", tarfile.LNKTYPE, to="tree/a"),
)


def test_a_tree_goes_into_a_directory_or_under_a_name_of_its_own(tmp_path: Path) -> None:
    for target, place in ((tmp_path, tmp_path / "tree"), (tmp_path / "named", tmp_path / "named")):
        assert unpack(chunks(TREE), target) == 7
        assert (place / "a").read_bytes() == b"content"
        assert (place / "a").stat().st_mode & 0o7777 == 0o755, "no set-user-ID bit of a stranger's"
        assert (place / "a").stat().st_mtime == 1_600_000_000
        assert (place / "link").readlink() == Path("/etc/passwd")
        assert (place / "same").samefile(place / "a")
        assert place.stat().st_mode & 0o777 == 0o555
        place.chmod(0o755)


@pytest.mark.parametrize(
    "harmful",
    [
        [(entry("../out"), b"x")],
        [(entry("/tmp/nexus-out"), b"x")],
        [(entry("a/../../out"), b"x")],
        [entry("tree/", tarfile.DIRTYPE), entry("tree/way", tarfile.SYMTYPE, to=".."), (entry("tree/way/out"), b"x")],
        [entry("tree/", tarfile.DIRTYPE), entry("tree/x", tarfile.LNKTYPE, to="../out")],
        [entry("tree", tarfile.SYMTYPE, to=".."), entry("tree/sub/", tarfile.DIRTYPE)],
    ],
)
def test_an_archive_that_leads_out_is_refused(
    tmp_path: Path, harmful: list[tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").write_text("kept")
    with pytest.raises(CliFailure, match="leads"):
        unpack(chunks(archive(*harmful)), tmp_path / "in")
    assert (tmp_path / "out").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_a_link_that_is_there_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "a").symlink_to("kept")
    unpack(chunks(archive((entry("a"), b"new"))), tmp_path)
    assert (tmp_path / "kept").read_text() == "kept"
    assert (tmp_path / "a").read_text() == "new"


def cut_short(data: bytes) -> bytes:
    return data[:600]


def without_an_end(data: bytes) -> bytes:
    return data.rstrip(b"\0") + bytes(-len(data.rstrip(b"\0")) % 512)


def nothing(_data: bytes) -> bytes:
    return b""


def something_else(_data: bytes) -> bytes:
    return b"no archive" * 100


@pytest.mark.parametrize("broken", [cut_short, without_an_end, nothing, something_else])
def test_an_archive_without_its_end_is_not_whole(tmp_path: Path, broken: Callable[[bytes], bytes]) -> None:
    (tmp_path / "a").write_text("before")
    with pytest.raises(CliFailure, match="not whole"):
        unpack(chunks(broken(archive((entry("b"), b"y" * 5000), (entry("a"), b"x" * 5000)))), tmp_path)
    assert not list(tmp_path.glob(".*")), "nothing half-written is left"


def test_an_archive_that_says_why_it_ends_is_told_so(tmp_path: Path) -> None:
    headers = {"NEXUS.error": "/srv/a: input/output error"}
    reason = tarfile.TarInfo.create_pax_global_header(headers)
    with pytest.raises(CliFailure, match="/srv/a: input/output error"):
        unpack(chunks(without_an_end(archive((entry("b"), b"y" * 5000))) + reason), tmp_path)
    assert (tmp_path / "b").read_bytes() == b"y" * 5000, "what came whole stays"


def test_files_are_copied_between_here_and_one_vm(nexus: Run, tmp_path: Path) -> None:
    for source, target in (("a", "b"), ("web-1:/a", "web-2:/b"), ("./web-1:/a", "b")):
        refused = nexus("vm", "cp", source, target)
        assert (refused.exit_code, "One side must be here and one in a VM" in refused.stderr) == (2, True)
    relative, absent = (
        nexus("vm", "cp", "a", "web-1:notes"),
        nexus("vm", "cp", str(tmp_path / "absent"), "web-1:/root/"),
    )
    assert (relative.exit_code, "names no absolute path" in relative.stderr) == (2, True)
    assert (absent.exit_code, "There is no" in absent.stderr) == (1, True)


def test_ports_are_written_in_pairs(nexus: Run) -> None:
    for wrong, why in (("http", "no pair"), (":80", "no pair"), ("80:0", "1 to 65535"), ("70000:80", "1 to 65535")):
        refused = nexus("vm", "forward", "web-1", wrong)
        assert (refused.exit_code, why in refused.stderr) == (2, True), refused.stderr
