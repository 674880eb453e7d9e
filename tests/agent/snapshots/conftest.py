"""An agent over the hypervisor that runs nothing."""

import pytest
from tests.agent.over_fake import agent, fake_images, running, settings

from nexus.agent.settings import AgentSettings
from nexus.agent.vmm.fake import FakeVmm
from nexus.kit.clock import SystemClock

__all__ = ["agent", "fake_images", "running", "settings"]


@pytest.fixture
def vmm(settings: AgentSettings) -> FakeVmm:
    """A second hand on the same simulated hypervisor."""
    return FakeVmm(machines=settings.run_dir / "machines", clock=SystemClock())
