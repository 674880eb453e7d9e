"""Sums of what Firecracker's metrics say: they never go back, whatever reads and frees the file meanwhile."""

import json
import os
import threading
from pathlib import Path

import pytest

from nexus.agent.vmm import logs
from nexus.agent.vmm.firecracker import metrics
from nexus.agent.vmm.firecracker.metrics import MetricsFile

BLOCK = 4096
"""A line's length, so that freeing lines frees all of their blocks."""


class Written:
    """The metrics of a process, of which each line says that one byte was read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kept = root / "kept.json"
        self.lines = 0
        (root / "metrics").touch()

    def write(self, count: int) -> None:
        line = json.dumps({"block": {"read_bytes": 1}}).encode()
        self.append((line.ljust(BLOCK - 1) + b"\n") * count)
        self.lines += count

    def append(self, data: bytes) -> None:
        with (self.root / "metrics").open("ab") as file:
            file.write(data)

    def file(self) -> MetricsFile:
        return MetricsFile(self.root, self.kept)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path)


@pytest.fixture
def no_holes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that cannot punch any."""

    def empty(fd: int, _length: int) -> None:
        os.ftruncate(fd, 0)

    monkeypatch.setattr(logs, "free_head", empty)


MUCH = 2 * metrics.KEEP_BYTES // BLOCK + 8


def test_what_is_freed_between_a_reader_s_two_looks_is_not_lost(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, look = written.file(), metrics._whole_lines  # pyright: ignore[reportPrivateUsage]
    freeing = threading.Thread(target=file.trim)

    def interrupted(fd: int, offset: int) -> bytes:
        if freeing.ident is None:
            freeing.start()
            freeing.join(0.5)  # it must wait its turn, and so does not end before that
        return look(fd, offset)

    written.write(MUCH)
    monkeypatch.setattr(metrics, "_whole_lines", interrupted)
    assert file.read().disk_read_bytes == MUCH
    freeing.join()
    written.write(1)
    assert (file.read().disk_read_bytes, written.file().read().disk_read_bytes) == (MUCH + 1, MUCH + 1)


def test_a_file_that_was_emptied_is_counted_from_its_beginning(written: Written, no_holes: None) -> None:
    file = written.file()
    written.write(MUCH)
    file.trim()
    assert (written.root / "metrics").stat().st_size == 0
    written.write(3)
    assert (file.read().disk_read_bytes, written.file().read().disk_read_bytes) == (MUCH + 3, MUCH + 3)
    written.write(2 * MUCH)
    assert written.file().read().disk_read_bytes == written.lines, "nor is a restarted agent led astray by its length"


def test_an_agent_killed_after_a_file_was_emptied_counts_it_from_its_beginning(written: Written) -> None:
    written.write(3)
    written.kept.write_text('{"offset": 999999999, "disk_read_bytes": 40}')
    assert written.file().read().disk_read_bytes == 43


def test_no_line_is_parsed_twice(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    parse = metrics._block  # pyright: ignore[reportPrivateUsage]

    def counted(line: bytes) -> dict[str, object]:
        parsed.append(line)
        return parse(line)

    monkeypatch.setattr(metrics, "_block", counted)
    file = written.file()
    for expected in (5, 10, 15):
        written.write(5)
        assert file.read().disk_read_bytes == expected
    assert len(parsed) == written.lines


def test_a_line_nested_too_deeply_is_passed_over(written: Written) -> None:
    written.append(b'{"block":' + b"[" * 200_000 + b"\n")
    written.write(2)
    assert written.file().read().disk_read_bytes == 2
