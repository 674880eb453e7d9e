"""Tests here make VMs too: hosts and images as those of compute have them."""

from datetime import timedelta

import pytest
from tests.manager.compute.conftest import agent_settings, host, images, join_token

from nexus.manager.snapshots import sweep

__all__ = ["agent_settings", "host", "images", "join_token"]


@pytest.fixture(autouse=True)
def swept_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over goes at once, so that nobody has to wait for it."""
    monkeypatch.setattr(sweep, "EVERY", timedelta(seconds=0.2))
