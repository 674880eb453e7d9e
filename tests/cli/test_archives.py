"""`nexus snapshot export` and `import`: under the name that was asked for is a whole archive, or nothing."""

import errno
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from starlette.responses import Response, StreamingResponse
from tests.cli.harness import Process, Run, operation
from tests.cli.stub_manager import StubManager, problem
from tests.cli.test_snapshots import DONE, ITEM, SNAPSHOT, snapshots

from nexus.kit.tar import TarMember
from nexus.protocol.archives import MEDIA_TYPE, ArchiveEnd, tail

__all__ = ["snapshots"]

BODY = TarMember("snapshot.json", 3 << 20).whole(bytes(3 << 20))
ARCHIVE = BODY + tail(ArchiveEnd(bytes=len(BODY), sha256=sha256(BODY).hexdigest()))
IMPORT = "/v1/snapshots/import"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty directory."""
    made = tmp_path / "place"
    made.mkdir()
    return made


def _left(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_an_archive_is_a_file_for_its_owner_alone(nexus: Run, snapshots: StubManager, place: Path) -> None:
    snapshots.on("GET", f"{ITEM}/export", Response(ARCHIVE, media_type=MEDIA_TYPE))
    target = place / "a.tar"
    done = nexus("snapshot", "export", "before-upgrade", str(target))
    assert done.exit_code == 0, done.stderr
    assert "before-upgrade is exported (3 MiB" in done.stderr
    assert target.read_bytes() == ARCHIVE
    assert target.stat().st_mode & 0o777 == 0o600
    assert _left(place) == ["a.tar"]


def test_a_file_that_is_there_is_replaced_only_when_that_is_wanted(
    nexus: Run, snapshots: StubManager, place: Path
) -> None:
    snapshots.on("GET", f"{ITEM}/export", Response(ARCHIVE, media_type=MEDIA_TYPE))
    target = place / "a.tar"
    target.write_text("mine")
    refused = nexus("snapshot", "export", "before-upgrade", str(target))
    assert (refused.exit_code, "--force" in refused.stderr, target.read_text()) == (1, True, "mine")
    assert not snapshots.asked("GET", f"{ITEM}/export")
    assert nexus("snapshot", "export", "before-upgrade", str(place)).exit_code == 1
    assert nexus("snapshot", "export", "before-upgrade", str(place / "no/a.tar")).exit_code == 125
    assert nexus("snapshot", "export", "--force", "before-upgrade", str(target)).exit_code == 0
    assert target.read_bytes() == ARCHIVE


def test_a_device_is_never_replaced(nexus: Run, snapshots: StubManager) -> None:
    for more in ([], ["--force"]):
        refused = nexus("snapshot", "export", *more, "before-upgrade", os.devnull)
        assert (refused.exit_code, "no regular file" in refused.stderr) == (1, True)
    assert not Path(os.devnull).is_file()


def test_a_file_system_without_links_has_the_archive_too(
    nexus: Run, snapshots: StubManager, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_self: Path, _target: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    snapshots.on("GET", f"{ITEM}/export", Response(ARCHIVE, media_type=MEDIA_TYPE))
    monkeypatch.setattr(Path, "hardlink_to", none)
    assert nexus("snapshot", "export", "before-upgrade", str(place / "a.tar")).exit_code == 0
    assert (place / "a.tar").read_bytes() == ARCHIVE
    assert _left(place) == ["a.tar"]


def test_one_that_goes_to_standard_output_is_all_there_is_on_it(process: Process, snapshots: StubManager) -> None:
    snapshots.on("GET", f"{ITEM}/export", Response(ARCHIVE, media_type=MEDIA_TYPE))
    done = process("snapshot", "export", "before-upgrade", "-")
    assert (done.returncode, done.stdout) == (0, ARCHIVE), done.stderr


def _cut_off() -> Iterator[bytes]:
    yield ARCHIVE[: 1 << 20]
    raise OSError("the host is gone")


@pytest.mark.parametrize(
    "answer",
    [
        Response(ARCHIVE[:-1], media_type=MEDIA_TYPE),
        Response(ARCHIVE[:5000], media_type=MEDIA_TYPE),
        Response(b"", media_type=MEDIA_TYPE),
        Response(ARCHIVE[:600] + b"x" + ARCHIVE[601:], media_type=MEDIA_TYPE),
        StreamingResponse(_cut_off(), media_type=MEDIA_TYPE),
    ],
)
def test_what_is_not_whole_is_a_failure_and_leaves_no_file(
    nexus: Run, snapshots: StubManager, place: Path, answer: Response
) -> None:
    snapshots.on("GET", f"{ITEM}/export", answer)
    failed = nexus("snapshot", "export", "before-upgrade", str(place / "a.tar"))
    assert failed.exit_code == 125
    assert failed.stderr.startswith("Error: ")
    assert _left(place) == []


def test_a_refused_export_leaves_no_file(nexus: Run, snapshots: StubManager, place: Path) -> None:
    snapshots.on(
        "GET", f"{ITEM}/export", problem(409, "Cannot export snapshot before-upgrade: it is still being taken.")
    )
    refused = nexus("snapshot", "export", "before-upgrade", str(place / "a.tar"))
    assert (refused.exit_code, "still being taken" in refused.stderr, _left(place)) == (1, True, [])


def test_an_archive_is_sent_as_it_is(nexus: Run, process: Process, snapshots: StubManager, place: Path) -> None:
    snapshots.on("POST", IMPORT, {"id": SNAPSHOT["id"], "operation_id": DONE["id"]})
    snapshots.on("GET", f"/v1/operations/{DONE['id']}", {"item": operation("done", verb="import")})
    source = place / "a.tar"
    source.write_bytes(ARCHIVE)
    done = nexus("snapshot", "import", str(source), "--name", "again")
    assert done.exit_code == 0, done.stderr
    assert "before-upgrade is there, on lab-1" in done.stderr
    piped = process("snapshot", "import", "-", input=ARCHIVE)
    assert piped.returncode == 0, piped.stderr
    file, pipe = snapshots.asked("POST", IMPORT)
    assert (file.query, file.headers["content-length"], file.headers["content-type"]) == (
        {"name": "again"},
        str(len(ARCHIVE)),
        MEDIA_TYPE,
    )
    assert (pipe.query, pipe.headers["transfer-encoding"]) == ({}, "chunked")
    assert (file.body, pipe.body) == (ARCHIVE, ARCHIVE)


def test_why_one_is_not_taken_is_told(nexus: Run, snapshots: StubManager, place: Path) -> None:
    assert nexus("snapshot", "import", str(place / "none.tar")).exit_code == 125
    source = place / "a.tar"
    source.write_bytes(os.urandom(8 << 20))
    snapshots.on(
        "POST", IMPORT, problem(422, "Cannot import the archive: it is no tar archive.", code="archive_refused")
    )
    refused = nexus("snapshot", "import", str(source))
    assert (refused.exit_code, "it is no tar archive" in refused.stderr) == (1, True)
    assert len(snapshots.asked("POST", IMPORT)) == 1, "a body that was streamed is never sent twice"
