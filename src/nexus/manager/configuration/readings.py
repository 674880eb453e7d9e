"""What is looked at in a running VM rather than set: passed through to its host."""

from uuid import UUID

from nexus.manager.access import Actor
from nexus.manager.configuration.schemas import BalloonStatisticsBody
from nexus.manager.vms import offering
from nexus.manager.vms.guest import Guests, told
from nexus.manager.vms.lifecycle import Verb, wording
from nexus.protocol.balloons import BalloonStats
from nexus.protocol.hosts import Offer

_PAGES_PER_MIB = 256


class Readings:
    def __init__(self, guests: Guests) -> None:
        self._guests = guests

    async def balloon(self, actor: Actor, vm_id: UUID) -> BalloonStatisticsBody:
        """Raises VmNotFound, NotOffered, VmStateConflict, or as_problem's."""
        reached = await self._guests.reach(actor, vm_id)
        offering.require(reached.vm, f"read the balloon of {reached.vm.name}", [Offer.BALLOON])
        await self._guests.reach(actor, vm_id, verb=Verb.FLUSH_METRICS)
        async with told(f"read the balloon of {reached.vm.name}"):
            seen = await reached.agent.observe_balloon(reached.vm.machine.id)
        stats = seen.stats or BalloonStats()
        return BalloonStatisticsBody(
            **stats.model_dump(),
            target_mib=seen.target_mib,
            actual_mib=seen.actual_mib,
            target_pages=seen.target_mib * _PAGES_PER_MIB,
            actual_pages=seen.actual_mib * _PAGES_PER_MIB,
        )

    async def flush_metrics(self, actor: Actor, vm_id: UUID) -> None:
        """Have a sample taken now. Raises VmNotFound, VmStateConflict, or as_problem's."""
        reached = await self._guests.reach(actor, vm_id, verb=Verb.FLUSH_METRICS)
        async with told(wording(Verb.FLUSH_METRICS, reached.vm.name)):
            await reached.agent.observe_metrics(reached.vm.machine.id)
