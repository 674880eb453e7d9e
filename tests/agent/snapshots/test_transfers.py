"""Snapshots that leave a host as a stream and come into one: the same files, or nothing."""

import asyncio
import json
import os
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from tests.agent.lab import PATIENCE_S

from nexus.agent.snapshots import exporting as exports
from nexus.agent.snapshots import importing as imports
from nexus.agent.snapshots import store as stores
from nexus.agent.snapshots.digests import digest, digest_of
from nexus.agent.snapshots.exporting import exporting
from nexus.agent.snapshots.importing import Here, Importing
from nexus.agent.snapshots.lineage import Kept, make_layer
from nexus.agent.snapshots.manifest import Manifest, Parent
from nexus.agent.snapshots.store import SnapshotStore
from nexus.agent.snapshots.transfers import Transfers
from nexus.agent.storage.composing import Composed
from nexus.agent.storage.files import Step, count_nothing
from nexus.agent.storage.layers import Index, parse_index
from nexus.agent.vmm.fake import FakeVmm
from nexus.kit.clock import SystemClock
from nexus.kit.ids import new_id
from nexus.kit.incoming import EndedEarly
from nexus.kit.tar import BLOCK_BYTES, TarMember, parse_header
from nexus.protocol.archives import FILES, MANIFEST, WISH, ArchivedSnapshot, ImportWish
from nexus.protocol.snapshots import SnapshotDisk, SnapshotPins, SnapshotState
from nexus.protocol.trouble import Refused

HERE = Here(driver="fake", version="1", acceleration="none", cpu="plain")
PINS = SnapshotPins(
    driver="fake", version="1", acceleration="none", cpu="plain", kernel_sha256="a" * 64, vcpus=1, memory_mib=128
)
DISK_BYTES = 8 << 20
DISKS = (
    SnapshotDisk(drive_id="rootfs", size_bytes=8192, image_sha256="b" * 64),
    SnapshotDisk(drive_id="data", size_bytes=DISK_BYTES),
)
CONTENT = b"".join(os.urandom(5000) for _ in range(3))


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    made = SnapshotStore(tmp_path / "snapshots")
    made.open()
    return made


@pytest.fixture
async def kept(store: SnapshotStore) -> Kept:
    """A snapshot with memory, and with a disk that is mostly holes."""
    snapshot = new_id()
    directory = await asyncio.to_thread(store.begin, snapshot)
    (directory / "memory").write_bytes(bytes(1 << 20) + CONTENT + bytes(3 << 20))
    (directory / "state").write_bytes(b"registers")
    with (directory / "disks/data.raw").open("wb") as disk:
        disk.truncate(DISK_BYTES)
        disk.seek(5 << 20)
        disk.write(CONTENT)
    files = await store.describe(directory, step=lambda _done: None)
    return await store.finish(
        Manifest(
            id=snapshot,
            machine=new_id(),
            disks=DISKS,
            pins=PINS,
            files=files,
            is_consistent=True,
            warning=None,
            taken_at=datetime(2026, 1, 2, tzinfo=UTC),
            paused_ms=12,
        )
    )


@dataclass
class Archive:
    """A host's part of an archive, taken apart: what was wished, the manifest, and members behind it."""

    wish: dict[str, Any]
    manifest: dict[str, Any]
    members: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])
    ending: bytes = b""

    def packed(self) -> bytes:
        first = [
            (WISH, ImportWish.model_validate(self.wish).model_dump_json().encode()),
            (MANIFEST, _json(self.manifest)),
        ]
        return b"".join(_member(name, content) for name, content in [*first, *self.members]) + self.ending

    def file(self, name: str) -> dict[str, Any]:
        return next(file for file in self.manifest["files"] if file["name"] == name)

    def put(self, name: str, content: bytes) -> None:
        self.members = [(one, content if one == FILES + name else old) for one, old in self.members]


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


def _member(name: str, content: bytes) -> bytes:
    return TarMember(name, len(content)).whole(content)


def taken_apart(data: bytes) -> list[tuple[str, bytes]]:
    found, at = list[tuple[str, bytes]](), 0
    while at < len(data):
        member = parse_header(data[at : at + BLOCK_BYTES])
        assert member is not None
        found.append((member.name, data[at + BLOCK_BYTES : at + BLOCK_BYTES + member.size_bytes]))
        at += member.all_bytes
    return found


@pytest.fixture
async def archive(store: SnapshotStore, kept: Kept) -> Archive:
    return await exported(store, kept)


async def exported(store: SnapshotStore, kept: Kept) -> Archive:
    async with exporting(store, kept.manifest.id) as export:
        data = b"".join([piece async for piece in export.pieces()])
        assert len(data) == export.length
    (name, manifest), *members = taken_apart(data)
    assert name == MANIFEST
    wish = ImportWish(machine=new_id(), memory_mib=128, disks=DISKS, most_bytes=1 << 20)
    return Archive(
        wish.model_dump(mode="json"), ArchivedSnapshot.model_validate_json(manifest).model_dump(mode="json"), members
    )


async def _pieces(data: bytes, *, gone_at: int | None = None) -> AsyncGenerator[bytes]:
    for start in range(0, len(data), 700):
        if gone_at is not None and start >= gone_at:
            raise EndedEarly(start)
        yield data[start : start + 700]


async def receive(store: SnapshotStore, data: bytes, *, gone_at: int | None = None) -> tuple[Importing, Kept]:
    importing = Importing(new_id())
    return importing, await importing.receive(store, HERE, _pieces(data, gone_at=gone_at))


def left(store: SnapshotStore, snapshot: UUID) -> bool:
    return (store._root / str(snapshot)).exists()  # pyright: ignore[reportPrivateUsage]


async def test_what_comes_in_is_what_went_out(store: SnapshotStore, kept: Kept, archive: Archive) -> None:
    _, come = await receive(store, archive.packed())
    for name in ("memory", "state", "disks/data.raw"):
        assert (come.directory / name).read_bytes() == (kept.directory / name).read_bytes()
    was, now = kept.manifest, come.manifest
    assert [(file.name, file.size_bytes, file.digest) for file in now.files] == [
        (file.name, file.size_bytes, file.digest) for file in was.files
    ]
    assert (now.disks, now.pins, now.is_consistent, now.taken_at, now.paused_ms) == (
        (was.disks, was.pins, was.is_consistent, was.taken_at, was.paused_ms)
    )
    assert now.machine == UUID(archive.wish["machine"])
    assert (await store.verified(come.manifest.id, say=lambda _stage: None)).checksum == come.checksum
    assert (come.directory / "disks/data.raw").stat().st_blocks * 512 < DISK_BYTES


async def test_an_archive_is_no_longer_than_what_is_stored(archive: Archive) -> None:
    assert sum(len(content) for _, content in archive.members) < len(CONTENT) * 2 + 12 * 4096


def _lie_about_size(archive: Archive) -> None:
    archive.file("disks/data.raw")["size_bytes"] = DISK_BYTES * 2


def _lie_about_length(archive: Archive) -> None:
    archive.file("memory")["layer_bytes"] += 4096


def _swap_content(archive: Archive) -> None:
    name, content = archive.members[0]
    archive.members[0] = (name, content[:-1] + bytes([content[-1] ^ 1]))


def _swap_digest(archive: Archive) -> None:
    archive.file("memory")["digest"] = "0" * 64


def _rename(to: str) -> Callable[[Archive], None]:
    def change(archive: Archive) -> None:
        archive.file("state")["name"] = to

    return change


def _rename_member(archive: Archive) -> None:
    archive.members[0] = ("files/../../evil", archive.members[0][1])


def _twice(archive: Archive) -> None:
    archive.manifest["files"].append(archive.file("memory"))
    archive.members.append(archive.members[0])


def _leave_out(archive: Archive) -> None:
    archive.manifest["files"] = [file for file in archive.manifest["files"] if file["name"] != "memory"]
    archive.members = [one for one in archive.members if one[0] != "files/memory"]


def _bring_more(archive: Archive) -> None:
    archive.members.append(("files/disks/other.raw", b"more"))


def _other_disks(archive: Archive) -> None:
    archive.manifest["disks"][1]["drive_id"] = "other"


def _other_image(archive: Archive) -> None:
    archive.manifest["disks"][0]["image_sha256"] = None


def _memory_uninvited(archive: Archive) -> None:
    archive.wish["memory_mib"] = None


def _memory_of_another_size(archive: Archive) -> None:
    archive.manifest["pins"]["memory_mib"] = 256


def _huge_memory(archive: Archive) -> None:
    archive.file("memory")["size_bytes"] = 1 << 40


def _other_pin(name: str) -> Callable[[Archive], None]:
    def change(archive: Archive) -> None:
        archive.manifest["pins"][name] = "other"

    return change


def _too_much(archive: Archive) -> None:
    archive.wish["most_bytes"] = 4096


def _no_layer(archive: Archive) -> None:
    archive.put("memory", b"x" * archive.file("memory")["layer_bytes"])


def _index_beyond(archive: Archive) -> None:
    content = dict(archive.members)["files/memory"]
    archive.put("memory", content[:8] + (1 << 50).to_bytes(8, "big") + content[16:])


def _over_a_base(archive: Archive) -> None:
    content = dict(archive.members)["files/memory"]
    archive.put("memory", content[:16] + (1).to_bytes(4, "big") + content[20:])


def _many_extents(archive: Archive) -> None:
    content = dict(archive.members)["files/memory"]
    archive.put("memory", content[:20] + (1 << 18).to_bytes(4, "big") + content[24:])


def _taken_at(moment: str | float) -> Callable[[Archive], None]:
    def change(archive: Archive) -> None:
        archive.manifest["taken_at"] = moment

    return change


def _ends_early(archive: Archive) -> None:
    archive.members[-1] = (archive.members[-1][0], archive.members[-1][1][:-4096])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_lie_about_size, "disks/data.raw has .* bytes, which cannot be of this machine"),
        (_lie_about_length, "not as long as its manifest says"),
        (_swap_content, "is not what its digest says"),
        (_swap_digest, "is not what its digest says"),
        (_rename("../state"), "manifest.json cannot be read"),
        (_rename("/etc/passwd"), "manifest.json cannot be read"),
        (_rename("disks/../x.raw"), "manifest.json cannot be read"),
        (_rename("disks/a/b.raw"), "manifest.json cannot be read"),
        (_rename("state\n"), "manifest.json cannot be read"),
        (_rename("manifest.json"), "manifest.json cannot be read"),
        (_rename_member, "should follow, and 'files/../../evil' does"),
        (_twice, "does not hold the files that its definition says"),
        (_leave_out, "does not hold the files that its definition says"),
        (_bring_more, "something follows its last file"),
        (_other_disks, "does not hold the disks that its definition says"),
        (_other_image, "does not hold the disks that its definition says"),
        (_memory_uninvited, "holds memory, which its definition does not say"),
        (_memory_of_another_size, "memory of another size"),
        (_huge_memory, "memory has .* bytes, which cannot be"),
        (_other_pin("driver"), "its hypervisor is other, and here it is fake"),
        (_other_pin("version"), "its version of the hypervisor is other, and here it is 1"),
        (_other_pin("acceleration"), "its acceleration is other, and here it is none"),
        (_other_pin("cpu"), "its CPU is other, and here it is plain"),
        (_too_much, "a snapshot of this machine takes at most 0 MiB"),
        (_no_layer, "does not begin as one"),
        (_index_beyond, "is not what its manifest says"),
        (_over_a_base, "is not what its manifest says"),
        (_many_extents, "ends inside its index"),
        (_taken_at("yesterday"), "manifest.json cannot be read"),
        (_taken_at("9999-12-31T23:59:59.999999Z"), r"manifest.json cannot be read \(taken_at: .* of this century"),
        (_taken_at("0001-01-01T00:00:00+14:00"), r"manifest.json cannot be read \(taken_at: .* of this century"),
        (_taken_at("2026-01-02T03:04:05"), r"manifest.json cannot be read \(taken_at: .* timezone"),
        (_taken_at(-1e10), r"manifest.json cannot be read \(taken_at: .* of this century"),
        (_ends_early, "not as long as its manifest says"),
    ],
)
async def test_whatever_is_wrong_with_it_is_said_and_nothing_of_it_is_left(
    store: SnapshotStore, archive: Archive, change: Callable[[Archive], None], words: str
) -> None:
    change(archive)
    importing = Importing(new_id())
    with pytest.raises(Refused, match=words):
        await importing.receive(store, HERE, _pieces(archive.packed()))
    assert not left(store, importing.id)
    assert store.find(importing.id) is None
    seen = importing.seen()
    assert seen.state is SnapshotState.FAILED
    assert seen.fault


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.95])
async def test_what_breaks_off_leaves_nothing(store: SnapshotStore, archive: Archive, share: float) -> None:
    data = archive.packed()
    for sent, gone_at in ((data, int(len(data) * share)), (data[: int(len(data) * share)], None)):
        importing = Importing(new_id())
        with pytest.raises(Refused, match=r"ends after .* bytes"):
            await importing.receive(store, HERE, _pieces(sent, gone_at=gone_at))
        assert not left(store, importing.id)


async def test_garbage_is_no_archive(store: SnapshotStore) -> None:
    for garbage in (os.urandom(4096), bytes(4096), b"", _member(WISH, b"[" * 100_000), _member(WISH, b"\xff")):
        importing = Importing(new_id())
        with pytest.raises(Refused, match="cannot be read"):
            await importing.receive(store, HERE, _pieces(garbage))
        assert not left(store, importing.id)


async def test_a_full_disk_is_said(store: SnapshotStore, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def _usage(_path: Path) -> SimpleNamespace:
        return SimpleNamespace(free=1 << 20)

    monkeypatch.setattr("nexus.agent.storage.room.disk_usage", _usage)
    importing = Importing(new_id())
    with pytest.raises(Refused, match="the host's disk has 1 MiB left"):
        await importing.receive(store, HERE, _pieces(archive.packed()))
    assert not left(store, importing.id)


async def test_one_that_is_given_up_leaves_nothing(store: SnapshotStore, archive: Archive) -> None:
    data, begun, forever = archive.packed(), asyncio.Event(), asyncio.Event()

    async def stuck() -> AsyncGenerator[bytes]:
        yield data[: len(data) // 2]
        begun.set()
        await forever.wait()

    importing = Importing(new_id())
    task = asyncio.create_task(importing.receive(store, HERE, stuck()))
    await begun.wait()
    assert importing.seen().state is SnapshotState.TAKING
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not left(store, importing.id)
    assert importing.seen().state is SnapshotState.FAILED


async def test_one_that_is_given_up_is_written_to_no_more_when_that_is_said(
    store: SnapshotStore, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, begun, may_end = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    found = list[bool]()

    def slowly(fd: int, _data: bytes, _at: int) -> None:
        was = os.fstat(fd)
        loop.call_soon_threadsafe(begun.set)
        may_end.wait(PATIENCE_S)
        try:
            found.append(os.path.samestat(os.fstat(fd), was))
        except OSError:
            found.append(False)

    monkeypatch.setattr(imports, "_write", slowly)
    task = asyncio.create_task(Importing(new_id()).receive(store, HERE, _pieces(archive.packed())))
    async with asyncio.timeout(PATIENCE_S):
        await begun.wait()
    task.cancel()
    loop.call_later(0.1, may_end.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert found == [True], "its file was open as long as something was written to it"


async def test_indexes_are_packed_and_parsed_beside_the_event_loop(
    store: SnapshotStore, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    loops, threads = threading.current_thread(), list[threading.Thread]()
    packed = Index.packed

    def pack(index: Index) -> bytes:
        threads.append(threading.current_thread())
        return packed(index)

    def parse(data: bytes) -> Index:
        threads.append(threading.current_thread())
        return parse_index(data)

    monkeypatch.setattr(Index, "packed", pack)
    monkeypatch.setattr(imports, "parse_index", parse)
    await receive(store, (await exported(store, kept)).packed())
    assert len(threads) == 2 * len(kept.manifest.files)
    assert loops not in threads


async def test_an_export_reads_again_only_what_has_no_digest_of_its_whole(
    store: SnapshotStore, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = list[int]()

    def counted(file: Composed, step: Step) -> str:
        hashed.append(file.size_bytes)
        return digest_of(file, step)

    monkeypatch.setattr(exports, "digest_of", counted)
    full = await exported(store, kept)
    assert hashed == []
    assert {file["name"]: file["digest"] for file in full.manifest["files"]} == {
        file.name: file.digest for file in kept.manifest.files
    }
    diff, wholes = await diff_over(store, kept)
    over = await exported(store, diff)
    assert hashed == [DISK_BYTES]
    assert {file["name"]: file["digest"] for file in over.manifest["files"]} == wholes


async def diff_over(store: SnapshotStore, parent: Kept) -> tuple[Kept, dict[str, str]]:
    """A snapshot whose disk is a layer, and the digests of the files that it stands for."""
    directory = await asyncio.to_thread(store.begin, new_id())
    (directory / "memory").write_bytes(CONTENT)
    (directory / "state").write_bytes(b"other registers")
    disk = directory / "disks/data.raw"
    disk.write_bytes(CONTENT[::-1])
    os.truncate(disk, DISK_BYTES)
    wholes = {name: digest(directory / name, count_nothing) for name in ("memory", "state", "disks/data.raw")}
    make_layer(disk, "disks/data.raw", store.lineage(parent), count_nothing)
    made = parent.manifest.model_copy(
        update={
            "version": 2,
            "id": UUID(directory.name),
            "files": await store.describe(directory, step=count_nothing),
            "parent": Parent(id=parent.manifest.id, checksum=parent.checksum),
        }
    )
    return await store.finish(made), wholes


async def test_one_that_is_discarded_at_the_moment_it_is_there_was_taken_in(
    tmp_path: Path, store: SnapshotStore, kept: Kept, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfers = Transfers(store, FakeVmm(machines=tmp_path / "machines", clock=SystemClock()))
    snapshot, discarding = new_id(), list[asyncio.Task[None]]()

    async def discarded_meanwhile(_self: Importing, *_args: object) -> Kept:
        discarding.append(asyncio.create_task(transfers.discard(snapshot)))
        return kept

    monkeypatch.setattr(Importing, "receive", discarded_meanwhile)
    assert await transfers.receive(snapshot, _pieces(archive.packed())) == kept.seen()
    await asyncio.gather(*discarding)
    assert transfers.list() == ()


async def test_many_that_begin_at_once_read_a_snapshot_once(
    store: SnapshotStore, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    again, read = SnapshotStore(store._root), list[Path]()  # pyright: ignore[reportPrivateUsage]
    again.open()

    def noting(path: Path, step: Step) -> str:
        read.append(path)
        return digest(path, step)

    monkeypatch.setattr(stores, "digest", noting)
    await asyncio.gather(*(again.verified(kept.manifest.id, say=lambda _stage: None) for _ in range(5)))
    assert sorted(read) == sorted(kept.directory / file.name for file in kept.manifest.files)
