"""Rate limits of a running machine's interfaces, changed without a restart where the host's network can. Other changes
of interfaces, and new ones, wait for the next boot: no hypervisor of ours can give a running guest one more."""

from collections.abc import Sequence

from nexus.agent.machines.applying import Running
from nexus.agent.net.port import NetTrouble
from nexus.agent.vmm.port import VmmTrouble
from nexus.protocol.hosts import Offer
from nexus.protocol.machines import MachineSpec, NicSpec


class NicLimiting:
    """`rx_rate_limiter` and `tx_rate_limiter` of interfaces that the running machine has."""

    def is_due(self, running: Running) -> bool:
        return Offer.NIC_LIMITS in running.host.network.offers and bool(_limited(running))

    async def apply(self, running: Running) -> MachineSpec:
        nics = {nic.id: nic for nic in running.has.nics}
        for nic in _limited(running):
            try:
                await running.host.network.limit(nic)
            except NetTrouble as trouble:
                raise VmmTrouble(str(trouble)) from trouble
            nics[nic.id] = nic
        return running.has.model_copy(update={"nics": tuple(nics.values())})


def _limited(running: Running) -> Sequence[NicSpec]:
    """Interfaces that differ in their limits; each as the running machine has it, but for them."""
    had = {nic.id: nic for nic in running.has.nics}
    return [
        had[nic.id].model_copy(update={"rx_rate_limiter": nic.rx_rate_limiter, "tx_rate_limiter": nic.tx_rate_limiter})
        for nic in running.wanted.nics
        if nic.id in had and _limits(nic) != _limits(had[nic.id])
    ]


def _limits(nic: NicSpec) -> tuple[object, object]:
    return nic.rx_rate_limiter, nic.tx_rate_limiter
