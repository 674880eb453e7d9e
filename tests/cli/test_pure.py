"""The parts without I/O: sizes, ages, the escape, tables."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.cli import human, rates
from nexus.cli.output import Column, plain, table
from nexus.cli.vm.keyboard import Escape, Leave
from nexus.client.models import Bucket

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("512M", 512 << 20), ("1g", 1 << 30), ("1.5 GiB", 3 << 29), ("1048576", 1 << 20), ("10GB", 10 << 30), ("0", 0)],
)
def test_sizes_are_read_as_people_write_them(text: str, size_bytes: int) -> None:
    assert human.parse_bytes(text) == size_bytes


@pytest.mark.parametrize("text", ["", "G", "1X", "-1G", "1G extra", "\u0661G"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        human.parse_bytes(text)


def test_memory_without_a_unit_is_in_mib() -> None:
    assert human.parse_mib("512") == human.parse_mib("512M") == 512


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (512 << 20, "512 MiB"),
        (4 << 30, "4 GiB"),
        (3 << 50, "3072 TiB"),
    ],
)
def test_sizes_are_written_short(size_bytes: int, text: str) -> None:
    assert human.size(size_bytes) == text


@pytest.mark.parametrize(
    ("size", "rate", "times"),
    [
        (999, "999 B/s", "999/s"),
        (999_700, "1 MB/s", "999700/s"),
        (50_000_000, "50 MB/s", "50000000/s"),
        (1_000_000, "1 MB/s", "1000000/s"),
    ],
)
def test_rates_are_written_with_the_prefix_that_fits(size: int, rate: str, times: str) -> None:
    bucket = Bucket(size=size, refill_time=1000, one_time_burst=None)
    assert rates.bytes_per_second(bucket) == rate
    assert rates.times_per_second(bucket) == times


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=0), "0s"),
        (timedelta(seconds=59.9), "59s"),
        (timedelta(minutes=61), "1h"),
        (timedelta(days=40), "40d"),
        (timedelta(seconds=-5), "0s"),
    ],
)
def test_ages_are_in_their_largest_unit(span: timedelta, text: str) -> None:
    assert human.ago(NOW - span, now=NOW) == text


@pytest.mark.parametrize(
    ("typed", "sent", "leaves"),
    [
        (b"~.", b"", Leave.HANG_UP),
        (b"ls\r~.", b"ls\r", Leave.HANG_UP),
        (b"ls\r~d", b"ls\r", Leave.DETACH),
        (b"a~.", b"a~.", None),
        (b"\r~~.", b"\r~.", None),
        (b"\r~~d", b"\r~d", None),
        (b"\r~x", b"\r~x", None),
        (b"\n~", b"\n", None),
        (b"\r~\r~.", b"\r~\r", Leave.HANG_UP),
    ],
)
def test_the_escape_is_a_tilde_and_a_dot_at_the_start_of_a_line(
    typed: bytes, sent: bytes, leaves: Leave | None
) -> None:
    assert Escape().feed(typed) == (sent, leaves)


@given(st.lists(st.binary(max_size=6)))
def test_the_escape_does_not_depend_on_how_keys_are_cut_into_chunks(chunks: list[bytes]) -> None:
    whole = Escape().feed(b"".join(chunks))
    escape, sent = Escape(), b""
    for chunk in chunks:
        passed, leaves = escape.feed(chunk)
        sent += passed
        if leaves:
            assert whole == (sent, leaves)
            return
    assert whole == (sent, None)


def test_a_table_has_columns_as_wide_as_their_widest_cell() -> None:
    columns = [Column[str]("NAME", lambda row: row), Column[str]("LENGTH", len)]
    assert table(["a", "bcdef"], columns, colour=False) == "NAME   LENGTH\na      1\nbcdef  5\n"


def test_colour_does_not_move_columns() -> None:
    columns = [Column[str]("STATE", lambda row: row), Column[str]("N", len)]
    coloured = table(["running", "error"], columns, colour=True)
    assert coloured.replace("\x1b[32m", "").replace("\x1b[31m", "").replace("\x1b[0m", "") == table(
        ["running", "error"], columns, colour=False
    )
    assert "\x1b[31merror" in coloured


def test_cells_show_nothing_as_a_dash_and_no_control_characters() -> None:
    assert [plain(value) for value in (None, "", (), ["a", "b"], 0, "a\x1b\nb")] == ["-", "-", "-", "a, b", "0", "a��b"]
