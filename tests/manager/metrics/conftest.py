"""Tests here make VMs too: hosts and images as those of compute have them."""

import json

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost
from tests.manager.compute.conftest import agent_settings, host, images, join_token
from tests.manager.metrics.acting import Measuring

from nexus.agent.settings import AgentSettings

__all__ = ["agent_settings", "host", "images", "join_token"]


@pytest.fixture
def measuring(host: JoinedHost, agent_settings: AgentSettings, anonymous: httpx.AsyncClient) -> Measuring:
    """The joined host, with its samples in the test's hand."""
    known = json.loads((agent_settings.run_dir / "credential.json").read_text())
    return Measuring(anonymous, known["host_id"], known["credential"])
