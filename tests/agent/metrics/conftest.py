"""An agent over the hypervisor that runs nothing."""

from tests.agent.over_fake import fake_images, running, settings

__all__ = ["fake_images", "running", "settings"]
