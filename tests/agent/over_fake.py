"""Fixtures of an agent over the hypervisor that runs nothing."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.agent.lab import AgentClient, ImageSet, agent_here, agent_settings, random_images

from nexus.agent import wiring
from nexus.agent.settings import AgentSettings


@pytest.fixture
def fake_images(short_tmp: Path) -> ImageSet:
    return random_images(short_tmp / "seed")


@pytest.fixture
def settings(short_tmp: Path, fake_images: ImageSet) -> AgentSettings:
    return agent_settings(short_tmp, image_seed=fake_images.directory)


@pytest.fixture
async def running(settings: AgentSettings) -> AsyncIterator[tuple[AgentClient, wiring.Agent]]:
    async with agent_here(settings) as agent:
        yield agent


@pytest.fixture
def agent(running: tuple[AgentClient, wiring.Agent]) -> AgentClient:
    return running[0]
