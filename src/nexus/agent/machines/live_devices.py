"""Devices of a running machine that can be changed in it, by its driver or by the agent in its guest."""

from nexus.agent.machines.applying import Running
from nexus.agent.machines.metadata import served
from nexus.agent.vmm.port import Balloon, BalloonTarget, ConsoleLimit, VmmTrouble
from nexus.protocol.machines import MachineSpec


class BalloonInflation:
    """How much memory the guest is to give back, and how often it tells of it."""

    _FIELDS = ("balloon_mib", "balloon_stats_s")

    def is_due(self, running: Running) -> bool:
        return _differs(running, *self._FIELDS) and isinstance(running.host.vmm, Balloon)

    async def apply(self, running: Running) -> MachineSpec:
        driver, wanted = running.host.vmm, running.wanted
        if not isinstance(driver, Balloon):
            raise VmmTrouble("this host's hypervisor has no balloon")
        await driver.set_balloon(wanted.id, BalloonTarget(wanted.balloon_mib, wanted.balloon_stats_s))
        return _taken_over(running, *self._FIELDS)


class ConsoleTrimming:
    """How much of the serial console's log is kept."""

    def is_due(self, running: Running) -> bool:
        return _differs(running, "console_bytes") and isinstance(running.host.vmm, ConsoleLimit)

    async def apply(self, running: Running) -> MachineSpec:
        driver, wanted = running.host.vmm, running.wanted
        if not isinstance(driver, ConsoleLimit):
            raise VmmTrouble("this host's hypervisor keeps as much of a console as it likes")
        await driver.limit_console(wanted.id, wanted.console_bytes)
        return _taken_over(running, "console_bytes")


class MetadataServing:
    """What the guest's agent serves as metadata. It has nothing to do with the hypervisor."""

    def is_due(self, running: Running) -> bool:
        return _differs(running, "metadata") and running.has.has_guest_agent and running.link.is_ready

    async def apply(self, running: Running) -> MachineSpec:
        network, has = running.host.network, running.has.model_copy(update={"metadata": running.wanted.metadata})
        attachments = {nic.id: network.attachment(nic, position) for position, nic in enumerate(has.nics)}
        async with running.link.client() as guest:
            await guest.set_metadata(served(has, attachments))
        return _taken_over(running, "metadata")


def _differs(running: Running, *fields: str) -> bool:
    return any(getattr(running.has, field) != getattr(running.wanted, field) for field in fields)


def _taken_over(running: Running, *fields: str) -> MachineSpec:
    return running.has.model_copy(update={field: getattr(running.wanted, field) for field in fields})
