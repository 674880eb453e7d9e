"""Having snapshots go that were taken for something that is over."""

from datetime import timedelta

from nexus.manager.snapshots.service import Snapshots
from nexus.manager.sweeps import Sweep

EVERY = timedelta(seconds=5)


def cleaning(snapshots: Snapshots) -> Sweep:
    """Removes what suspended VMs went on from and what clones began from; notes what is lost with its host."""
    return Sweep("snapshots", EVERY, snapshots.clean_up)
