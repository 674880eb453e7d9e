"""The `Vmm` port over QEMU processes.

A VMM belongs to nobody: it is found again by its record and its command line. A guest that stops leaves the VMM
paused (see `config`); the driver reads why, ends the process and records the exit, so that an agent that was away
learns the same reason as one that watched.
"""

import asyncio
import contextlib
import os
import shutil
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from nexus.agent.guest.mux import MuxTransport
from nexus.agent.guest.transport import Transport
from nexus.agent.vmm import logs
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.port import BalloonTarget, Changed, Definition, Disk, VmmCounters, VmmExit, VmmState, VmmTrouble
from nexus.agent.vmm.process import ProcessId, Watch, find_by_argument
from nexus.agent.vmm.qemu import balloon as balloons
from nexus.agent.vmm.qemu import exits, live_drives, record
from nexus.agent.vmm.qemu.config import Accelerator, process_name
from nexus.agent.vmm.qemu.counters import read_counters
from nexus.agent.vmm.qemu.launcher import Places, launch_qemu
from nexus.agent.vmm.qemu.qmp import Qmp, QmpTrouble
from nexus.agent.vmm.qemu.record import DeviceRecord, ExitRecord, VmmRecord
from nexus.agent.vmm.qemu.running import Running
from nexus.agent.vmm.qemu.snapshots import (
    QemuSnapshots,
    Source,
    default_spare,
    go_on,
    guest_cpu,
    layout,
    load,
    spare_of,
)
from nexus.agent.vmm.qemu.uring import has_io_uring
from nexus.agent.vmm.trimming import Trimmer
from nexus.kit import log
from nexus.kit.clock import Clock
from nexus.protocol.balloons import BalloonSeen
from nexus.protocol.hosts import Offer
from nexus.protocol.limits import RateLimiter
from nexus.protocol.machines import ExitReason, Power

_log = log.get("nexus.agent.vmm.qemu")
_T = TypeVar("_T")

QUIT_PATIENCE_S = 3.0
DYING_PATIENCE_S = 1.0
ACTIVE = ("running", "prelaunch", "save-vm")
CTRL_ALT_DEL_KEYS = ("ctrl", "alt", "delete")


class QemuVmm(QemuSnapshots):
    """Machines below `machines` (records, logs) and `sockets` (one short directory each)."""

    name = "qemu"
    offers = frozenset(
        {Offer.PAUSE, Offer.CTRL_ALT_DEL, Offer.CONSOLE_INPUT, Offer.DRIVE_LIMITS, Offer.HOT_DRIVES, Offer.WRITETHROUGH}
        | {Offer.BALLOON, Offer.ENTROPY_LIMIT, Offer.CONSOLE_LIMIT, Offer.SNAPSHOT}
    ) | frozenset({Offer.ASYNC_IO} if has_io_uring() else ())

    def __init__(
        self,
        *,
        binary: str,
        version: str,
        accelerator: Accelerator,
        why: str,
        machines: Path,
        sockets: Path,
        host_boot_id: str,
        cgroups: Cgroups,
        clock: Clock,
    ) -> None:
        super().__init__(Places(machines, sockets), cpu=guest_cpu(accelerator))
        self.version = version
        self.acceleration = accelerator.name
        self.why = why
        self._binary = binary
        self._accelerator = accelerator
        self._host_boot_id = host_boot_id
        self._cgroups = cgroups
        self._clock = clock
        self._changed: Changed = lambda _machine: None
        self._trimmer = Trimmer(console=self._places.console, own_log=self._places.vmm_log)

    def listen(self, changed: Changed) -> None:
        self._changed = changed

    async def define(self, definition: Definition) -> None:
        self._places.home(definition.id).mkdir(parents=True, exist_ok=True)
        self._places.socket_dir(definition.id).mkdir(parents=True, exist_ok=True, mode=0o700)

    async def start(self, definition: Definition, *, launch: int) -> None:
        await self._begin(definition, launch=launch)

    async def restore(
        self, definition: Definition, *, launch: int, source: Path, devices: tuple[str, ...], is_linked: bool
    ) -> None:
        self.check(definition, devices)
        async with self._ready(definition.id, source, spare=spare_of(definition, devices)) as ready:
            await self._begin(definition, launch=launch, source=ready, is_linked=is_linked)

    async def _begin(
        self, definition: Definition, *, launch: int, source: Source | None = None, is_linked: bool = True
    ) -> None:
        known = self._known(definition.id)
        if known is not None and known.launch >= launch:
            return
        if definition.id in self._running:
            raise VmmTrouble("the machine's previous VMM still runs")
        await self.define(definition)
        running = self._spawn(definition, launch, source)
        try:
            qmp = await self._open_monitor(definition.id, running)
            if source is not None:
                await load(qmp, source, nics=len(definition.nics))
            if source is not None or definition.balloon != BalloonTarget():
                await balloons.set_target(qmp, definition.balloon, memory_mib=definition.memory_mib)
            if source is not None:
                await go_on(qmp, nics=len(definition.nics), is_linked=is_linked)
                self._places.early_channel(definition.id).rename(self._places.channel(definition.id))
        except (QmpTrouble, OSError) as dead:
            await self._end(running)
            await running.settled.wait()
            said = exits.last_words(self._places.vmm_log(definition.id), since=running.record.log_from)
            raise VmmTrouble(f"QEMU did not start: {said or dead}") from dead
        except asyncio.CancelledError:
            if source is not None:  # half of a memory is no guest
                await self._give_up(definition.id, running)
            raise

    async def stop(self, machine: UUID) -> None:
        if (running := self._running.get(machine)) is not None:
            await self._give_up(machine, running)

    async def pause(self, machine: UUID) -> None:
        running = await self._execute(machine, "stop")
        running.paused = True

    async def resume(self, machine: UUID) -> None:
        running = await self._execute(machine, "cont")
        running.paused = False

    async def ctrl_alt_del(self, machine: UUID) -> None:
        keys = [{"type": "qcode", "data": key} for key in CTRL_ALT_DEL_KEYS]
        await self._execute(machine, "send-key", keys=keys)

    async def limit_drive(self, machine: UUID, drive: UUID, limiter: RateLimiter | None) -> None:
        await self._ask(machine, lambda qmp: live_drives.limit(qmp, drive, limiter))

    async def ensure_drive(self, machine: UUID, disk: Disk) -> None:
        await self._ask(machine, lambda qmp: live_drives.ensure(qmp, disk))

    async def grow_drive(self, machine: UUID, disk: Disk) -> None:
        await self._ask(machine, lambda qmp: live_drives.grow(qmp, disk))

    async def set_balloon(self, machine: UUID, target: BalloonTarget) -> None:
        devices = self._devices(machine)
        await self._ask(machine, lambda qmp: balloons.set_target(qmp, target, memory_mib=devices.memory_mib))
        self._note(machine, balloon_mib=target.amount_mib, balloon_stats_s=target.stats_s)

    async def balloon(self, machine: UUID) -> BalloonSeen:
        has = self._devices(machine)
        return await self._ask(machine, lambda qmp: balloons.look(qmp, has.balloon, memory_mib=has.memory_mib))

    async def limit_console(self, machine: UUID, keep_bytes: int | None) -> None:
        self._note(machine, console_bytes=keep_bytes)
        self._trimmer.watch(machine, keep_bytes)

    async def observe(self, machine: UUID) -> VmmState:
        running = self._running.get(machine)
        known = running.record if running else self._known(machine)
        if known is None:
            return VmmState(Power.OFF)
        if running is None:
            ended = known.exit or self._exited(machine, known, None)
            return VmmState(Power.OFF, known.launch, exit=VmmExit(ended.reason, ended.why, ended.at))
        power = Power.PAUSED if running.paused else Power.ON
        return VmmState(power, known.launch, known.pid, known.started_at)

    async def adopt(self, machine: UUID) -> VmmState:
        if (running := self._running.get(machine)) is not None:
            if running.qmp is None and running.ending is None:
                await self._reach(machine, running)
            return await self.observe(machine)
        known = self._known(machine)
        if known is None or known.exit is not None:
            return await self.observe(machine)
        if known.host_boot_id != self._host_boot_id:
            self._record_exit(machine, known, self._exit(ExitReason.HOST_REBOOTED, "The host restarted."))
            return await self.observe(machine)
        process = self._find(machine, known)
        if process is None and known.pid is None:
            self._places.record(machine).unlink()
            return VmmState(Power.OFF)
        if process is not None:
            await self._attach(machine, known, process)
        return await self.observe(machine)

    async def discard(self, machine: UUID) -> None:
        with contextlib.suppress(VmmTrouble):  # one that does not answer is ended all the same
            await self.adopt(machine)
        await self.stop(machine)
        self._cgroups.discard(machine)
        self._unwritten.pop(machine, None)
        shutil.rmtree(self._places.socket_dir(machine), ignore_errors=True)
        for path in (self._places.record(machine), self.console(machine), self._places.vmm_log(machine)):
            path.unlink(missing_ok=True)

    def transport(self, machine: UUID) -> Transport:
        return MuxTransport(self._places.channel(machine))

    def console(self, machine: UUID) -> Path:
        return self._places.console(machine)

    def log(self, machine: UUID) -> Path:
        return self._places.vmm_log(machine)

    def console_input(self, machine: UUID) -> Path:
        return self._places.console_input(machine)

    async def counters(self, machine: UUID) -> VmmCounters | None:
        running = self._running.get(machine)
        if running is None or running.qmp is None or running.record.pid is None:
            return None
        try:
            return await read_counters(running.record.pid, running.qmp)
        except (QmpTrouble, FileNotFoundError, ProcessLookupError):
            return None

    async def close(self) -> None:
        self._trimmer.close()
        for running in self._running.values():
            await running.close()
        self._running.clear()

    # launching

    def _spawn(self, definition: Definition, number: int, source: Source | None) -> Running:
        spare = source.spare if source is not None else default_spare(definition)
        begun = VmmRecord(
            launch=number,
            host_boot_id=self._host_boot_id,
            uid=definition.uid if definition.uid is not None else os.geteuid(),
            devices=DeviceRecord.of(definition, layout=layout(definition, spare=spare)),
            console_from=logs.size(self.console(definition.id)),
            log_from=logs.size(self._places.vmm_log(definition.id)),
        )
        path = self._places.record(definition.id)
        record.save(path, begun)
        self._unwritten.pop(definition.id, None)
        try:
            process = launch_qemu(
                definition,
                number=number,
                binary=self._binary,
                accelerator=self._accelerator,
                places=self._places,
                spare=spare,
                memory_fd=source.guest_memory_fd if source is not None else None,
            )
        except OSError as refused:
            path.unlink()
            raise VmmTrouble(f"QEMU could not be started: {refused.strerror or refused}") from refused
        begun = begun.model_copy(
            update={"pid": process.pid, "start_ticks": process.start_ticks, "started_at": self._clock.now()}
        )
        running = self._keep(definition.id, begun, process)
        self._write(definition.id, begun)
        self._cgroups.ensure(definition.id, pid=process.pid, memory_mib=definition.memory_mib, vcpus=definition.vcpus)
        return running

    def _keep(self, machine: UUID, known: VmmRecord, process: ProcessId) -> Running:
        running = Running(known, Watch(process, lambda: self._gone(machine)))
        self._running[machine] = running
        self._trimmer.watch(machine, known.devices.console_bytes if known.devices else None)
        return running

    async def _open_monitor(self, machine: UUID, running: Running) -> Qmp:
        running.qmp = await Qmp.connect(
            self._places.monitor(machine),
            on_event=lambda name, data: self._event(machine, running, name, data),
            on_close=lambda: self._hung_up(machine, running),
        )
        return running.qmp

    # adoption

    def _find(self, machine: UUID, known: VmmRecord) -> ProcessId | None:
        if known.pid is None or known.start_ticks is None:
            return find_by_argument(process_name(machine, known.launch), uid=known.uid)
        process = ProcessId(known.pid, known.start_ticks)
        return process if process.is_alive() else None

    async def _attach(self, machine: UUID, known: VmmRecord, process: ProcessId) -> None:
        known = known.model_copy(
            update={
                "pid": process.pid,
                "start_ticks": process.start_ticks,
                "started_at": known.started_at or self._clock.now(),
            }
        )
        self._write(machine, known)
        await self._reach(machine, self._keep(machine, known, process))

    async def _reach(self, machine: UUID, running: Running) -> None:
        """Have its monitor, and see what the guest did while nobody listened."""
        try:
            await self._open_monitor(machine, running)
            assert running.qmp is not None
            status = (await running.qmp.execute("query-status"))["status"]
        except QmpTrouble as silent:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DYING_PATIENCE_S):
                    await running.watch.ended.wait()
                    return
            raise VmmTrouble(f"its VMM (process {running.record.pid}) does not answer: {silent}") from silent
        if self._places.early_channel(machine).exists() and running.ending is None:
            await self._give_up(machine, running)  # whoever was restoring it is gone, before it came to run
            return
        if status not in (*ACTIVE, "paused") and running.ending is None:
            reason = exits.reason_in_log(self._places.vmm_log(machine), since=running.record.log_from)
            running.ending = self._guest_exit(machine, running, reason)
            await self._end(running)
            await running.settled.wait()
        running.paused = status == "paused"

    # ending

    def _event(self, machine: UUID, running: Running, name: str, data: dict[str, Any]) -> None:
        if name in ("STOP", "RESUME"):
            running.paused = name == "STOP" and running.ending is None
        elif name == "SHUTDOWN" and data.get("guest") and running.ending is None:
            running.ending = self._guest_exit(machine, running, exits.reason_of_event(str(data.get("reason"))))
            task = asyncio.create_task(self._end(running))
            running.tasks.add(task)
            task.add_done_callback(running.tasks.discard)

    def _hung_up(self, machine: UUID, running: Running) -> None:
        running.qmp = None
        self._changed(machine)

    async def _give_up(self, machine: UUID, running: Running) -> None:
        """What it has written is the host's by now; asked to quit, it would have the disks written out first."""
        running.ending = running.ending or self._exit(ExitReason.ASKED, "Its power was cut.")
        with self._outlived.keeping(machine, running.record.pid):
            await running.watch.kill()
            await running.settled.wait()

    async def _end(self, running: Running) -> None:
        """Have the process gone: asked by its monitor, then by signal."""
        if running.qmp is not None:
            with contextlib.suppress(QmpTrouble, TimeoutError):
                async with asyncio.timeout(QUIT_PATIENCE_S):
                    await running.qmp.execute("quit")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(QUIT_PATIENCE_S):
                    await running.watch.ended.wait()
        if not running.watch.ended.is_set():
            await running.watch.kill()

    def _gone(self, machine: UUID) -> None:
        running = self._running.pop(machine, None)
        if running is None:
            return
        self._trimmer.forget(machine)
        ended = running.ending or self._unexpected(machine, running.record, running.watch.status)
        self._record_exit(machine, running.record, ended)
        running.settled.set()
        _log.info("vmm_ended", machine_id=str(machine), reason=ended.reason, why=ended.why)
        self._changed(machine)

    def _unexpected(self, machine: UUID, known: VmmRecord, status: int | None) -> VmmExit:
        reason, why = exits.explain(status, exits.messages(self._places.vmm_log(machine), since=known.log_from))
        return self._exit(reason, why)

    def _exited(self, machine: UUID, known: VmmRecord, status: int | None) -> ExitRecord:
        return self._record_exit(machine, known, self._unexpected(machine, known, status))

    def _record_exit(self, machine: UUID, known: VmmRecord, ended: VmmExit) -> ExitRecord:
        exit_record = ExitRecord(reason=ended.reason, why=ended.why, at=ended.at)
        known = known.model_copy(update={"exit": exit_record})
        if not self._write(machine, known):
            self._unwritten[machine] = known
        return exit_record

    def _guest_exit(self, machine: UUID, running: Running, reason: ExitReason) -> VmmExit:
        console = logs.tail(self.console(machine), since=running.record.console_from)
        return self._exit(*exits.guest_stopped(reason, console))

    def _exit(self, reason: ExitReason, why: str) -> VmmExit:
        return VmmExit(reason, why, self._clock.now())
