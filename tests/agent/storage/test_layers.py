"""Layers over a file: what is composed of them is the file that was, bit for bit, however it is spread over them."""

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexus.agent.storage import layers
from nexus.agent.storage.composing import CHUNK_BYTES, Composed, differences, write_layer
from nexus.agent.storage.files import copy_sparsely
from nexus.agent.storage.layers import BLOCK_BYTES, Extent, Gathering, Index, Malformed, parse_index, read_index

LARGEST = 3 * CHUNK_BYTES


def _layer(path: Path, target: Path, *, over: Composed | None) -> Index:
    with Composed.open(path) as file, target.open("xb") as layer:
        index = differences(file, over)
        write_layer(file, index, layer.fileno())
    return index


def _whole(target: Path, whole: Path | None, chain: list[Path]) -> bytes:
    with Composed.open(whole, chain) as composed, target.open("xb") as out:
        composed.copy_to(out.fileno())
        assert composed.read(composed.size_bytes, 0) == target.read_bytes()
    return target.read_bytes()


def _written(path: Path, size: int, writes: list[tuple[int, int, int]], before: Path | None) -> None:
    """A file after these writes of (where, how much, which byte) to one that was before; byte 0 makes zeros, stored."""
    with path.open("xb") as file:
        if before is not None:
            with before.open("rb") as was:
                copy_sparsely(was.fileno(), file.fileno())
        file.truncate(size)
        for at, length, byte in writes:
            file.seek(at)
            file.write(bytes([byte]) * min(length, max(0, size - at)))


_WRITES = st.lists(
    st.tuples(st.integers(0, LARGEST), st.sampled_from([1, 700, BLOCK_BYTES, 70_000, CHUNK_BYTES]), st.integers(0, 3)),
    max_size=5,
)
_FILES = st.lists(
    st.tuples(st.sampled_from([0, 1, 5000, CHUNK_BYTES, LARGEST - 7, LARGEST]), _WRITES), min_size=2, max_size=5
)


@settings(max_examples=60, deadline=None)
@given(files=_FILES, is_bottom_whole=st.booleans())
def test_what_is_composed_is_what_was(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[tuple[int, list[tuple[int, int, int]]]],
    *,
    is_bottom_whole: bool,
) -> None:
    directory = tmp_path_factory.mktemp("layers")
    before, whole, chain = None, None, list[Path]()
    for number, (size, writes) in enumerate(files):
        path, layer = directory / f"{number}.raw", directory / f"{number}.layer"
        _written(path, size, writes, before)
        before = path
        if number == 0 and is_bottom_whole:
            whole = path
            continue
        if number == 0:
            _layer(path, layer, over=None)
        else:
            with Composed.open(whole, chain) as under:
                _layer(path, layer, over=under)
        chain.append(layer)
        assert _whole(directory / f"{number}.whole", whole, chain) == path.read_bytes()


def test_a_layer_holds_no_more_than_the_blocks_that_differ(tmp_path: Path) -> None:
    _written(tmp_path / "was", LARGEST, [(0, LARGEST, 1)], None)
    _written(
        tmp_path / "is", LARGEST, [(10, 5, 2), (CHUNK_BYTES - 1, 2, 3), (2 * CHUNK_BYTES, 8192, 0)], tmp_path / "was"
    )
    with Composed.open(tmp_path / "was") as was:
        index = _layer(tmp_path / "is", tmp_path / "layer", over=was)
    assert index.extents == (
        Extent(0, BLOCK_BYTES, is_zeros=False),
        Extent(CHUNK_BYTES - BLOCK_BYTES, 2 * BLOCK_BYTES, is_zeros=False),
        Extent(2 * CHUNK_BYTES, 8192, is_zeros=True),
    )
    assert (tmp_path / "layer").stat().st_size == index.layer_bytes == BLOCK_BYTES + 3 * BLOCK_BYTES


def test_a_layer_is_the_same_whether_zeros_are_holes_or_written(tmp_path: Path) -> None:
    _written(tmp_path / "holes", LARGEST, [(CHUNK_BYTES, 100, 7)], None)
    _written(tmp_path / "zeros", LARGEST, [(0, CHUNK_BYTES, 0), (CHUNK_BYTES, 100, 7), (LARGEST - 9, 9, 0)], None)
    _layer(tmp_path / "holes", tmp_path / "one", over=None)
    _layer(tmp_path / "zeros", tmp_path / "other", over=None)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_zeros_of_a_composed_file_are_holes(tmp_path: Path) -> None:
    _written(tmp_path / "was", LARGEST, [(0, LARGEST, 1)], None)
    _written(tmp_path / "is", LARGEST, [(0, LARGEST, 0)], tmp_path / "was")
    with Composed.open(tmp_path / "was") as was:
        _layer(tmp_path / "is", tmp_path / "layer", over=was)
    assert _whole(tmp_path / "whole", tmp_path / "was", [tmp_path / "layer"]) == bytes(LARGEST)
    assert (tmp_path / "whole").stat().st_blocks == 0


def test_near_extents_become_one_where_there_would_be_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "MOST_EXTENTS", 8)
    writes = [(number * 3 * BLOCK_BYTES, 10, 1 + number % 3) for number in range(100)]
    _written(tmp_path / "was", LARGEST, [(0, LARGEST, 9)], None)
    _written(tmp_path / "is", LARGEST, [*writes, (600 * BLOCK_BYTES, BLOCK_BYTES, 0)], tmp_path / "was")
    with Composed.open(tmp_path / "was") as was:
        index = _layer(tmp_path / "is", tmp_path / "layer", over=was)
    assert len(index.extents) <= 8
    assert _whole(tmp_path / "whole", tmp_path / "was", [tmp_path / "layer"]) == (tmp_path / "is").read_bytes()


def test_gathered_extents_that_touch_are_one_of_their_kind() -> None:
    gathered = Gathering()
    for start, is_zeros in ((0, False), (10, False), (20, True), (30, True), (50, True)):
        gathered.add(start, 10, is_zeros=is_zeros)
    assert [tuple(each) for each in gathered.index(size_bytes=99, needs_base=True).extents] == [
        (0, 20, False),
        (20, 20, True),
        (50, 10, True),
    ]


@given(data=st.binary(max_size=200))
def test_what_is_no_layer_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_index(data)


def _packed(*extents: tuple[int, int, int], size: int = 100_000, magic: bytes = b"NXLAYER1", base: int = 0) -> bytes:
    head = struct.pack(">8sQII", magic, size, base, len(extents))
    return (head + b"".join(struct.pack(">QQI", *extent) for extent in extents)).ljust(BLOCK_BYTES, b"\0")


@pytest.mark.parametrize(
    "data",
    [
        _packed(magic=b"NXLAYER2"),
        _packed(base=2),
        _packed(size=(1 << 62) + 1),
        _packed((0, 0, 0)),
        _packed((0, 10, 2)),
        _packed((90_000, 10_001, 0)),
        _packed((50, 10, 0), (40, 5, 0)),
        _packed((50, 10, 0), (55, 10, 0)),
        _packed((1 << 63, 1 << 63, 1)),
        _packed((0, 10, 0))[:-1],
        _packed((0, 10, 0))[:-1] + b"x",
        struct.pack(">8sQII", b"NXLAYER1", 1, 0, layers.MOST_EXTENTS + 1),
    ],
)
def test_an_index_that_cannot_be_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_index(data)


def test_an_index_is_read_as_it_was_packed() -> None:
    index = Index(1 << 40, needs_base=True, extents=(Extent(5, 6, is_zeros=False), Extent(100, 1 << 30, is_zeros=True)))
    assert parse_index(index.packed()) == index


@pytest.mark.parametrize("change", [-1, 1])
def test_a_layer_of_another_length_than_its_index_says_is_refused(tmp_path: Path, change: int) -> None:
    _written(tmp_path / "file", 10_000, [(0, 9000, 1)], None)
    _layer(tmp_path / "file", tmp_path / "layer", over=None)
    os.truncate(tmp_path / "layer", (tmp_path / "layer").stat().st_size + change)
    with (tmp_path / "layer").open("rb") as layer, pytest.raises(Malformed):
        read_index(layer.fileno())


def test_a_layer_is_refused_over_what_it_was_not_made_over(tmp_path: Path) -> None:
    _written(tmp_path / "file", 10_000, [(0, 9000, 1)], None)
    _layer(tmp_path / "file", tmp_path / "bare", over=None)
    with Composed.open(tmp_path / "file") as base:
        _layer(tmp_path / "file", tmp_path / "over", over=base)
    with pytest.raises(Malformed), Composed.open(tmp_path / "file", [tmp_path / "bare"]):
        pass
    with pytest.raises(Malformed), Composed.open(None, [tmp_path / "over"]):
        pass


def test_what_is_told_of_progress_is_what_was_compared_and_written(tmp_path: Path) -> None:
    _written(tmp_path / "file", LARGEST, [(0, 10, 1), (LARGEST - 1, 1, 1)], None)
    compared, written = list[int](), list[int]()
    with Composed.open(tmp_path / "file") as file, (tmp_path / "layer").open("xb") as layer:
        index = differences(file, None, step=compared.append)
        write_layer(file, index, layer.fileno(), step=written.append)
    assert sum(compared) == 2 * CHUNK_BYTES
    assert sum(written) <= index.data_bytes == 2 * BLOCK_BYTES
