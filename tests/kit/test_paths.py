"""Directories that are ours alone."""

import os
from pathlib import Path

import pytest

from nexus.kit.paths import make_private

STRANGER = 64_999


def test_a_private_directory_is_made_with_its_parents(short_tmp: Path) -> None:
    made = make_private(short_tmp / "a" / "b")
    assert made.stat().st_mode & 0o777 == 0o700
    assert make_private(made, mode=0o711).stat().st_mode & 0o777 == 0o711


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what belongs to somebody else")
@pytest.mark.parametrize("is_link", [False, True])
def test_what_a_stranger_has_put_where_everybody_may_write_is_refused(short_tmp: Path, is_link: bool) -> None:
    everybodys = short_tmp / "tmp"
    everybodys.mkdir()
    everybodys.chmod(0o1777)
    (short_tmp / "ours").mkdir()
    waiting = everybodys / "nexus-0"
    if is_link:
        waiting.symlink_to(short_tmp / "ours")
    else:
        waiting.mkdir()
    os.chown(waiting, STRANGER, STRANGER, follow_symlinks=False)
    with pytest.raises(PermissionError, match=f"uid {STRANGER}"):
        make_private(waiting / "runtime")
