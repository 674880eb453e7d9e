"""One sample of a machine: what its host sees, and what its guest says where it answers."""

from datetime import datetime

from pydantic import Field

from nexus.protocol.base import Message
from nexus.protocol.guest import GuestMetrics
from nexus.protocol.machines import HostSideMetrics


class MachineMetrics(Message):
    at: datetime = Field(description="When it was taken")
    host: HostSideMetrics = Field(description="What its host sees")
    guest: GuestMetrics | None = Field(default=None, description="What its guest says, where it answers")
