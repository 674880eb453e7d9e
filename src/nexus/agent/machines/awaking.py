"""A guest whose memory came from a snapshot: told who it is and what time it is, before anything can reach it."""

from nexus.agent.guest.becoming import become
from nexus.agent.machines.guest_config import guest_config
from nexus.agent.machines.guest_link import GuestLink, printable
from nexus.agent.machines.host import Host
from nexus.agent.machines.state import MachineState
from nexus.agent.vmm.port import Snapshots
from nexus.protocol.guest import IdentityReason
from nexus.protocol.machines import MOST_WARNINGS

PATIENCE_S = 60.0
"""For its hooks, and for keys to be made."""


async def awake(host: Host, link: GuestLink, state: MachineState) -> tuple[str, ...]:
    """Only then do its interfaces get their link. Answers what the guest could not do. Raises Trouble, VmmTrouble; may
    be repeated."""
    spec, restored = state.running, state.restored
    assert restored is not None
    config = None
    if restored.is_clone:
        attachments = {nic.id: host.network.attachment(nic, position) for position, nic in enumerate(spec.nics)}
        config = guest_config(spec, attachments, time_unix_ms=int(host.clock.now().timestamp() * 1000))
    reason = IdentityReason.CLONE if restored.is_clone else IdentityReason.ROLLBACK
    async with link.client(timeout_s=PATIENCE_S) as guest:
        warnings = await become(guest, reason=reason, config=config, clock=host.clock)
    assert isinstance(host.vmm, Snapshots)
    await host.vmm.connect(spec.id)
    return tuple(printable(warning) for warning in warnings[:MOST_WARNINGS])
