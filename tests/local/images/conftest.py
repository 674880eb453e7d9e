"""Fixtures for what reads packages."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.local.images.packages import deb


@pytest.fixture
def make_deb(tmp_path: Path) -> Callable[..., Path]:
    """Make a package: `make_deb({"./bin/sh": b"…"}, suffix=".zst")`."""

    def make(files: dict[str, bytes], *, suffix: str = ".xz") -> Path:
        path = tmp_path / "some_1_amd64.deb"
        path.write_bytes(deb(files, suffix=suffix))
        return path

    return make
