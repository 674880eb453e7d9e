"""An agent over the hypervisor that runs nothing."""

from tests.agent.over_fake import agent, fake_images, running, settings

__all__ = ["agent", "fake_images", "running", "settings"]
