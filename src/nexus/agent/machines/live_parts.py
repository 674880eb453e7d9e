"""What of a definition can be changed while a machine runs, in the order in which it is tried."""

from nexus.agent.machines.applying import LivePart
from nexus.agent.machines.live_devices import BalloonInflation, ConsoleTrimming, MetadataServing
from nexus.agent.machines.live_drives import DriveLimiting, DriveSupply
from nexus.agent.machines.live_nics import NicLimiting

LIVE_PARTS: tuple[LivePart, ...] = (
    *(DriveLimiting(), DriveSupply(), NicLimiting()),
    *(BalloonInflation(), ConsoleTrimming(), MetadataServing()),
)
