"""What a host must be able to do for VMs that are made from an archive. Pure."""

from nexus.manager.drives import rules as drives
from nexus.manager.snapshots.archive import ArchivedDefinition
from nexus.protocol.hosts import Offer


def offers_needed(definition: ArchivedDefinition) -> frozenset[Offer]:
    """Of the VM's settings and devices, as far as they ask for anything."""
    settings = definition.settings
    asked = {
        Offer.BALLOON: settings.balloon_mib > 0 or settings.balloon_stats_s > 0,
        Offer.ENTROPY_LIMIT: settings.entropy_limit is not None,
        Offer.CONSOLE_LIMIT: settings.console_bytes is not None,
        Offer.LOG_LEVEL: settings.log_level is not None,
        Offer.CPU_CONFIG: settings.cpu_config is not None,
        Offer.VSOCK: settings.vsock_cid is not None,
        Offer.NIC_LIMITS: any(nic.rx_rate_limiter or nic.tx_rate_limiter for nic in definition.nics),
    }
    found = {offer for offer, is_asked in asked.items() if is_asked}
    for drive in definition.drives:
        found.update(drives.needed(cache_type=drive.cache_type, io_engine=drive.io_engine, limiter=drive.rate_limiter))
    return frozenset(found | {Offer.SNAPSHOT})
