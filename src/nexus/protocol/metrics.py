"""One sample of a machine: what its host sees, and what its guest says where it answers."""

from datetime import datetime

from nexus.protocol.base import Message
from nexus.protocol.guest import GuestMetrics
from nexus.protocol.machines import HostSideMetrics


class MachineMetrics(Message):
    at: datetime
    host: HostSideMetrics
    guest: GuestMetrics | None = None
