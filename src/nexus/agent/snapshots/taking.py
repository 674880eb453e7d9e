"""Taking one snapshot of one machine.

Must stay true: whatever happens on the way, the machine goes on as it was, and of a snapshot that did not come to be
nothing is left. The guest stands still from before its memory is written until after its disks are copied, so that
both are of one moment; what of them a diff needs not keep is found out when it runs again.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

from nexus.agent.guest.snapshotting import frozen
from nexus.agent.machines.guest_link import GuestLink
from nexus.agent.machines.host import Host
from nexus.agent.machines.preparing import disk_store
from nexus.agent.machines.state import MachineState
from nexus.agent.snapshots.layout import is_in_place
from nexus.agent.snapshots.lineage import Lineage, SnapshotUnusable, make_layer
from nexus.agent.snapshots.manifest import MEMORY, Manifest, Parent, disk_file
from nexus.agent.snapshots.pins import pins_of
from nexus.agent.storage.breaking_off import in_thread
from nexus.agent.storage.files import clone
from nexus.agent.storage.room import require_room
from nexus.agent.storage.trouble import StorageTrouble
from nexus.agent.vmm.port import Snapshots, VmmTrouble
from nexus.kit import log
from nexus.protocol.machines import DiskSpec, MachineSpec, Power
from nexus.protocol.snapshots import SnapshotDisk, SnapshotPins, SnapshotSeen, SnapshotState, SnapshotType

_log = log.get("nexus.agent.snapshots")

FREEZE_S = 30.0
"""How long a guest may take to bring its file systems to rest."""
RETURN_S = 10.0
"""For a guest's channel to come back over which it is to be thawed: not every one outlives a pause."""


@dataclass(frozen=True)
class Subject:
    """The machine as it is found: `power` is its VMM's."""

    host: Host
    state: MachineState
    link: GuestLink
    power: Power

    @property
    def spec(self) -> MachineSpec:
        """What the snapshot is of: the running boot, or what the next one would have."""
        return self.state.spec if self.power is Power.OFF else self.state.running

    def disks(self) -> list[tuple[DiskSpec, Path]]:
        """Those that the snapshot is to hold, and where they are."""
        store = disk_store(self.host, self.spec.id, self.host.uid(self.state.slot))
        return [(disk, store.path(disk)) for disk in self.spec.disks if not is_in_place(disk)]

    async def make_disks(self) -> None:
        """Have those that were added while the machine is off. Raises StorageTrouble, OSError."""
        store = disk_store(self.host, self.spec.id, self.host.uid(self.state.slot))
        for disk, path in self.disks():
            if not path.exists():
                image = await self.image(disk.image_sha256) if disk.image_sha256 is not None else None
                await store.ensure(disk, image)

    async def image(self, sha256: str) -> Path:
        """Raises StorageTrouble."""
        return await self.host.images.ensure(sha256, lambda _stage: None)


@dataclass
class Progress:
    """What is being done, and how far it is. Every byte is copied, and read once more for its digest, or compared."""

    stage: str = "waiting for the machine"
    done_bytes: int = 0
    all_bytes: int = 0

    @property
    def share(self) -> float | None:
        return min(1.0, self.done_bytes / self.all_bytes) if self.all_bytes else None

    def say(self, stage: str) -> None:
        self.stage = stage

    def step(self, done: int) -> None:
        self.done_bytes += done


@dataclass
class _Moment:
    """What was noted while the guest stood still."""

    at: datetime
    pins: SnapshotPins | None = None
    is_consistent: bool = False
    warning: str | None = None
    paused_ms: int | None = None
    disks: list[SnapshotDisk] = field(default_factory=list[SnapshotDisk])


class Taking:
    """A snapshot that is being taken, or could not be. The machine's worker calls `perform`, once. `parent`: what a
    diff is to be over; None: it is to be a full one."""

    def __init__(self, snapshot: UUID, machine: UUID, *, parent: UUID | None = None) -> None:
        self.id = snapshot
        self.machine = machine
        self.parent = parent
        self.progress = Progress()
        self.fault: str | None = None
        self.is_begun = False
        self.ended = asyncio.Event()
        self._task: asyncio.Task[object] | None = None

    def seen(self) -> SnapshotSeen:
        has_failed = self.fault is not None
        return SnapshotSeen(
            id=self.id,
            machine=self.machine,
            state=SnapshotState.FAILED if has_failed else SnapshotState.TAKING,
            stage=None if has_failed else self.progress.stage,
            progress=None if has_failed else self.progress.share,
            fault=self.fault,
            type=SnapshotType.FULL if self.parent is None else SnapshotType.DIFF,
            parent=self.parent,
        )

    async def perform(self, subject: Subject) -> None:
        """Raises nothing but CancelledError: what goes wrong is this snapshot's fault, not its machine's."""
        self.is_begun, self._task = True, asyncio.current_task()
        try:
            await take(self.id, subject, self.progress, parent=self.parent)
        except (VmmTrouble, StorageTrouble) as trouble:
            self.fail(str(trouble))
        except SnapshotUnusable as unusable:
            self.fail(f"of the snapshot that it was to be over: {unusable}")
        except OSError as refused:
            self.fail(f"the host cannot write it: {refused.strerror or refused}")
        except asyncio.CancelledError:
            self.fail("it was broken off")
            raise
        finally:
            self._task = None
            self.ended.set()

    def fail(self, fault: str) -> None:
        """Say why it does not come to be."""
        _log.warning("snapshot_failed", snapshot_id=str(self.id), machine_id=str(self.machine), why=fault)
        self.fault = fault
        self.ended.set()

    def break_off(self) -> None:
        """Have it fail soon, if it has not come to be by then."""
        if self._task is not None:
            self._task.cancel()
            self._task = None  # once: another would break off what cleans up after it


class Takings:
    """Snapshots that are wanted of one machine, in order; `changed` is called with each new one."""

    def __init__(self, *, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._wanted: list[Taking] = []

    @property
    def is_any(self) -> bool:
        return bool(self._wanted)

    def add(self, taking: Taking) -> None:
        """Have a snapshot taken, when the machine is neither on its way up nor down."""
        self._wanted.append(taking)
        self._changed()

    def withdraw(self, taking: Taking) -> None:
        """Have it not taken after all: one that has been begun is broken off."""
        if taking.is_begun:
            taking.break_off()
        elif taking in self._wanted:
            self._wanted.remove(taking)
            taking.fail("it is not wanted any more")

    def fail(self, why: str) -> None:
        """Have none of them taken."""
        for taking in self._wanted:
            taking.fail(why)
        self._wanted.clear()

    async def perform(self, subject: Subject) -> None:
        """Take the first. Raises nothing but CancelledError."""
        try:
            await self._wanted[0].perform(subject)
        finally:
            self._wanted.pop(0)


async def take(snapshot: UUID, subject: Subject, progress: Progress, *, parent: UUID | None) -> None:
    """The snapshot is in the host's store when this returns. Raises VmmTrouble, StorageTrouble, SnapshotUnusable,
    OSError."""
    store = subject.host.snapshots
    progress.stage = "preparing the snapshot"
    try:
        over = await store.verified(parent, say=progress.say) if parent is not None else None
        directory = await in_thread(lambda _step: store.begin(snapshot), step=progress.step)
        if subject.power is Power.OFF:
            await subject.make_disks()
        progress.all_bytes = 2 * await asyncio.to_thread(_needed_bytes, subject, directory, is_diff=over is not None)
        moment = await _keep(subject, directory, progress)
        if over is not None:
            await _make_layers(subject, directory, over, progress)
        progress.stage = "writing the snapshot to disk"
        manifest = Manifest(
            version=1 if over is None else 2,
            id=snapshot,
            machine=subject.state.spec.id,
            disks=tuple(moment.disks),
            pins=moment.pins,
            files=await store.describe(directory, step=progress.step),
            is_consistent=moment.is_consistent,
            warning=moment.warning,
            taken_at=moment.at,
            paused_ms=moment.paused_ms,
            parent=None if over is None else Parent(id=over.manifest.id, checksum=over.checksum),
        )
        await store.finish(manifest)
    except BaseException:
        await store.abandon(snapshot)
        raise
    _log.info("snapshot_taken", snapshot_id=str(snapshot), paused_ms=moment.paused_ms)


def _needed_bytes(subject: Subject, directory: Path, *, is_diff: bool) -> int:
    """How much is going to be copied at most. Raises StorageTrouble where there is no room for it; layers are made one
    by one beside the copies, which go then."""
    files = [path.stat().st_blocks * 512 for _, path in subject.disks()]
    if subject.power is not Power.OFF:
        files.append(subject.spec.memory_mib << 20)
    copied = sum(files)
    needed = copied + max(files, default=0) if is_diff else copied
    require_room(directory, needed, f"the snapshot may take {needed >> 20} MiB")
    return copied


async def _make_layers(subject: Subject, directory: Path, over: Lineage, progress: Progress) -> None:
    """In place of what the parent has too. Raises SnapshotUnusable, OSError."""
    progress.stage = "comparing it with its parent"
    for name in (MEMORY, *(disk_file(disk.drive_id) for disk, _ in subject.disks())):
        path = directory / name
        if path.exists() and over.has(name):
            await in_thread(lambda step, path=path, name=name: make_layer(path, name, over, step), step=progress.step)


async def _keep(subject: Subject, directory: Path, progress: Progress) -> _Moment:
    if subject.power is Power.ON:
        return await _keep_running(subject, directory, progress)
    moment = _Moment(subject.host.clock.now(), is_consistent=subject.power is Power.OFF)
    await _copy(subject, directory, progress, moment)
    return moment


async def _keep_running(subject: Subject, directory: Path, progress: Progress) -> _Moment:
    """The guest is told the time afterwards: its clock stood still too."""
    if not subject.link.is_ready:
        moment = await _keep_still(subject, directory, progress)
        moment.warning = "The guest's file systems were not frozen: it has no agent that answers."
        return moment
    progress.stage = "freezing the guest's file systems"
    async with subject.link.client(timeout_s=FREEZE_S) as guest, frozen(guest) as hold:
        moment = await _keep_still(subject, directory, progress)
        await subject.link.wait_ready(RETURN_S)
    await subject.link.set_time(subject.host.clock.now())
    moment.is_consistent, moment.warning = hold.is_consistent, hold.warning
    return moment


async def _keep_still(subject: Subject, directory: Path, progress: Progress) -> _Moment:
    async with _standing_still(subject) as since:
        moment = _Moment(subject.host.clock.now())
        await _copy(subject, directory, progress, moment)
    moment.paused_ms = round((time.monotonic() - since) * 1000)
    return moment


@asynccontextmanager
async def _standing_still(subject: Subject) -> AsyncGenerator[float]:
    """A VMM that has ended meanwhile is for the machine's own worker to see."""
    vmm, machine = subject.host.vmm, subject.state.spec.id
    since = time.monotonic()
    try:
        await vmm.pause(machine)
        yield since
    finally:
        with contextlib.suppress(VmmTrouble):
            await vmm.resume(machine)


async def _copy(subject: Subject, directory: Path, progress: Progress, moment: _Moment) -> None:
    """Memory and devices of a machine that is on, then its disks."""
    vmm, spec = subject.host.vmm, subject.spec
    if subject.power is not Power.OFF:
        assert isinstance(vmm, Snapshots)
        progress.stage = "copying memory"
        moment.pins = pins_of(vmm, spec, await vmm.save(spec.id, directory))
        progress.step(spec.memory_mib << 20)
    progress.stage = "copying disks"
    for disk, path in subject.disks():
        target = directory / disk_file(disk.drive_id)
        await in_thread(lambda step, path=path, target=target: clone(path, target, step=step), step=progress.step)
    moment.disks = [await _describe(disk, subject, directory) for disk in spec.disks]


async def _describe(disk: DiskSpec, subject: Subject, directory: Path) -> SnapshotDisk:
    path = directory / disk_file(disk.drive_id)
    if disk.path_on_host is not None:
        path = Path(disk.path_on_host)
    elif is_in_place(disk) and disk.image_sha256 is not None:
        path = await subject.image(disk.image_sha256)
    image = disk.image_sha256 if is_in_place(disk) else None
    return SnapshotDisk(drive_id=disk.drive_id, size_bytes=path.stat().st_size, image_sha256=image)
