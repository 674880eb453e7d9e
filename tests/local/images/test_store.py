"""The image directory never shows what is not whole, and one builder works at a time."""

import multiprocessing
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from nexus.local.images.errors import ImageBuildError
from nexus.local.images.progress import Silent
from nexus.local.images.store import INDEX, Image, Store, locked


def add(
    store: Store, content: bytes, *, name: str = "debian-12", recipe: str = "python", default: bool = True
) -> Image:
    with store.draft() as draft:
        draft.write_bytes(content)
        sha256, size_bytes = store.take(draft)
    return store.record(
        Image(
            recipe=recipe,
            kind="rootfs",
            name=name,
            format="squashfs",
            sha256=sha256,
            size_bytes=size_bytes,
            description="",
            is_default=default,
            inputs={"recipe": str(len(content))},
        )
    )


def test_a_file_bears_its_digest_and_the_index_tells_what_it_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    image = add(store, b"abc")
    assert image.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert store.path(image).read_bytes() == b"abc"
    assert Store(tmp_path).images() == (image,)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([image.sha256, INDEX])


def test_an_image_is_found_by_exactly_what_it_was_made_from(tmp_path: Path) -> None:
    store = Store(tmp_path)
    image = add(store, b"abc")
    assert store.find("python", {"recipe": "3"}) == image
    assert store.find("python", {"recipe": "4"}) is None
    assert store.find("systemd", {"recipe": "3"}) is None


@pytest.mark.parametrize("damage", ["missing", "short"])
def test_an_image_whose_file_is_not_whole_is_no_image(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    image = add(store, b"abc")
    if damage == "missing":
        store.path(image).unlink()
    else:
        store.path(image).write_bytes(b"ab")
    assert store.images() == ()


def test_other_content_under_the_same_name_gets_a_name_of_its_own(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second, again = add(store, b"1"), add(store, b"22"), add(store, b"22")
    third = add(store, b"333")
    assert first.name == "debian-12"
    assert second.name == again.name == f"debian-12-{second.sha256[:8]}"
    assert third.name == f"debian-12-{third.sha256[:8]}"
    assert store.images() == (third,)
    assert store.path(first).exists(), "VMs may have been made from it"


def test_each_recipe_has_one_entry(tmp_path: Path) -> None:
    store = Store(tmp_path)
    python = add(store, b"1", name="debian-12-python")
    full = add(store, b"2", name="debian-12", recipe="systemd", default=False)
    assert store.images() == (python, full)
    assert store.default("rootfs") == python
    with pytest.raises(LookupError, match="kernel"):
        store.default("kernel")


def test_what_a_killed_build_left_is_swept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    image = add(store, b"abc")
    (tmp_path / ".draft-x").write_bytes(b"half")
    store.sweep()
    assert not (tmp_path / ".draft-x").exists()
    assert store.images() == (image,)


def test_a_draft_that_is_not_taken_is_gone(tmp_path: Path) -> None:
    with Store(tmp_path).draft() as draft:
        draft.write_bytes(b"half")
    assert list(tmp_path.iterdir()) == []


def test_an_index_that_cannot_be_read_is_said_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text("{")
    with pytest.raises(ImageBuildError, match="not an index") as refused:
        Store(tmp_path).images()
    assert "Remove" in refused.value.advice


class _Watching(Silent):
    def __init__(self, waiting: Event) -> None:
        self._waiting = waiting

    def stage(self, name: str) -> None:
        assert "waiting" in name
        self._waiting.set()


def _build(directory: Path, waiting: Event, seen: Path) -> None:
    with locked(directory, _Watching(waiting)):
        seen.write_text((directory / "made").read_text())


def test_a_second_build_waits_for_the_first(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    waiting, seen = context.Event(), tmp_path / "seen"
    images = tmp_path / "images"
    with locked(images, Silent()):
        second = context.Process(target=_build, args=(images, waiting, seen))
        second.start()
        assert waiting.wait(30), "the second build must find the lock held"
        (images / "made").write_text("by the first")
    second.join(30)
    assert seen.read_text() == "by the first"
