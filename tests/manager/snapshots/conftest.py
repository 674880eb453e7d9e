"""Tests here make VMs too: hosts and images as those of compute have them."""

from tests.manager.compute.conftest import agent_settings, host, images, join_token

__all__ = ["agent_settings", "host", "images", "join_token"]
