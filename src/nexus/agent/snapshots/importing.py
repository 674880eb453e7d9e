"""Taking a snapshot in that comes as a stream (`exporting` gives it out).

It may come from anywhere, so nothing in it is believed: names are those that a snapshot has, sizes those of the machine
it is to be of, bytes no more than there is room for, and content what the digests say.

Must stay true: whatever is wrong with it, nothing of it is left; it is there, like one that was taken here, when its
manifest is.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from nexus.agent.snapshots.layout import HYPERVISOR_PINS
from nexus.agent.snapshots.lineage import Kept
from nexus.agent.snapshots.manifest import Manifest, disk_file
from nexus.agent.snapshots.store import SnapshotStore
from nexus.agent.snapshots.taking import Progress
from nexus.agent.storage.breaking_off import in_thread
from nexus.agent.storage.layers import HEAD_BYTES, Index, Malformed, parse_head, parse_index
from nexus.agent.storage.room import require_room
from nexus.agent.storage.trouble import StorageTrouble
from nexus.kit import log
from nexus.kit.incoming import EndedEarly, Incoming
from nexus.kit.tar import BLOCK_BYTES, TarBroken, TarMember, parse_header
from nexus.protocol.archives import (
    FILES,
    MANIFEST,
    MOST_JSON_BYTES,
    WISH,
    ArchivedFile,
    ArchivedSnapshot,
    ImportWish,
    parse_member,
)
from nexus.protocol.base import Message
from nexus.protocol.snapshots import SnapshotPins, SnapshotSeen, SnapshotState
from nexus.protocol.trouble import Refused

_log = log.get("nexus.agent.snapshots")
_M = TypeVar("_M", bound=Message)

MEMORY_SLACK_BYTES = 64 << 20
"""How much more than the guest's memory the hypervisor's own files of it may be."""


@dataclass(frozen=True)
class Here:
    """What this host's hypervisor is, as pins have it."""

    driver: str
    version: str
    acceleration: str
    cpu: str


class Importing:
    """A snapshot that is coming in, or could not. `receive` is called once."""

    def __init__(self, snapshot: UUID) -> None:
        self.id = snapshot
        self.machine = snapshot
        self.progress = Progress(stage="receiving the archive")
        self.fault: str | None = None

    def seen(self) -> SnapshotSeen:
        if self.fault is not None:
            return SnapshotSeen(id=self.id, machine=self.machine, state=SnapshotState.FAILED, fault=self.fault)
        return SnapshotSeen(
            id=self.id,
            machine=self.machine,
            state=SnapshotState.TAKING,
            stage=self.progress.stage,
            progress=self.progress.share,
        )

    async def receive(self, store: SnapshotStore, here: Here, pieces: AsyncGenerator[bytes]) -> Kept:
        """The snapshot is in the store when this returns. `here`: what its memory would run on. Raises Refused for
        what cannot be taken in, OSError."""
        try:
            return await self._receive(store, here, Incoming(pieces))
        except (TarBroken, EndedEarly, Malformed) as broken:
            self.fault = f"The archive cannot be read: {broken}."
            raise Refused(self.fault) from broken
        except Refused as refused:
            self.fault = str(refused)
            raise
        except OSError as refused:
            self.fault = f"The host cannot write it: {refused.strerror or refused}."
            raise
        finally:
            if store.find(self.id) is None:
                self.fault = self.fault or "The archive broke off: whoever sent it is gone."
                _log.warning("import_failed", snapshot_id=str(self.id), why=self.fault)
                await store.abandon(self.id)

    async def _receive(self, store: SnapshotStore, here: Here, incoming: Incoming) -> Kept:
        wish = await _message(incoming, WISH, ImportWish)
        self.machine = wish.machine
        archived = await _message(incoming, MANIFEST, ArchivedSnapshot)
        check(archived, wish, here)
        directory = store.begin(self.id)
        self._require_room(archived, wish, directory)
        for file in archived.files:
            await self._take(file, incoming, directory)
        if not await incoming.is_over():
            raise TarBroken("something follows its last file")
        self.progress.stage = "writing the snapshot to disk"
        files = await store.describe(directory, step=self.progress.step)
        was = {file.name: file.digest for file in archived.files}
        for file in files:
            if was[file.name] != file.digest:
                raise TarBroken(f"its file {file.name} is not what its digest says")
        return await store.finish(
            Manifest(
                id=self.id,
                machine=wish.machine,
                disks=archived.disks,
                pins=archived.pins,
                files=files,
                is_consistent=archived.is_consistent,
                warning=archived.warning,
                taken_at=archived.taken_at,
                paused_ms=archived.paused_ms,
            )
        )

    def _require_room(self, archived: ArchivedSnapshot, wish: ImportWish, directory: Path) -> None:
        needed = sum(file.layer_bytes for file in archived.files)
        self.progress.all_bytes = 2 * needed
        if needed > wish.most_bytes:
            raise Refused(
                f"The archive holds {needed >> 20} MiB, and a snapshot of this machine takes at most "
                f"{wish.most_bytes >> 20} MiB."
            )
        try:
            require_room(directory, needed, f"The snapshot takes {needed >> 20} MiB")
        except StorageTrouble as full:
            raise Refused(f"{full}.") from full

    async def _take(self, file: ArchivedFile, incoming: Incoming, directory: Path) -> None:
        member = await _member(incoming, FILES + file.name)
        if member.size_bytes != file.layer_bytes:
            raise TarBroken(f"its file {file.name} is not as long as its manifest says")
        index = await _index(incoming, file)
        with _new(directory / file.name, file.size_bytes) as fd:
            for extent in index.extents:
                at = extent.start
                async for part in incoming.parts(0 if extent.is_zeros else extent.length):
                    await in_thread(lambda _step, part=part, at=at: _write(fd, part, at))
                    at += len(part)
                    self.progress.step(len(part))
        await _pad(incoming, member)


def _write(fd: int, data: bytes, at: int) -> None:
    """Every byte: a disk that fills up takes a part and complains only at the next write."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(fd, rest, at)
        rest, at = rest[written:], at + written


@contextmanager
def _new(path: Path, size_bytes: int) -> Generator[int]:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.ftruncate(fd, size_bytes)
        yield fd
    finally:
        os.close(fd)


async def _index(incoming: Incoming, file: ArchivedFile) -> Index:
    """Of a layer that is as its manifest says. Raises Malformed, TarBroken."""
    begun = await incoming.exactly(min(HEAD_BYTES, file.layer_bytes))
    head = parse_head(begun)
    if head.index_bytes > file.layer_bytes:
        raise Malformed("it ends inside its index")
    data = begun + await incoming.exactly(head.index_bytes - len(begun))
    index = await asyncio.to_thread(parse_index, data)
    if index.needs_base or index.size_bytes != file.size_bytes or index.layer_bytes != file.layer_bytes:
        raise TarBroken(f"its file {file.name} is not what its manifest says")
    return index


def check(archived: ArchivedSnapshot, wish: ImportWish, here: Here) -> None:
    """Raises Refused unless that is a snapshot of the machine that is wished for, and can be one of this host's."""
    if archived.disks != wish.disks:
        raise Refused("The archive does not hold the disks that its definition says.")
    held = {disk_file(disk.drive_id): disk.size_bytes for disk in archived.disks if disk.image_sha256 is None}
    names = [file.name for file in archived.files]
    expected = {*held, *(["memory"] if archived.pins else [])}
    if len(set(names)) != len(names) or set(names) - {"state"} != expected or ("state" in names and not archived.pins):
        raise Refused("The archive does not hold the files that its definition says.")
    for file in archived.files:
        most = held.get(file.name, ((wish.memory_mib or 0) << 20) + MEMORY_SLACK_BYTES)
        if file.size_bytes > most or (file.name in held and file.size_bytes != most):
            raise Refused(f"Its file {file.name} has {file.size_bytes} bytes, which cannot be of this machine.")
    if archived.pins is not None:
        _check_pins(archived.pins, wish, here)


def _check_pins(pins: SnapshotPins, wish: ImportWish, here: Here) -> None:
    if wish.memory_mib is None:
        raise Refused("The archive holds memory, which its definition does not say.")
    if pins.memory_mib != wish.memory_mib:
        raise Refused("The archive holds memory of another size than its definition says.")
    for name, word in HYPERVISOR_PINS.items():
        was, now = getattr(pins, name), getattr(here, name)
        if was != now:
            raise Refused(f"Its memory cannot run on this host: its {word} is {was}, and here it is {now}.")


async def _message(incoming: Incoming, name: str, kind: type[_M]) -> _M:
    member = await _member(incoming, name)
    if member.size_bytes > MOST_JSON_BYTES:
        raise TarBroken(f"its {name} is longer than {MOST_JSON_BYTES} bytes")
    content = await incoming.exactly(member.size_bytes)
    await _pad(incoming, member)
    return parse_member(name, content, kind)


async def _member(incoming: Incoming, name: str) -> TarMember:
    member = parse_header(await incoming.exactly(BLOCK_BYTES))
    if member is None or member.name != name:
        raise TarBroken(f"{name} should follow, and {member.name if member else 'its end'!r} does")
    return member


async def _pad(incoming: Incoming, member: TarMember) -> None:
    if any(await incoming.exactly(member.padding_bytes)):
        raise TarBroken("there is something between its files")
