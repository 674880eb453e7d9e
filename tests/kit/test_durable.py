"""What is on disk before a name is: watched at the system calls, for no test can cut the power."""

import os
import stat
from pathlib import Path

import pytest

from nexus.agent.storage import images
from nexus.kit import durable
from nexus.local.images.store import Store


class Calls:
    """What was synced and renamed, in order, by name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        fsync, rename = os.fsync, os.rename

        def watched_fsync(fd: int) -> None:
            kind = "directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file"
            self.seen.append(f"sync {kind}")
            fsync(fd)

        def watched_rename(source: str, target: str) -> None:
            self.seen.append("rename")
            rename(source, target)

        monkeypatch.setattr(os, "fsync", watched_fsync)
        monkeypatch.setattr(os, "rename", watched_rename)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


def test_content_is_on_disk_before_its_name_and_the_name_before_anybody_is_told(tmp_path: Path, calls: Calls) -> None:
    draft, path = tmp_path / "draft", tmp_path / "kept"
    path.write_text("old")
    draft.write_text("new")
    durable.put_in_place(draft, path)
    assert calls.seen == ["sync file", "rename", "sync directory"]
    assert path.read_text() == "new"
    assert not draft.exists()


def test_an_image_that_was_fetched_or_built_is_kept_so(tmp_path: Path, calls: Calls) -> None:
    store = Store(tmp_path)
    with store.draft() as draft:
        draft.write_bytes(b"content")
        sha256, _ = store.take(draft)
    partial = tmp_path / ".partial"
    partial.write_bytes(b"content")
    assert images._accept(sha256, partial, tmp_path / "fetched") == sha256  # pyright: ignore[reportPrivateUsage]
    assert calls.seen == ["sync file", "rename", "sync directory"] * 2
