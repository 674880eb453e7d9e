"""Watches the VMMs of this host: sees that they end, why, and that nothing of them stays; and ends those whose guest
has gone or that answer no more."""

import asyncio
import socket
import time
from uuid import UUID

from nexus.agent.vmm import logs
from nexus.agent.vmm.exits import guest_stopped
from nexus.agent.vmm.firecracker import places
from nexus.agent.vmm.firecracker.jails import Jailed, Jails
from nexus.agent.vmm.firecracker.ledger import Ledger
from nexus.agent.vmm.firecracker.metrics import MetricsFile
from nexus.agent.vmm.firecracker.places import MEMORY, SAVED
from nexus.agent.vmm.firecracker.record import VmmRecord
from nexus.agent.vmm.firecracker.resources import give_back
from nexus.agent.vmm.firecracker.running import Patience, Running
from nexus.agent.vmm.port import Changed, VmmExit
from nexus.agent.vmm.process import Watch
from nexus.kit import log
from nexus.protocol.machines import ExitReason

_log = log.get("nexus.agent.vmm.firecracker")

WRITING_S = 60.0
"""Since the memory's file was last written to, for which a VMM that is silent is taken for one that writes it."""


class Overseer:
    """`changed` is called when a VMM has ended by itself or otherwise, and that is recorded."""

    def __init__(self, jails: Jails, ledger: Ledger, *, patience: Patience) -> None:
        self.running: dict[UUID, Running] = {}
        self.changed: Changed = lambda _machine: None
        self._jails = jails
        self._places = jails.places
        self._ledger = ledger
        self._patience = patience

    def keep(self, machine: UUID, known: VmmRecord, jailed: Jailed, *, has_answered: bool) -> Running:
        """Watch this process from now on."""
        metrics = MetricsFile(self._places.root(jailed.id), self._ledger.metrics(machine))
        running = Running(known, jailed, Watch(jailed.process, lambda: self._gone(machine)), metrics, has_answered)
        self.running[machine] = running
        running.hold(asyncio.create_task(self._attend(machine, running)))
        return running

    async def is_over(
        self, machine: UUID, known: VmmRecord, ended: VmmExit | None, *, status: int | None = None
    ) -> None:
        """Keep how it ended (None: to be found out, also from its exit `status` where that is known), and remove the
        jail."""
        ended = ended or self._ledger.unexpected(machine, known, status=status)
        if known.jail is not None:
            await asyncio.to_thread(give_disks_back, known)
            await self._jails.remove(known.jail, known.uid, has_ended=True)
        self._ledger.metrics(machine).unlink(missing_ok=True)
        self._ledger.end(machine, known, ended)
        _log.info("vmm_ended", machine_id=str(machine), reason=ended.reason, why=ended.why)

    def dial_guest(self, machine: UUID) -> socket.socket:
        """To the VMM's vsock. Raises OSError."""
        running = self.running.get(machine)
        known = running.record if running is not None else self._ledger.known(machine)
        if known is None or known.jail is None:
            raise ConnectionRefusedError("the machine is off")
        return places.dial(self._places.root(known.jail), places.VSOCK_SOCKET, uid=known.uid)

    async def close(self) -> None:
        """Watch no more; the processes run on."""
        for running in self.running.values():
            await running.let_go()
        self.running.clear()

    async def _attend(self, machine: UUID, running: Running) -> None:
        """The supervisor of one VMM."""
        console, look = self._places.console(machine), 0
        while running.ending is None:
            await asyncio.sleep(self._patience.look_s)
            look += 1
            if await running.has_powered_off(console, lambda: self.dial_guest(machine), self._patience):
                self._end_with(running, *guest_stopped(ExitReason.GUEST_SHUTDOWN, ""))
            elif look % self._patience.ping_every == 0:
                if await running.is_silent(self._patience) and not self._is_writing(running):
                    self._end_with(running, ExitReason.VMM_KILLED, "Its VMM answered no more, and was ended.")
                if not running.watch.ended.is_set():
                    await asyncio.to_thread(self._trim, machine, running)
        await running.kill()

    def _is_writing(self, running: Running) -> bool:
        """Whether it writes a snapshot, as one whose agent was restarted meanwhile may: it answers nobody then."""
        try:
            written = (self._places.root(running.jailed.id) / SAVED[MEMORY]).lstat().st_mtime
        except OSError:
            return False
        return abs(time.time() - written) < WRITING_S

    def _end_with(self, running: Running, reason: ExitReason, why: str) -> None:
        running.ending = running.ending or self._ledger.exit(reason, why)

    def _trim(self, machine: UUID, running: Running) -> None:
        try:
            logs.trim(self._places.console(machine), keep_bytes=running.record.console_bytes or logs.KEEP_BYTES)
            logs.trim(self._places.vmm_log(machine))
            running.metrics.trim()
        except OSError as refused:
            _log.warning("log_not_trimmed", machine_id=str(machine), why=str(refused))

    def _gone(self, machine: UUID) -> None:
        running = self.running.get(machine)
        if running is not None:
            running.hold(asyncio.create_task(self._settle(machine, running)))

    async def _settle(self, machine: UUID, running: Running) -> None:
        await running.jailed.let_go()
        await self.is_over(machine, running.record, running.ending, status=running.watch.status)
        self.running.pop(machine, None)
        running.settled.set()
        self.changed(machine)
        running.watch.close()
        for task in running.tasks - {asyncio.current_task()}:
            task.cancel()


def give_disks_back(known: VmmRecord) -> None:
    """The disks, also to another driver: a uid may be another machine's next."""
    for drive in known.drives.values():
        if not drive.read_only:
            try:
                give_back(drive.path, uid=known.uid, owner=known.owner)
            except OSError as refused:
                _log.warning("disk_not_given_back", path=str(drive.path), why=str(refused))
