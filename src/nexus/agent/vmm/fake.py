"""A hypervisor without machines, for tests and scale runs: keeps the port's promises, the guest being a few lines.

Its "VMM processes" are records on disk, so that they outlive an agent as real ones do. What befalls a guest by itself
is brought about with `end`.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

from pydantic import Field

from nexus.agent.guest.transport import ByteStream, Transport
from nexus.agent.storage.files import write_atomically
from nexus.agent.vmm.fake_guest import FakeGuestStream
from nexus.agent.vmm.port import BalloonTarget, Changed, Definition, Disk, VmmCounters, VmmExit, VmmState, VmmTrouble
from nexus.kit.clock import Clock
from nexus.protocol.balloons import BalloonSeen, BalloonStats
from nexus.protocol.base import Message
from nexus.protocol.guest import PowerAction
from nexus.protocol.hosts import Offer
from nexus.protocol.limits import RateLimiter
from nexus.protocol.machines import ExitReason, Power

ENDINGS = {PowerAction.POWEROFF: ExitReason.GUEST_SHUTDOWN, PowerAction.REBOOT: ExitReason.GUEST_REBOOT}


class FakeDrive(Message):
    """A drive of a simulated machine: its file, that file's size as the guest knows it, its limits."""

    path: Path
    size_bytes: int
    rate_limiter: RateLimiter | None


class _Record(Message):
    """`memory` stands for what a guest has in its memory: another one in every boot that does not begin from a
    snapshot."""

    launch: int
    power: Power
    started_at: datetime
    drives: dict[UUID, FakeDrive] = Field(default_factory=dict[UUID, FakeDrive])
    balloon_mib: int = 0
    balloon_stats_s: int = 0
    memory_mib: int = 0
    memory: str = ""
    is_linked: bool = True
    reason: ExitReason | None = None
    why: str = ""
    ended_at: datetime | None = None

    def state(self) -> VmmState:
        if self.reason is None or self.ended_at is None:
            return VmmState(self.power, self.launch, None, self.started_at)
        return VmmState(Power.OFF, self.launch, exit=VmmExit(self.reason, self.why, self.ended_at))


class FakeVmm:
    """`boot_s`: how long a simulated guest takes until its agent answers."""

    name = "fake"
    version = "1"
    acceleration = "none"
    why = "A hypervisor that runs nothing, as AGENT_VMM demands: for tests and scale runs only."
    offers = frozenset(
        {Offer.PAUSE, Offer.CTRL_ALT_DEL, Offer.DRIVE_LIMITS, Offer.HOT_DRIVES, Offer.WRITETHROUGH, Offer.ASYNC_IO}
        | {Offer.BALLOON, Offer.ENTROPY_LIMIT, Offer.CONSOLE_LIMIT, Offer.SNAPSHOT}
    )
    cpu = "none"

    def __init__(self, *, machines: Path, clock: Clock, boot_s: float = 0.0) -> None:
        self.boot_s = boot_s
        self._machines = machines
        self._clock = clock
        self._changed: Changed = lambda _machine: None
        self._alive: dict[UUID, asyncio.Event] = {}

    def listen(self, changed: Changed) -> None:
        self._changed = changed

    async def define(self, definition: Definition) -> None:
        self._path(definition.id).parent.mkdir(parents=True, exist_ok=True)

    async def start(self, definition: Definition, *, launch: int) -> None:
        await self._begin(definition, launch=launch, memory=uuid4().hex, is_linked=True)

    async def save(self, machine: UUID, into: Path) -> tuple[str, ...]:
        known = self._running(machine)
        if known.power is not Power.PAUSED:
            raise VmmTrouble("the machine is not paused")
        (into / "memory").write_text(known.memory)
        return ("disk",) * len(known.drives)

    def check(self, definition: Definition, devices: tuple[str, ...]) -> None:
        if len(definition.disks) != len(devices):
            raise VmmTrouble(f"it had {len(devices)} disks, and is to have {len(definition.disks)}")

    def expecting(self, machine: UUID, source: Path) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def restore(
        self, definition: Definition, *, launch: int, source: Path, devices: tuple[str, ...], is_linked: bool
    ) -> None:
        self.check(definition, devices)
        memory = (source / "memory").read_text()
        await self._begin(definition, launch=launch, memory=memory, is_linked=is_linked)

    async def connect(self, machine: UUID) -> None:
        self._save(machine, self._running(machine).model_copy(update={"is_linked": True}))

    def memory(self, machine: UUID) -> tuple[str, bool]:
        """What the running guest has in its memory, and whether its interfaces have a link. Raises VmmTrouble."""
        known = self._running(machine)
        return known.memory, known.is_linked

    async def _begin(self, definition: Definition, *, launch: int, memory: str, is_linked: bool) -> None:
        known = self._load(definition.id)
        if known is not None and known.launch >= launch:
            return
        if known is not None and known.reason is None:
            raise VmmTrouble("the machine's previous VMM still runs")
        await self.define(definition)
        drives = {disk.id: _drive(disk) for disk in definition.disks}
        record = _Record(
            launch=launch,
            power=Power.ON,
            started_at=self._clock.now(),
            drives=drives,
            memory_mib=definition.memory_mib,
            balloon_mib=definition.balloon.amount_mib,
            balloon_stats_s=definition.balloon.stats_s,
            memory=memory,
            is_linked=is_linked,
        )
        self._save(definition.id, record)
        self.console(definition.id).open("ab").close()

    async def stop(self, machine: UUID) -> None:
        self.end(machine, ExitReason.ASKED, "Its power was cut.")

    async def pause(self, machine: UUID) -> None:
        self._save(machine, self._running(machine).model_copy(update={"power": Power.PAUSED}))

    async def resume(self, machine: UUID) -> None:
        self._save(machine, self._running(machine).model_copy(update={"power": Power.ON}))

    async def ctrl_alt_del(self, machine: UUID) -> None:
        self._running(machine)
        self.end(machine, ExitReason.GUEST_REBOOT, "The guest restarted itself.")

    async def set_balloon(self, machine: UUID, target: BalloonTarget) -> None:
        """A simulated guest gives back at once what it is asked for."""
        update = {"balloon_mib": target.amount_mib, "balloon_stats_s": target.stats_s}
        self._save(machine, self._running(machine).model_copy(update=update))

    async def balloon(self, machine: UUID) -> BalloonSeen:
        known = self._running(machine)
        stats = BalloonStats(total_memory=(known.memory_mib - known.balloon_mib) << 20)
        return BalloonSeen(
            target_mib=known.balloon_mib,
            actual_mib=known.balloon_mib,
            stats=stats if known.balloon_stats_s else None,
        )

    async def limit_console(self, machine: UUID, keep_bytes: int | None) -> None:
        """A simulated guest writes nothing on its console."""
        self._running(machine)

    async def limit_drive(self, machine: UUID, drive: UUID, limiter: RateLimiter | None) -> None:
        known = self.drives(machine).get(drive)
        if known is None:
            raise VmmTrouble("the running machine has no such drive")
        self._serve(machine, {drive: known.model_copy(update={"rate_limiter": limiter})})

    async def ensure_drive(self, machine: UUID, disk: Disk) -> None:
        self._serve(machine, {disk.id: _drive(disk)})

    async def grow_drive(self, machine: UUID, disk: Disk) -> None:
        await self.ensure_drive(machine, disk)

    def drives(self, machine: UUID) -> Mapping[UUID, FakeDrive]:
        """What the running machine is served. Raises VmmTrouble when it is off."""
        return self._running(machine).drives

    def _serve(self, machine: UUID, drives: Mapping[UUID, FakeDrive]) -> None:
        known = self._running(machine)
        self._save(machine, known.model_copy(update={"drives": {**known.drives, **drives}}))

    async def observe(self, machine: UUID) -> VmmState:
        known = self._load(machine)
        return known.state() if known is not None else VmmState(Power.OFF)

    async def adopt(self, machine: UUID) -> VmmState:
        return await self.observe(machine)

    async def discard(self, machine: UUID) -> None:
        self._path(machine).unlink(missing_ok=True)
        self.console(machine).unlink(missing_ok=True)
        self._over(machine)

    def transport(self, machine: UUID) -> Transport:
        return _FakeTransport(
            boot_s=self.boot_s,
            over=self._alive.setdefault(machine, asyncio.Event()),
            power=lambda action: self.end(machine, ENDINGS[action], "The guest ended by itself."),
        )

    def console(self, machine: UUID) -> Path:
        return self._machines / str(machine) / "console.log"

    def log(self, machine: UUID) -> Path:
        return self._machines / str(machine) / "vmm.log"

    async def counters(self, machine: UUID) -> VmmCounters | None:
        known = self._load(machine)
        if known is None or known.reason is not None:
            return None
        seconds = (self._clock.now() - known.started_at).total_seconds()
        return VmmCounters(cpu_seconds=seconds / 100, memory_rss_kib=0, disk_read_bytes=0, disk_written_bytes=0)

    async def close(self) -> None:
        """The records stay, as processes would."""

    def end(self, machine: UUID, reason: ExitReason, why: str) -> None:
        """Have the machine's VMM end, for this reason; nothing if it does not run."""
        known = self._load(machine)
        if known is None or known.reason is not None:
            return
        update = {"reason": reason, "why": why, "ended_at": self._clock.now()}
        self._save(machine, known.model_copy(update=update))
        self._over(machine)
        self._changed(machine)

    def _over(self, machine: UUID) -> None:
        if (alive := self._alive.pop(machine, None)) is not None:
            alive.set()

    def _running(self, machine: UUID) -> _Record:
        known = self._load(machine)
        if known is None or known.reason is not None:
            raise VmmTrouble("the machine is off")
        return known

    def _load(self, machine: UUID) -> _Record | None:
        try:
            return _Record.model_validate_json(self._path(machine).read_bytes())
        except FileNotFoundError:
            return None

    def _save(self, machine: UUID, known: _Record) -> None:
        write_atomically(self._path(machine), known.model_dump_json().encode(), durable=False)

    def _path(self, machine: UUID) -> Path:
        return self._machines / str(machine) / "vmm.json"


def _drive(disk: Disk) -> FakeDrive:
    try:
        size_bytes = disk.path.stat().st_size
    except OSError as refused:
        raise VmmTrouble(f"a drive's file cannot be opened: {refused.strerror}") from refused
    return FakeDrive(path=disk.path, size_bytes=size_bytes, rate_limiter=disk.rate_limiter)


class _FakeTransport:
    """The carrier to a simulated guest: ready `boot_s` after the start, lost when the VMM is over."""

    def __init__(self, *, boot_s: float, over: asyncio.Event, power: Callable[[PowerAction], None]) -> None:
        self._boot_s = boot_s
        self._over = over
        self._power = power
        self._ready = False

    @property
    def is_ready(self) -> bool:
        return self._ready

    async def run(self, *, on_ready: Callable[[], None], on_lost: Callable[[str], None]) -> None:
        await asyncio.sleep(self._boot_s)
        self._ready = True
        on_ready()
        await self._over.wait()
        self._ready = False
        on_lost("the simulated guest has ended")

    async def open(self) -> ByteStream:
        if not self._ready:
            raise ConnectionResetError("the simulated guest is not there")
        return FakeGuestStream(power=self._power)
