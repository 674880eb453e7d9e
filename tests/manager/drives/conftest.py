"""Tests here make VMs too; their host has opened a directory for drives."""

from pathlib import Path

import pytest
from tests.manager.compute.conftest import agent_settings as plain_agent_settings
from tests.manager.compute.conftest import host, images, join_token

from nexus.agent.settings import AgentSettings

__all__ = ["host", "images", "join_token", "plain_agent_settings"]


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """The directory whose files the host serves as drives."""
    made = tmp_path / "volumes"
    made.mkdir()
    return made


@pytest.fixture
def agent_settings(plain_agent_settings: AgentSettings, volumes: Path) -> AgentSettings:
    return plain_agent_settings.model_copy(update={"drive_roots": (volumes,)})
