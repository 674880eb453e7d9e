"""What a person sees while images are made."""

import io

import pytest
from rich.console import Console

from nexus.local.images.bar import Bar


def run(*, terminal: bool) -> str:
    out = io.StringIO()
    with Bar(Console(file=out, force_terminal=terminal, width=100, color_system=None)) as bar:
        bar.stage("downloading the kernel")
        bar.advance(1_000_000, 4_000_000)
        bar.advance(4_000_000, 4_000_000)
        bar.stage("unpacking the kernel")
    return out.getvalue()


def test_without_a_terminal_each_step_is_one_line() -> None:
    assert run(terminal=False) == "downloading the kernel\nunpacking the kernel\n"


def test_on_a_terminal_downloads_show_their_size_and_other_steps_do_not() -> None:
    last = run(terminal=True).replace("\r", "\n").splitlines()
    download = [line for line in last if "downloading" in line][-1]
    unpacking = [line for line in last if "unpacking" in line][-1]
    assert "4.0/4.0 MB" in download
    assert "bytes" not in unpacking
    assert "MB" not in unpacking


def test_a_step_that_was_never_begun_cannot_advance() -> None:
    with Bar(Console(file=io.StringIO())) as bar, pytest.raises(AssertionError, match="begins before"):
        bar.advance(1, 2)
