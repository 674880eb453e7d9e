"""What is known of running VMMs, and asked of them by their monitors."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

from nexus.agent.vmm.port import VmmTrouble
from nexus.agent.vmm.qemu import record
from nexus.agent.vmm.qemu.launcher import Places
from nexus.agent.vmm.qemu.qmp import Qmp, QmpTrouble
from nexus.agent.vmm.qemu.record import DeviceRecord, VmmRecord
from nexus.agent.vmm.qemu.running import Running
from nexus.kit import log

_log = log.get("nexus.agent.vmm.qemu")
_T = TypeVar("_T")


class Monitored:
    """VMMs that run, and the records of all."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._running: dict[UUID, Running] = {}
        self._unwritten: dict[UUID, VmmRecord] = {}
        """Records of ends that could not be written: a full disk must not hold up what comes after an end."""

    def _known(self, machine: UUID) -> VmmRecord | None:
        return self._unwritten.get(machine) or record.load(self._places.record(machine))

    def _write(self, machine: UUID, known: VmmRecord) -> bool:
        """Bring the record up to date; False where the disk does not take it. What it said before is enough to find
        the process again, and whoever asks this agent is told what it knows."""
        try:
            record.save(self._places.record(machine), known)
        except OSError as refused:
            _log.warning("vmm_not_recorded", machine_id=str(machine), why=str(refused))
            return False
        return True

    def _devices(self, machine: UUID) -> DeviceRecord:
        if (running := self._running.get(machine)) is None:
            raise VmmTrouble("the machine is off")
        if running.record.devices is None:
            raise VmmTrouble("it was started before there were balloons")
        return running.record.devices

    def _note(self, machine: UUID, **changed: int | None) -> None:
        running, devices = self._running[machine], self._devices(machine).model_copy(update=changed)
        running.record = running.record.model_copy(update={"devices": devices})
        self._write(machine, running.record)

    async def _execute(self, machine: UUID, order: str, **arguments: Any) -> Running:
        await self._ask(machine, lambda qmp: qmp.execute(order, **arguments))
        return self._running[machine]

    async def _ask(self, machine: UUID, work: Callable[[Qmp], Awaitable[_T]]) -> _T:
        """Give the monitor an order or several. Raises VmmTrouble."""
        running = self._running.get(machine)
        if running is None or running.qmp is None:
            raise VmmTrouble("the machine is off")
        try:
            return await work(running.qmp)
        except QmpTrouble as refused:
            raise VmmTrouble(f"QEMU refused: {refused}") from refused
        except OSError as refused:
            raise VmmTrouble(f"a drive's file cannot be opened: {refused.strerror or refused}") from refused
