"""Disks: made once, in place or cloned, sparse, grown, and removed with their drive."""

import asyncio
import os
import subprocess
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from tests.agent.lab import PATIENCE_S

from nexus.agent.storage import disks, formatting
from nexus.agent.storage.disks import DiskStore, run_tool
from nexus.agent.storage.files import clone, write_atomically
from nexus.agent.storage.trouble import StorageTrouble
from nexus.kit.ids import new_id
from nexus.protocol.machines import DiskFormat, DiskRole, DiskSpec

MIB = 1 << 20
MACHINE_UID = 64_900_001 if os.geteuid() == 0 else None


def disk(kind: DiskFormat, **other: object) -> DiskSpec:
    given: dict[str, object] = {"id": new_id(), "drive_id": "d", "role": DiskRole.DATA, "format": kind}
    return DiskSpec.model_validate(given | other)


def file_system_blocks(path: Path) -> int:
    """Counted by the file system itself, which is checked on the way."""
    subprocess.run(["e2fsck", "-f", "-n", path], check=True, capture_output=True)
    said = subprocess.run(["dumpe2fs", "-h", path], check=True, capture_output=True, text=True).stdout
    fields = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
    return int(fields["Block count"]) * int(fields["Block size"])


async def test_an_empty_ext4_disk_is_whole_and_takes_almost_no_space(short_tmp: Path) -> None:
    store = DiskStore(short_tmp / "disks", uid=None)
    spec = disk(DiskFormat.EXT4, size_bytes=1 << 30)
    made = await store.ensure(spec, None)
    assert (made.path.stat().st_size, made.read_only) == (1 << 30, False)
    assert made.path.stat().st_blocks * 512 < MIB
    assert file_system_blocks(made.path) == 1 << 30
    before = made.path.stat().st_ino
    assert (await store.ensure(spec, None)).path.stat().st_ino == before


def _uuid(path: Path) -> str:
    return subprocess.run(["blkid", "-o", "value", "-s", "UUID", path], check=True, capture_output=True).stdout.decode()


@pytest.mark.parametrize("size", [64 * MIB, 100 * MIB + 4096, 8 << 30])
async def test_further_empty_disks_of_a_size_are_whole_and_have_uuids_of_their_own(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    ran: list[str] = []

    async def run(*argv: str, fds: tuple[int, ...] = (), accepted: tuple[int, ...] = (0,)) -> None:
        ran.append(argv[0])
        await run_tool(*argv, fds=fds, accepted=accepted)

    monkeypatch.setattr(disks, "run_tool", run)
    monkeypatch.setattr(formatting, "_remembered", OrderedDict[int, Any]())
    store = DiskStore(short_tmp / "disks", uid=None)
    made = [(await store.ensure(disk(DiskFormat.EXT4, size_bytes=size), None)).path for _ in range(3)]
    assert ran == ["mke2fs"]
    assert len({_uuid(path) for path in made}) == 3
    for path in made:
        assert file_system_blocks(path) == size - size % 4096
    await store.ensure(disk(DiskFormat.EXT4, size_bytes=2 * size), None)
    assert ran == ["mke2fs", "mke2fs"]


async def test_what_was_written_out_again_is_grown_and_checked_as_any(short_tmp: Path) -> None:
    store = DiskStore(short_tmp / "disks", uid=None)
    for _ in range(2):
        spec = disk(DiskFormat.EXT4, size_bytes=64 * MIB)
        await store.ensure(spec, None)
        grown = await store.ensure(spec.model_copy(update={"size_bytes": 256 * MIB}), None)
        assert file_system_blocks(grown.path) == 256 * MIB


async def test_a_read_only_image_is_used_in_place(short_tmp: Path) -> None:
    image = short_tmp / "image"
    image.write_bytes(b"x" * 4096)
    store = DiskStore(short_tmp / "disks", uid=None)
    for spec in (disk(DiskFormat.SQUASHFS), disk(DiskFormat.RAW, read_only=True)):
        made = await store.ensure(spec, image)
        assert (made.path, made.read_only) == (image, True)
    assert not (short_tmp / "disks").exists()


async def test_a_clone_is_the_machines_own_and_keeps_its_holes(short_tmp: Path) -> None:
    image = short_tmp / "image"
    with image.open("wb") as file:
        file.truncate(64 * MIB)
        file.seek(32 * MIB)
        file.write(b"data")
    made = await DiskStore(short_tmp / "disks", uid=None).ensure(disk(DiskFormat.RAW), image)
    assert made.path.read_bytes() == image.read_bytes()
    assert made.path.stat().st_blocks * 512 < MIB
    with made.path.open("r+b") as file:
        file.write(b"mine")
    assert image.read_bytes()[:4] == bytes(4)


async def test_an_ext4_clone_is_grown_with_its_file_system(short_tmp: Path) -> None:
    image = short_tmp / "image"
    with image.open("wb") as file:
        file.truncate(32 * MIB)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", image], check=True)
    short_tmp.chmod(0o700)
    store = DiskStore(short_tmp / "disks", uid=MACHINE_UID)
    spec = disk(DiskFormat.EXT4, size_bytes=128 * MIB)
    made = await store.ensure(spec, image)
    assert file_system_blocks(made.path) == 128 * MIB
    await store.ensure(spec.model_copy(update={"size_bytes": 256 * MIB}), image)
    assert file_system_blocks(made.path) == 256 * MIB
    await store.ensure(spec, image)
    found = made.path.stat()
    assert (found.st_size, found.st_uid) == (256 * MIB, MACHINE_UID if MACHINE_UID is not None else os.geteuid())


async def test_a_disk_that_cannot_be_made_leaves_no_half_of_it(short_tmp: Path) -> None:
    store = DiskStore(short_tmp / "disks", uid=None)
    image = short_tmp / "image"
    image.write_bytes(b"no file system")
    spec = disk(DiskFormat.EXT4, size_bytes=MIB)
    with pytest.raises(StorageTrouble, match="e2fsck"):
        await store.ensure(spec, image)
    assert not (short_tmp / "disks" / f"{spec.id}.img").exists()


async def test_disks_that_are_no_longer_the_machines_are_removed(short_tmp: Path) -> None:
    store = DiskStore(short_tmp / "disks", uid=None)
    kept, dropped = disk(DiskFormat.RAW, size_bytes=MIB), disk(DiskFormat.RAW, size_bytes=MIB)
    for spec in (kept, dropped):
        await store.ensure(spec, None)
    store.discard_others({kept.id})
    assert [path.name for path in (short_tmp / "disks").iterdir()] == [f"{kept.id}.img"]


def test_a_file_is_replaced_whole(short_tmp: Path) -> None:
    path = short_tmp / "f"
    write_atomically(path, b"one", mode=0o600)
    write_atomically(path, b"two", mode=0o600)
    assert path.read_bytes() == b"two"
    assert [each.name for each in short_tmp.iterdir()] == ["f"]


def test_a_copy_has_every_byte(short_tmp: Path) -> None:
    source = short_tmp / "source"
    source.write_bytes(bytes(range(256)) * 4096 + bytes(MIB) + b"end")
    clone(source, short_tmp / "copy")
    assert (short_tmp / "copy").read_bytes() == source.read_bytes()


async def test_a_tool_that_reads_what_a_guest_wrote_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_JOIN_TOKEN", "secret")
    await run_tool("sh", "-c", 'test -z "$AGENT_JOIN_TOKEN"')
    with pytest.raises(StorageTrouble, match="status 3"):
        await run_tool("sh", "-c", "exit 3")


@pytest.mark.parametrize(
    ("kind", "before", "held"),
    [
        (DiskFormat.EXT4, 0, "put_in_place"),
        (DiskFormat.EXT4, 1, "put_in_place"),
        (DiskFormat.RAW, 0, "put_in_place"),
        (None, 0, "put_in_place"),
        (None, 0, "clone"),
    ],
)
async def test_a_disk_whose_making_was_broken_off_is_touched_no_more_when_that_is_said(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch, kind: DiskFormat | None, before: int, held: str
) -> None:
    monkeypatch.setattr(formatting, "_remembered", OrderedDict[int, Any]())
    (short_tmp / "image").write_bytes(b"content")
    image = None if kind else short_tmp / "image"
    store = DiskStore(short_tmp / "disks", uid=None)
    for _ in range(before):
        await store.ensure(disk(DiskFormat.EXT4, size_bytes=64 * MIB), None)
    loop, begun, may_end, has_ended = asyncio.get_running_loop(), asyncio.Event(), threading.Event(), threading.Event()
    work = getattr(disks, held)

    def slowly(*args: Any, **more: Any) -> None:
        loop.call_soon_threadsafe(begun.set)
        may_end.wait(PATIENCE_S)
        try:
            work(*args, **more)
        finally:
            has_ended.set()

    monkeypatch.setattr(disks, held, slowly)
    task = asyncio.create_task(store.ensure(disk(kind or DiskFormat.RAW, size_bytes=64 * MIB), image))
    async with asyncio.timeout(PATIENCE_S):
        await begun.wait()
    task.cancel()
    loop.call_later(0.1, may_end.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert has_ended.is_set()
