"""What is written down about launches, and what becomes of that when the disk is full."""

from pathlib import Path
from uuid import UUID

from nexus.agent.vmm import logs
from nexus.agent.vmm.firecracker import record
from nexus.agent.vmm.firecracker.exits import explain
from nexus.agent.vmm.firecracker.places import Places
from nexus.agent.vmm.firecracker.record import ExitRecord, VmmRecord
from nexus.agent.vmm.port import VmmExit
from nexus.kit import log
from nexus.kit.clock import Clock
from nexus.protocol.machines import ExitReason

_log = log.get("nexus.agent.vmm.firecracker")


class Ledger:
    def __init__(self, places: Places, clock: Clock) -> None:
        self.clock = clock
        self._places = places
        self._unwritten: dict[UUID, VmmRecord] = {}
        """Records of ends that could not be written: a full disk must not hold up what comes after an end."""

    def known(self, machine: UUID) -> VmmRecord | None:
        return self._unwritten.get(machine) or record.load(self._places.record(machine))

    def begin(self, machine: UUID, begun: VmmRecord) -> None:
        """Before a process is made this machine's. Raises OSError."""
        record.save(self._places.record(machine), begun)
        self._unwritten.pop(machine, None)

    def write(self, machine: UUID, known: VmmRecord) -> bool:
        """Bring the record up to date; False where the disk does not take it: what it said before is enough to find
        the process again, and whoever asks this agent is told what it knows."""
        try:
            record.save(self._places.record(machine), known)
        except OSError as refused:
            _log.warning("vmm_not_recorded", machine_id=str(machine), why=str(refused))
            return False
        return True

    def end(self, machine: UUID, known: VmmRecord, ended: VmmExit) -> None:
        exit_record = ExitRecord(reason=ended.reason, why=ended.why, at=ended.at)
        known = known.model_copy(update={"exit": exit_record, "jail": None})
        if not self.write(machine, known):
            self._unwritten[machine] = known

    def strike(self, machine: UUID) -> None:
        """The launch has never been."""
        self._places.record(machine).unlink(missing_ok=True)

    def forget(self, machine: UUID) -> None:
        """Leave nothing of the machine that is ours."""
        self._unwritten.pop(machine, None)
        for path in (
            self._places.record(machine),
            self._places.console(machine),
            self._places.vmm_log(machine),
            self._places.console_input(machine),
            self.metrics(machine),
        ):
            path.unlink(missing_ok=True)

    def metrics(self, machine: UUID) -> Path:
        """Where sums of what is in no file any more are kept."""
        return self._places.home(machine) / "metrics.json"

    def exit(self, reason: ExitReason, why: str) -> VmmExit:
        return VmmExit(reason, why, self.clock.now())

    def unexpected(self, machine: UUID, known: VmmRecord, *, status: int | None = None) -> VmmExit:
        """Of a launch that nobody ended, from what it left behind."""
        if known.jail is None:
            return self.exit(ExitReason.VMM_KILLED, "Its VMM process is gone.")
        console = logs.tail(self._places.console(machine), since=known.console_start)
        log_tail, errors = logs.tail(self._places.vmm_log(machine)), logs.tail(self._places.errors(known.jail))
        return self.exit(*explain(status, log_tail=log_tail, errors=errors, console_tail=console))
