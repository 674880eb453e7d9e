"""The `Vmm` port over Firecracker processes in jails.

A VMM belongs to nobody: it is found again by its record, its uid and its jail. It is told everything before its guest
starts, and almost nothing after. What its guest does by itself is read from what is left behind (`exits`), so that an
agent that was away learns the same reason as one that watched.
"""

import asyncio
import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from nexus.agent.guest.transport import Transport
from nexus.agent.guest.vsock import VsockTransport
from nexus.agent.vmm import logs
from nexus.agent.vmm.firecracker import bodies, record
from nexus.agent.vmm.firecracker.config import Configuration, Inside, configuration
from nexus.agent.vmm.firecracker.connection import ApiTrouble
from nexus.agent.vmm.firecracker.exits import last_line
from nexus.agent.vmm.firecracker.jails import Jailed, Jails
from nexus.agent.vmm.firecracker.kthread import adopt_timer
from nexus.agent.vmm.firecracker.launching import Source, apply, load, prepare, template
from nexus.agent.vmm.firecracker.ledger import Ledger
from nexus.agent.vmm.firecracker.metrics import process_usage
from nexus.agent.vmm.firecracker.overseer import Overseer, give_disks_back
from nexus.agent.vmm.firecracker.places import MEMORY, STATE
from nexus.agent.vmm.firecracker.pool import Pool
from nexus.agent.vmm.firecracker.record import DriveRecord, VmmRecord
from nexus.agent.vmm.firecracker.resources import disk_name
from nexus.agent.vmm.firecracker.running import Patience, Running
from nexus.agent.vmm.firecracker.snapshots import FirecrackerSnapshots, guest_cpu, layout, remove_saved, require_files
from nexus.agent.vmm.port import Changed, Definition, VmmCounters, VmmExit, VmmState, VmmTrouble
from nexus.agent.vmm.process import ProcessId
from nexus.kit import log
from nexus.kit.clock import Clock
from nexus.protocol.hosts import Offer
from nexus.protocol.machines import ExitReason, Power

_log = log.get("nexus.agent.vmm.firecracker")

BOOT_PATIENCE_S = 60.0
"""All of the guest's memory may be touched before a start is answered, where pages are huge."""
DYING_PATIENCE_S = 1.0
WAITING_S = 300.0
"""For a start, once the wires were made: what lies between is the making of disks at the most."""


@dataclass(frozen=True)
class Waiting:
    """A process whose wires have the names of a machine's interfaces, to be started as that machine."""

    jailed: Jailed
    taps: tuple[str, ...]


class FirecrackerVmm(FirecrackerSnapshots):
    """`open` comes before everything else, `close` last: it drains the pool and leaves guests running."""

    name = "firecracker"
    acceleration = "kvm"
    offers = frozenset(
        {
            Offer.PAUSE,
            Offer.CTRL_ALT_DEL,
            Offer.CONSOLE_INPUT,
            Offer.CONSOLE_LIMIT,
            Offer.LOG_LEVEL,
            Offer.BALLOON,
            Offer.ENTROPY_LIMIT,
            Offer.CPU_CONFIG,
            Offer.DRIVE_LIMITS,
            Offer.HOT_DRIVES,
            Offer.ASYNC_IO,
            Offer.SNAPSHOT,
        }
    )

    def __init__(
        self,
        jails: Jails,
        *,
        version: str,
        why: str,
        spares: int,
        cpu_template: bytes | None,
        host_boot_id: str,
        clock: Clock,
        patience: Patience,
    ) -> None:
        ledger = Ledger(jails.places, clock)
        super().__init__(jails, ledger, Overseer(jails, ledger, patience=patience))
        self.version = version
        self.why = why
        self._places = jails.places
        self._pool = Pool(jails, size=spares)
        self.cpu = guest_cpu(cpu_template)
        self._cpu_template = cpu_template
        self.host_boot_id = host_boot_id
        self._running = self._overseer.running
        self._waiting: dict[UUID, Waiting] = {}
        self._ending: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Remove what a killed agent left, and begin to fill the pool. Raises OSError."""
        used = await asyncio.to_thread(record.jails_in_use, self._places.machines)
        if removed := await self._jails.remove_others(used):
            _log.info("leftover_jails_removed", jails=removed)
        self._pool.fill()

    @property
    def spares(self) -> int:
        """Processes that wait to become a machine."""
        return len(self._pool)

    def listen(self, changed: Changed) -> None:
        self._overseer.changed = changed

    async def define(self, definition: Definition) -> None:
        self._places.home(definition.id).mkdir(parents=True, exist_ok=True)

    async def ensure_wires(self, machine: UUID, taps: tuple[str, ...]) -> None:
        if machine in self._running:
            return
        waiting = self._waiting.get(machine)
        if waiting is not None and waiting.taps == taps and waiting.jailed.process.is_alive():
            return
        await self._dismiss(machine)
        jailed = await self._pool.take(ports=len(taps))
        self._waiting[machine] = waiting = Waiting(jailed, taps)
        asyncio.get_running_loop().call_later(WAITING_S, self._tire, machine, waiting)
        if jailed.namespace is not None:
            try:
                for index, tap in enumerate(taps):
                    await asyncio.to_thread(jailed.namespace.name_wire, index, tap)
            except BaseException:  # broken off: half of its wires have no name yet
                await self._dismiss(machine)
                raise

    async def start(self, definition: Definition, *, launch: int) -> None:
        if self._is_due(definition.id, launch):
            await self._launch(definition, launch, None)

    def expecting(self, machine: UUID, source: Path) -> contextlib.AbstractAsyncContextManager[None]:
        return contextlib.nullcontext()

    async def restore(
        self, definition: Definition, *, launch: int, source: Path, devices: tuple[str, ...], is_linked: bool
    ) -> None:
        if self._is_due(definition.id, launch):
            self.check(definition, devices)
            require_files(definition, source)
            async with self._jails.memories.lent(source / MEMORY) as memory:
                await self._launch(definition, launch, Source(memory, source / STATE, is_linked))

    async def stop(self, machine: UUID) -> None:
        await self._dismiss(machine)
        running = self._running.get(machine)
        if running is None:
            return
        running.ending = running.ending or self._ledger.exit(ExitReason.ASKED, "Its power was cut.")
        await running.kill()
        await running.settled.wait()

    async def pause(self, machine: UUID) -> None:
        running = self._at(machine)
        await self._tell(running.jailed.api.patch_vm(bodies.VmState(state="Paused")))
        running.paused = True

    async def resume(self, machine: UUID) -> None:
        running = self._at(machine)
        await self._tell(running.jailed.api.patch_vm(bodies.VmState(state="Resumed")))
        running.paused = False

    async def ctrl_alt_del(self, machine: UUID) -> None:
        await self._tell(self._at(machine).jailed.api.act(bodies.Action(action_type="SendCtrlAltDel")))

    async def observe(self, machine: UUID) -> VmmState:
        running = self._running.get(machine)
        if running is not None:
            power = Power.PAUSED if running.paused else Power.ON
            return VmmState(power, running.record.launch, running.record.pid, running.record.started_at)
        known = self._ledger.known(machine)
        if known is None:
            return VmmState(Power.OFF)
        ended = known.exit
        shown = (
            VmmExit(ended.reason, ended.why, ended.at) if ended is not None else self._ledger.unexpected(machine, known)
        )
        return VmmState(Power.OFF, known.launch, exit=shown)

    async def adopt(self, machine: UUID) -> VmmState:
        running = self._running.get(machine)
        if running is not None:
            if not running.has_answered and running.ending is None:
                await self._greet(running)
            return await self.observe(machine)
        known = self._ledger.known(machine)
        if known is not None and known.exit is None:
            await self._take_up(machine, known)
        return await self.observe(machine)

    async def discard(self, machine: UUID) -> None:
        with contextlib.suppress(VmmTrouble):  # one that does not answer is killed
            await self.adopt(machine)
        await self.stop(machine)
        self._ledger.forget(machine)

    def transport(self, machine: UUID) -> Transport:
        return VsockTransport(lambda: self._overseer.dial_guest(machine))

    def console(self, machine: UUID) -> Path:
        return self._places.console(machine)

    def console_input(self, machine: UUID) -> Path:
        return self._places.console_input(machine)

    def log(self, machine: UUID) -> Path:
        return self._places.vmm_log(machine)

    async def counters(self, machine: UUID) -> VmmCounters | None:
        running = self._running.get(machine)
        if running is None:
            return None
        try:
            cpu_seconds, memory_rss_kib = process_usage(running.jailed.process.pid)
            await running.jailed.api.act(bodies.Action(action_type="FlushMetrics"))
            totals = await asyncio.to_thread(running.metrics.read)
        except (ApiTrouble, OSError):
            return None
        return VmmCounters(cpu_seconds, memory_rss_kib, totals.disk_read_bytes, totals.disk_written_bytes)

    async def close(self) -> None:
        await self._overseer.close()
        for machine in tuple(self._waiting):
            await self._dismiss(machine)
        await asyncio.gather(*self._ending)
        await self._pool.close()

    # launching

    def _is_due(self, machine: UUID, launch: int) -> bool:
        """Whether that launch has not been begun before. Raises VmmTrouble while another runs."""
        known = self._ledger.known(machine)
        if known is not None and known.launch >= launch:
            return False
        if machine in self._running:
            raise VmmTrouble("the machine's previous VMM still runs")
        return True

    async def _launch(self, definition: Definition, launch: int, source: Source | None) -> None:
        await self.define(definition)
        wanted = configuration(definition, Inside.of(definition, is_jailed=self._jails.is_jailed))
        await self.ensure_wires(definition.id, _taps(definition))
        jailed = self._waiting.pop(definition.id).jailed
        begun = self._begun(definition, launch, jailed).model_copy(update={"is_restored": source is not None})
        try:
            self._ledger.begin(definition.id, begun)
            await self._bring_up(definition, jailed, wanted, source)
        except (ApiTrouble, OSError, VmmTrouble) as refused:
            failed = await self._fail(definition.id, jailed, begun, refused)
            raise VmmTrouble(failed.why) from refused
        except BaseException:  # broken off: as if it had never begun
            self._ledger.strike(definition.id)
            await self._pool.drop(jailed)
            await asyncio.to_thread(give_disks_back, begun)
            raise
        booted = begun.model_copy(update={"is_booted": True})
        self._ledger.write(definition.id, booted)
        self._overseer.keep(definition.id, booted, jailed, has_answered=True)

    def _tire(self, machine: UUID, waiting: Waiting) -> None:
        """Nobody came for it: the machine's wish is another one by now."""
        if self._waiting.get(machine) is waiting:
            self._ending.append(asyncio.create_task(self._dismiss(machine)))

    async def _dismiss(self, machine: UUID) -> None:
        """End a process that waits for a start which does not come."""
        waiting = self._waiting.pop(machine, None)
        if waiting is not None:
            await self._pool.drop(waiting.jailed)

    def _begun(self, definition: Definition, launch: int, jailed: Jailed) -> VmmRecord:
        return VmmRecord(
            launch=launch,
            host_boot_id=self.host_boot_id,
            jail=jailed.id,
            uid=jailed.uid,
            owner=definition.uid if definition.uid is not None else os.geteuid(),
            pid=jailed.process.pid,
            start_ticks=jailed.process.start_ticks,
            started_at=self._ledger.clock.now(),
            wants_statistics=bool(definition.balloon.stats_s),
            console_bytes=definition.console_bytes,
            console_start=logs.size(self.console(definition.id)),
            memory_mib=definition.memory_mib,
            devices=layout(definition),
            taps=_taps(definition),
            drives={
                disk.id: DriveRecord(
                    drive_id=disk.drive_id, name=disk_name(index), read_only=disk.read_only, path=disk.path
                )
                for index, disk in enumerate(definition.disks)
            },
        )

    async def _bring_up(
        self, definition: Definition, jailed: Jailed, wanted: Configuration, source: Source | None
    ) -> None:
        await asyncio.to_thread(prepare, definition, jailed, self._places, source)
        pid = jailed.process.pid
        if self._jails.is_jailed:
            self._jails.cgroups.ensure(jailed.id, pid=pid, memory_mib=definition.memory_mib, vcpus=definition.vcpus)
        if source is None:
            await apply(jailed.api, wanted, cpu_template=template(definition, host=self._cpu_template))
            await jailed.api.act(bodies.Action(action_type="InstanceStart"), patience_s=BOOT_PATIENCE_S)
        else:
            inside = Inside.of(definition, is_jailed=self._jails.is_jailed)
            await load(jailed.api, wanted, definition, inside=inside, patience_s=BOOT_PATIENCE_S)
            if not source.is_linked:
                await asyncio.to_thread(self._set_links, jailed.process, _taps(definition), up=False)
            await jailed.api.patch_vm(bodies.VmState(state="Resumed"))
        if self._jails.is_jailed:
            await asyncio.to_thread(adopt_timer, pid, self._jails.cgroups.group(jailed.id))

    async def _fail(self, machine: UUID, jailed: Jailed, begun: VmmRecord, refused: Exception) -> VmmExit:
        """A launch that came to nothing: nothing of it stays but why."""
        words = self._last_words(jailed)
        why = str(refused) if isinstance(refused, VmmTrouble) else f"Firecracker did not start the guest: {refused}"
        ended = self._ledger.exit(ExitReason.VMM_FAILED, f"{why.rstrip('.')}{f' ({words})' if words else ''}.")
        await self._pool.drop(jailed)
        await asyncio.to_thread(give_disks_back, begun)
        self._ledger.end(machine, begun, ended)
        return ended

    # adoption

    async def _take_up(self, machine: UUID, known: VmmRecord) -> None:
        """Find out what became of a launch whose end is not recorded. Raises VmmTrouble."""
        process = self._find(known)
        if known.host_boot_id != self.host_boot_id:
            await self._overseer.is_over(
                machine, known, self._ledger.exit(ExitReason.HOST_REBOOTED, "The host restarted.")
            )
        elif process is None:
            await self._overseer.is_over(machine, known, None)
        elif known.jail is None:
            raise VmmTrouble(
                f"its VMM (process {process.pid}) was started by another driver: set AGENT_VMM back, and stop it there"
            )
        else:
            self._jails.uids.hold(known.uid)
            jailed = self._jails.reach(known.jail, known.uid, process)
            if known.is_booted or await self._has_booted(machine, known, jailed):
                await self._greet(self._overseer.keep(machine, known, jailed, has_answered=False))

    def _find(self, known: VmmRecord) -> ProcessId | None:
        if known.pid is None or known.start_ticks is None:
            return None
        process = ProcessId(known.pid, known.start_ticks)
        return process if process.is_alive() else None

    async def _has_booted(self, machine: UUID, known: VmmRecord, jailed: Jailed) -> bool:
        """Whether the guest was started before the agent ended; if not, the launch never was. One that goes on from a
        snapshot may be there and have been told nothing yet: only when it runs has it been."""
        begun = ("Running",) if known.is_restored else ("Running", "Paused")
        with contextlib.suppress(ApiTrouble):
            if (await jailed.api.describe()).state in begun:
                return True
        await self._pool.drop(jailed)
        self._ledger.strike(machine)
        return False

    async def _greet(self, running: Running) -> None:
        """Have its API, and see whether it stands still. Raises VmmTrouble."""
        try:
            running.paused = (await running.jailed.api.describe()).state == "Paused"
        except ApiTrouble as silent:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DYING_PATIENCE_S):
                    await running.settled.wait()
                    return
            raise VmmTrouble(f"its VMM (process {running.record.pid}) does not answer: {silent}") from silent
        running.has_answered = True
        try:  # whoever answers writes nothing, and for an agent that was killed in a save nobody waits
            await asyncio.to_thread(remove_saved, self._places.root(running.jailed.id))
        except OSError as refused:
            _log.warning("saved_memory_not_removed", jail=str(running.jailed.id), why=str(refused))

    def _last_words(self, jailed: Jailed) -> str:
        return last_line(logs.tail(self._places.errors(jailed.id)))


def _taps(definition: Definition) -> tuple[str, ...]:
    return tuple(nic.tap for nic in definition.nics if nic.tap is not None)
