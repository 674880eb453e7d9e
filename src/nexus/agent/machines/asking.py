"""What a running guest is asked for by the way; one that does not answer is no obstacle."""

from uuid import UUID

from nexus.agent.machines.guest_link import GuestLink
from nexus.agent.machines.host import Host
from nexus.agent.vmm.port import CtrlAltDel
from nexus.kit import log
from nexus.protocol.guest import PowerAction
from nexus.protocol.trouble import Trouble

_log = log.get("nexus.agent.machines")


async def power_off(host: Host, link: GuestLink, machine: UUID) -> None:
    """Have the guest begin to shut down: through its agent, or by the keyboard where that is silent."""
    try:
        async with link.client() as guest:
            await guest.power(PowerAction.POWEROFF)
    except Trouble as silent:
        _log.warning("guest_not_asked", machine_id=str(machine), why=str(silent))
        if isinstance(host.vmm, CtrlAltDel):
            await host.vmm.ctrl_alt_del(machine)
