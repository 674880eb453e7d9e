"""What a VM's host cannot do, refused before anything is written, with what it can do instead."""

from collections.abc import Iterable, Mapping

from nexus.kit.problems import Conflict
from nexus.manager.vms.models import Vm
from nexus.protocol.hosts import Offer

_LACKS: Mapping[Offer, tuple[str, str]] = {
    Offer.CONSOLE_INPUT: ("take keys for serial consoles", "Read it with GET …/console."),
    Offer.SNAPSHOT: ("make snapshots", "Hosts with `snapshot` among their `offers` can; make the VM there."),
    Offer.BALLOON: ("ask a running guest for memory", "Change its memory with machine-config, and start it again."),
    Offer.ENTROPY_LIMIT: ("limit what a guest draws from its entropy device", "Leave rate_limiter out."),
    Offer.CONSOLE_LIMIT: ("choose how much of a console it keeps", "Leave it as it is."),
    Offer.LOG_LEVEL: ("choose how much its hypervisor logs", "Its log has errors and warnings."),
    Offer.CPU_CONFIG: (
        "hide single features of the CPU from a guest",
        "Leave cpu_config out: guests see what the host's CPU has, or its emulation.",
    ),
    Offer.VSOCK: (
        "give a guest a vsock for its own use",
        "Use exec, or forward a port: both go over the guest channel.",
    ),
    Offer.DRIVE_LIMITS: ("limit drives", "Leave rate_limiter out."),
    Offer.ONE_TIME_BURST: (
        "keep a burst from coming back",
        "Leave one_time_burst out; a greater size with as much greater a refill_time lets more pass at once.",
    ),
    Offer.ASYNC_IO: ("use io_uring", "Use io_engine Sync."),
    Offer.WRITETHROUGH: ("write drives through", "Use cache_type Writeback, which keeps what the guest flushes."),
    Offer.HOST_FILES: (
        "serve files of its own",
        "Leave path_on_host out, or have the host's owner set AGENT_DRIVE_ROOTS.",
    ),
    Offer.BRIDGE: (
        "choose guests' addresses",
        "Its network mode is user, in which every guest has the same; hosts in bridge mode can.",
    ),
    Offer.NIC_LIMITS: (
        "limit interfaces",
        "Hosts in bridge mode can, where their kernel has traffic control (tbf, ifb, mirred).",
    ),
}
"""What completes "… its host cannot …", and the way out."""


class NotOffered(Conflict):
    """The host's hypervisor or network cannot do this, in whatever state the VM is."""

    code = "not_offered"


def require(vm: Vm, wish: str, needed: Iterable[Offer]) -> None:
    """Raise NotOffered for the first of `needed` that the VM's host does not offer; `wish` completes "Cannot …"."""
    for offer in needed:
        if offer not in vm.host.offers:
            lack, way_out = _LACKS[offer]
            raise NotOffered(f"Cannot {wish}: its host, {vm.host.name}, cannot {lack}.", suggestion=way_out)
