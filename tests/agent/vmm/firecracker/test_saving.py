"""Machines saved and gone on from by the driver: what the contract of all drivers does not ask of it."""

import asyncio
import contextlib
import errno
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.agent.lab import eventually
from tests.agent.vmm.firecracker.lab import IMPATIENT, Place

from nexus.agent.guest.channel import GuestChannel
from nexus.agent.guest.client import GuestClient
from nexus.agent.storage import room
from nexus.agent.storage.files import can_reflink, clone
from nexus.agent.vmm.firecracker import bodies, memories, overseer, snapshots
from nexus.agent.vmm.firecracker import jails as jails_module
from nexus.agent.vmm.firecracker.connection import ApiTrouble
from nexus.agent.vmm.firecracker.driver import FirecrackerVmm
from nexus.agent.vmm.firecracker.snapshots import guest_cpu, layout
from nexus.agent.vmm.port import BalloonTarget, Definition, VmmTrouble
from nexus.kit.ids import new_id
from nexus.protocol.cpu import CpuConfig
from nexus.protocol.guest import SessionKind, SessionRequest
from nexus.protocol.limits import RateLimiter, TokenBucket
from nexus.protocol.machines import CacheType, EntropyLimit, IoEngine, Power

LOADING = (
    "PUT /metrics",
    "PUT /serial",
    "PUT /snapshot/load",
    "PATCH /drives/rootfs",
    "PATCH /drives/data",
    "GET /balloon",
    "PATCH /vm",
)
"""Everything that going on says, in order (held to that by a test here)."""


@dataclass
class Snapshot:
    """Of a machine that is on, with one session of its own in memory."""

    place: Place
    vmm: FirecrackerVmm
    definition: Definition
    source: Path
    devices: tuple[str, ...]
    session: str

    def other(self) -> Definition:
        """Another machine with the same disks."""
        machine = new_id()
        home = self.place.root / "machines" / str(machine)
        (home / "disks").mkdir(parents=True)
        disk = replace(self.definition.disks[1], id=new_id(), path=home / "disks" / "data.img")
        clone(self.definition.disks[1].path, disk.path)
        return replace(self.definition, id=machine, disks=(replace(self.definition.disks[0], id=new_id()), disk))

    async def go_on(self, definition: Definition, *, launch: int = 1) -> None:
        await self.vmm.restore(definition, launch=launch, source=self.source, devices=self.devices, is_linked=True)

    async def sessions(self, definition: Definition) -> list[str]:
        async with guest_of(self.place, self.vmm, definition) as guest:
            return [each.id for each in await guest.sessions()]

    def memory_in_jail(self, vmm: FirecrackerVmm, definition: Definition) -> Path:
        running = vmm._running[definition.id]  # pyright: ignore[reportPrivateUsage] - where its jail is
        return self.place.jails / "firecracker" / str(running.jailed.id) / "root" / "memory"


@asynccontextmanager
async def guest_of(place: Place, vmm: FirecrackerVmm, definition: Definition) -> AsyncGenerator[GuestClient]:
    socket = place.root / "guest.sock"
    async with GuestChannel(vmm.transport(definition.id), socket=socket) as channel:
        assert await channel.wait_ready(90)
        async with GuestClient(socket, timeout_s=60) as guest:
            yield guest


async def saved(place: Place) -> Snapshot:
    vmm, definition, source = place.driver(), place.definition(), place.root / "snapshot"
    source.mkdir()
    await vmm.start(definition, launch=1)
    async with guest_of(place, vmm, definition) as guest:
        session = await guest.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("sleep",)))
    await vmm.pause(definition.id)
    devices = await vmm.save(definition.id, source)
    await vmm.resume(definition.id)
    for path in source.iterdir():
        path.chmod(0o400)
    return Snapshot(place, vmm, definition, source, devices, session)


async def test_all_who_go_on_share_memory_that_is_nobodys_to_write_and_outlives_the_snapshot(place: Place) -> None:
    snapshot = await saved(place)
    before = stamps(snapshot.source)
    others = (snapshot.other(), snapshot.other())
    for each in others:
        await snapshot.go_on(each)
    shared = [snapshot.memory_in_jail(snapshot.vmm, each).lstat() for each in others]
    assert shared[0].st_ino == shared[1].st_ino != (snapshot.source / "memory").stat().st_ino
    assert (shared[0].st_mode & 0o777, shared[0].st_uid, shared[0].st_nlink) == (0o444, os.geteuid(), 3)
    assert stamps(snapshot.source) == before, "not even its link count"
    shutil.rmtree(snapshot.source)
    for each in others:
        assert await snapshot.sessions(each) == [snapshot.session]
    await snapshot.vmm.stop(others[0].id)
    assert await snapshot.sessions(others[1]) == [snapshot.session]
    await snapshot.vmm.stop(others[1].id)
    assert not (place.jails / "memories").exists()
    await snapshot.vmm.close()


def stamps(directory: Path) -> dict[str, tuple[int, ...]]:
    """All that is known of its files but when they were read."""
    found = {path.name: path.stat() for path in directory.iterdir()}
    return {
        name: (about.st_ino, about.st_mode, about.st_nlink, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
        for name, about in found.items()
    }


async def test_a_machine_that_goes_on_is_saved_again_and_writes_to_nothing_that_others_have(place: Place) -> None:
    snapshot = await saved(place)
    one, other = snapshot.other(), snapshot.other()
    for each in (one, other):
        await snapshot.go_on(each)
    async with guest_of(place, snapshot.vmm, one) as guest:
        mine = await guest.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("sleep",)))
    again = place.root / "again"
    again.mkdir()
    await snapshot.vmm.pause(one.id)
    devices = await snapshot.vmm.save(one.id, again)
    await snapshot.vmm.resume(one.id)
    assert await snapshot.sessions(other) == [snapshot.session]
    third = snapshot.other()
    await snapshot.vmm.restore(third, launch=1, source=again, devices=devices, is_linked=True)
    assert await snapshot.sessions(third) == [snapshot.session, mine]
    assert {path.name for path in snapshot.memory_in_jail(snapshot.vmm, one).parent.glob("saved*")} == set()
    await snapshot.vmm.close()


def test_zeros_that_firecracker_wrote_out_are_not_kept(short_tmp: Path) -> None:
    """The last block is a part of one."""
    said = bytes(3 << 20) + b"used" + bytes(300_000)
    (short_tmp / "dense").write_bytes(said)
    steps: list[int] = []
    with (short_tmp / "dense").open("rb") as dense:
        snapshots.copy_used(dense.fileno(), short_tmp / "kept", steps.append)
    kept = short_tmp / "kept"
    assert kept.read_bytes() == said
    assert sum(steps) == len(said)
    assert kept.stat().st_blocks * 512 <= 1 << 20


async def test_copies_that_a_killed_agent_left_behind_are_removed_by_the_next(unjailed_place: Place) -> None:
    snapshot = await saved(unjailed_place)
    one = snapshot.other()
    await snapshot.go_on(one)
    await snapshot.vmm.close()
    for name in ("1-2-3-4-5", ".6-7-8-9-0"):
        (unjailed_place.jails / "memories" / name).touch()
    second = unjailed_place.driver()
    await second.open()
    assert len(list((unjailed_place.jails / "memories").iterdir())) == 1
    assert (await second.adopt(one.id)).power is Power.ON
    assert await replace(snapshot, vmm=second).sessions(one) == [snapshot.session]
    await second.close()


async def test_limits_and_the_balloon_are_those_of_the_machine_that_goes_on(unjailed_place: Place) -> None:
    snapshot = await saved(unjailed_place)
    plain = snapshot.other()
    limits = RateLimiter(ops=TokenBucket(size=7, refill_time=100))
    disks = (plain.disks[0], replace(plain.disks[1], rate_limiter=limits))
    await snapshot.go_on(replace(plain, disks=disks, balloon=BalloonTarget(amount_mib=16, stats_s=3)))
    jailed = snapshot.vmm._running[plain.id].jailed  # pyright: ignore[reportPrivateUsage] - to ask Firecracker itself
    said = await jailed.api.connection.request("GET", "/vm/config", None, patience_s=60)
    assert b'"ops": {"size": 7' in said
    assert (await snapshot.vmm.balloon(plain.id)).target_mib == 16
    await snapshot.vmm.close()


async def test_a_guest_without_a_driver_for_its_balloon_goes_on_too(unjailed_place: Place) -> None:
    snapshot = await saved(unjailed_place)
    unjailed_place.play(no_balloon_driver=True)
    await snapshot.go_on(one := snapshot.other())
    assert await snapshot.sessions(one) == [snapshot.session]
    await snapshot.vmm.close()


@pytest.mark.parametrize("fault", ["die_at", "refuse_at", "hang_at"])
async def test_a_save_that_fails_leaves_no_file_and_a_machine_that_can_be_used(
    place: Place, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(snapshots, "SAVE_PATIENCE_S", 3.0)
    monkeypatch.setattr(snapshots, "SLOWEST_MIB_PER_S", 1000)
    vmm, definition, source = place.driver(), place.definition(), place.root / "snapshot"
    source.mkdir()
    place.play(**{fault: "PUT /snapshot/create"})
    await vmm.start(definition, launch=1)
    await vmm.pause(definition.id)
    with pytest.raises(VmmTrouble, match="/snapshot/create"):
        await vmm.save(definition.id, source)
    if fault == "die_at":
        await eventually(lambda: definition.id not in vmm._running)  # pyright: ignore[reportPrivateUsage]
        assert place.leftovers() == set()
        place.play()
        await vmm.start(definition, launch=2)
    else:
        assert not any(place.jails.rglob("saved.*"))
        assert (await vmm.observe(definition.id)).power is Power.PAUSED
        await vmm.resume(definition.id)
    assert (await vmm.observe(definition.id)).power is Power.ON
    await vmm.close()


async def test_a_save_that_is_broken_off_ends_when_firecracker_can_do_something_else_again(
    unjailed_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    vmm, definition, source = unjailed_place.driver(), unjailed_place.definition(), unjailed_place.root / "snapshot"
    source.mkdir()
    await vmm.start(definition, launch=1)
    await vmm.pause(definition.id)
    api = vmm._running[definition.id].jailed.api  # pyright: ignore[reportPrivateUsage]
    is_writing, may_end = asyncio.Event(), asyncio.Event()
    write = api.create_snapshot

    async def slowly(body: object, *, patience_s: float) -> None:
        is_writing.set()
        await may_end.wait()
        await write(body, patience_s=patience_s)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(api, "create_snapshot", slowly)
    saving = asyncio.create_task(vmm.save(definition.id, source))
    await is_writing.wait()
    for _ in range(2):
        saving.cancel()
        await asyncio.wait({saving}, timeout=0.1)
        assert not saving.done()
    may_end.set()
    with contextlib.suppress(asyncio.CancelledError):
        await saving
    assert saving.cancelled()
    assert not any(unjailed_place.jails.rglob("saved.*"))
    await vmm.resume(definition.id)
    await vmm.close()


async def test_one_that_outlived_an_upgrade_is_not_saved_under_the_new_release(unjailed_place: Place) -> None:
    vmm, definition, source = unjailed_place.driver(), unjailed_place.definition(), unjailed_place.root / "snapshot"
    source.mkdir()
    await vmm.start(definition, launch=1)
    await vmm.pause(definition.id)
    vmm.version = "1.17.0"
    with pytest.raises(
        VmmTrouble, match=r"it runs under Firecracker 1\.16\.1, and this host starts 1\.17\.0 now: restart"
    ):
        await vmm.save(definition.id, source)
    assert not any(source.iterdir())
    await vmm.close()


@pytest.mark.parametrize(("has_reflinks", "needed"), [(True, 128), (False, 256)])
async def test_memory_is_not_written_where_there_is_no_room_for_it(
    unjailed_place: Place, monkeypatch: pytest.MonkeyPatch, has_reflinks: bool, needed: int
) -> None:
    vmm, definition, source = unjailed_place.driver(), unjailed_place.definition(), unjailed_place.root / "snapshot"
    source.mkdir()
    await vmm.start(definition, launch=1)
    await vmm.pause(definition.id)
    monkeypatch.setattr(snapshots, "can_reflink", lambda _directory: has_reflinks)  # pyright: ignore[reportUnknownLambdaType,reportUnknownArgumentType]
    has_room_for(monkeypatch, needed + 63)
    with pytest.raises(VmmTrouble, match=f"takes up to {needed} MiB, and the host's disk has {needed + 63} MiB left"):
        await vmm.save(definition.id, source)
    assert not unjailed_place.asked("/snapshot/create")
    monkeypatch.setattr(snapshots, "can_reflink", can_reflink)
    has_room_for(monkeypatch, 256 + 64)
    await vmm.save(definition.id, source)
    await vmm.close()


def has_room_for(patching: pytest.MonkeyPatch, free_mib: int) -> None:
    usage = shutil.disk_usage("/")._replace(free=free_mib << 20)
    patching.setattr(room, "disk_usage", lambda _directory: usage)  # pyright: ignore[reportUnknownLambdaType,reportUnknownArgumentType]


async def test_what_a_killed_agent_had_saved_is_removed_by_the_next(place: Place) -> None:
    """In whatever form the VMM puts it there."""
    first, definition = place.driver(), place.definition()
    await first.start(definition, launch=1)
    await first.close()
    root = next(place.jails.rglob("vmm.log")).parent
    (root / "saved.memory").touch()
    (root / "saved.state").symlink_to(place.root)
    second = place.driver()
    assert (await second.adopt(definition.id)).power is Power.ON
    assert not any(place.jails.rglob("saved.*"))
    await second.close()
    (root / "saved.memory").mkdir()
    third = place.driver()
    assert (await third.adopt(definition.id)).power is Power.ON
    await third.close()


async def test_a_guest_that_is_still_being_saved_for_an_agent_that_was_killed_is_not_ended(
    unjailed_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Firecracker answers nobody meanwhile, and the next agent knows of no request that is under way."""
    place = unjailed_place
    first, definition = place.driver(), place.definition()
    place.play(hang_at="PUT /snapshot/create")
    await first.start(definition, launch=1)
    await first.pause(definition.id)
    api = first._running[definition.id].jailed.api  # pyright: ignore[reportPrivateUsage] - no save: that tidies up
    body = bodies.SnapshotCreate(snapshot_path="saved.state", mem_file_path="saved.memory", snapshot_type="Full")
    writing = asyncio.create_task(api.create_snapshot(body, patience_s=90))
    await eventually(lambda: any(place.jails.rglob("saved.memory")))
    await first.close()
    with pytest.raises(ApiTrouble):
        await writing
    monkeypatch.setattr(jails_module, "ANSWER_PATIENCE_S", 0.5)
    monkeypatch.setattr(overseer, "WRITING_S", 3600.0)
    place.patience = replace(IMPATIENT, ping_every=1, misses=1)
    second = place.driver()
    with pytest.raises(VmmTrouble, match="does not answer"):
        await second.adopt(definition.id)
    running = second._running[definition.id]  # pyright: ignore[reportPrivateUsage] - how often it was asked
    await eventually(lambda: running.missed >= 3)
    assert running.ending is None
    os.utime(next(place.jails.rglob("saved.memory")), (0, 0))
    await eventually(lambda: definition.id not in second._running)  # pyright: ignore[reportPrivateUsage]
    ended = (await second.observe(definition.id)).exit
    assert ended is not None
    assert ended.why == "Its VMM answered no more, and was ended."
    await second.close()


async def test_what_a_vmm_put_in_place_of_its_snapshot_is_not_taken(unjailed_place: Place) -> None:
    """One that was broken into: a link to somebody else's file, or more than fits anywhere."""
    vmm, definition, source = unjailed_place.driver(), unjailed_place.definition(), unjailed_place.root / "snapshot"
    source.mkdir()
    await vmm.start(definition, launch=1)
    await vmm.pause(definition.id)
    running = vmm._running[definition.id]  # pyright: ignore[reportPrivateUsage]
    root = unjailed_place.jails / "firecracker" / str(running.jailed.id) / "root"
    secret = unjailed_place.root / "secret"
    secret.touch()
    os.truncate(secret, 128 << 20)
    wrong = ("saved.memory", None)

    def put(name: str, size: int | None) -> None:
        (root / name).unlink()
        if size is None:
            (root / name).symlink_to(secret)
        else:
            with (root / name).open("wb") as huge:
                huge.truncate(size)

    async def lie(*_args: object, **_kwargs: object) -> None:
        for name in ("saved.memory", "saved.state"):
            (root / name).write_bytes(b"")
        put(*wrong)

    running.jailed.api.create_snapshot = lie
    lies: tuple[tuple[tuple[str, int | None], str], ...] = (
        (("saved.memory", None), "symbolic links"),
        (("saved.memory", 1 << 40), "something else than its memory"),
        (("saved.state", 1 << 40), "something else than its"),
    )
    for wrong, words in lies:  # noqa: B007 - `lie` reads it
        with pytest.raises((VmmTrouble, OSError), match=words):
            await vmm.save(definition.id, source)
    await vmm.close()


@pytest.mark.parametrize("step", ["GET /", *LOADING])
async def test_a_process_that_dies_at_any_step_of_going_on_is_a_launch_that_failed(
    unjailed_place: Place, step: str
) -> None:
    await dies(unjailed_place, step)


@pytest.mark.parametrize("step", ["PUT /snapshot/load", "PATCH /vm"])
async def test_a_jailed_one_that_dies_going_on_leaves_nothing_of_its_jail_either(
    jailed_place: Place, step: str
) -> None:
    await dies(jailed_place, step)


@pytest.mark.parametrize("step", ["PUT /snapshot/load", "PATCH /vm"])
async def test_a_process_that_hangs_going_on_is_ended(place: Place, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await fails(place, monkeypatch, {"hang_at": step}, words="no answer to")


@pytest.mark.parametrize("step", ["PUT /serial", "PUT /snapshot/load", "PATCH /drives/data"])
async def test_a_refusal_to_go_on_is_told_in_firecrackers_words(
    unjailed_place: Place, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fails(unjailed_place, monkeypatch, {"refuse_at": step}, words=f"{step} was refused: told to refuse")


async def dies(place: Place, step: str) -> None:
    with pytest.MonkeyPatch.context() as patching:
        await fails(place, patching, {"die_at": step}, words="Firecracker did not start")


async def fails(place: Place, patching: pytest.MonkeyPatch, faults: dict[str, str], *, words: str) -> None:
    snapshot = await saved(place)
    other = snapshot.other()
    await snapshot.vmm.stop(snapshot.definition.id)
    place.play(**faults)
    if "hang_at" in faults:
        patching.setattr("nexus.agent.vmm.firecracker.driver.BOOT_PATIENCE_S", 1.0)
        patching.setattr("nexus.agent.vmm.firecracker.jails.ANSWER_PATIENCE_S", 1.0)
    with pytest.raises(VmmTrouble, match=words):
        await snapshot.go_on(other)
    patching.undo()
    assert place.leftovers() == set()
    assert all(disk.path.stat().st_uid == os.geteuid() for disk in other.disks)
    place.play()
    await snapshot.go_on(other, launch=(await snapshot.vmm.observe(other.id)).launch + 1)
    assert await snapshot.sessions(other) == [snapshot.session]
    await snapshot.vmm.close()


async def test_the_steps_tried_here_are_the_ones_that_going_on_takes(unjailed_place: Place) -> None:
    snapshot = await saved(unjailed_place)
    await snapshot.vmm.stop(snapshot.definition.id)
    await snapshot.go_on(snapshot.other())
    log = next(unjailed_place.jails.rglob("vmm.log")).read_text()
    asked = [line.split() for line in log.splitlines() if "API server received" in line]
    steps = [f"{words[words.index('request') - 1].upper()} {words[-1].strip('.').strip(chr(34))}" for words in asked]
    assert list(dict.fromkeys(steps)) == ["GET /", *LOADING]
    await snapshot.vmm.close()


async def test_memory_for_which_there_is_no_room_is_said_to_be_so(
    unjailed_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = await saved(unjailed_place)

    def full(_source: Path, target: Path, **_other: object) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(memories, "clone", full)
    other = snapshot.other()
    with pytest.raises(VmmTrouble, match="its memory cannot be copied: No space left"):
        await snapshot.go_on(other)
    assert (await snapshot.vmm.observe(other.id)).launch == 0
    assert not (unjailed_place.jails / "memories").exists()
    monkeypatch.undo()
    await snapshot.go_on(other)
    await snapshot.vmm.close()


async def test_a_copy_of_memory_is_not_begun_where_there_is_no_room_for_it(
    unjailed_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = await saved(unjailed_place)
    monkeypatch.setattr(memories, "can_reflink", lambda _directory: False)  # pyright: ignore[reportUnknownLambdaType,reportUnknownArgumentType]
    has_room_for(monkeypatch, 63)
    other = snapshot.other()
    with pytest.raises(VmmTrouble, match="MiB, and the host's disk has 63 MiB left"):
        await snapshot.go_on(other)
    assert (await snapshot.vmm.observe(other.id)).launch == 0
    has_room_for(monkeypatch, 65)
    await snapshot.go_on(other)  # what it takes is what is in use of it
    await snapshot.vmm.close()


async def test_a_copy_from_before_the_host_restarted_is_nobodys_memory_again(
    unjailed_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not synced: a crash may have left holes in it, and a jail that died then still links to it."""
    snapshot = await saved(unjailed_place)
    before, also, after = snapshot.other(), snapshot.other(), snapshot.other()
    await snapshot.go_on(before)
    await snapshot.go_on(also)
    monkeypatch.setattr(memories, "host_boot_id", lambda: "of-another-boot")
    await snapshot.go_on(after)
    copies = [snapshot.memory_in_jail(snapshot.vmm, each).stat().st_ino for each in (before, also, after)]
    assert copies[0] == copies[1] != copies[2]
    await snapshot.vmm.close()


async def test_memory_of_another_size_is_not_begun_from(unjailed_place: Place) -> None:
    snapshot = await saved(unjailed_place)
    (snapshot.source / "memory").chmod(0o600)
    os.truncate(snapshot.source / "memory", 64 << 20)
    with pytest.raises(VmmTrouble, match="and not 128 MiB"):
        await snapshot.go_on(snapshot.other())
    await snapshot.vmm.close()


async def test_one_that_was_loaded_but_never_let_go_on_has_never_been(place: Place) -> None:
    """The agent was killed before the guest ran: it may still have a link, or somebody else's limits."""
    snapshot = await saved(place)
    other = snapshot.other()
    await snapshot.vmm.stop(snapshot.definition.id)  # which was asked for the same
    place.play(hang_at="PATCH /vm")
    going_on = asyncio.create_task(snapshot.go_on(other))
    await eventually(lambda: place.asked("/vm"))
    second = place.driver()
    await second.open()
    state = await second.adopt(other.id)
    assert (state.power, state.launch) == (Power.OFF, 0)
    going_on.cancel()
    await asyncio.gather(going_on, return_exceptions=True)
    place.play()
    await snapshot.go_on(other)
    assert await snapshot.sessions(other) == [snapshot.session]
    await second.close()
    await snapshot.vmm.close()


def test_what_a_snapshot_depends_on_is_named(unjailed_place: Place) -> None:
    plain, template = guest_cpu(None), guest_cpu(b"{}")
    assert ", Linux " in plain
    assert template.startswith(plain)
    assert "template" in template.removeprefix(plain)
    assert guest_cpu(b"{ }") != template
    assert unjailed_place.driver().cpu == plain


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"entropy_limit": EntropyLimit(size=10, refill_time=100)}, "the usual entropy and not 10 bytes"),
        ({"balloon_deflates_on_oom": False}, "a balloon that deflates and not"),
        ({"cpu_config": CpuConfig(kvm_capabilities=("!1",))}, "the host's CPU features and not"),
    ],
)
def test_what_cannot_be_told_to_a_guest_that_goes_on_must_be_the_same(
    unjailed_place: Place, change: dict[str, object], words: str
) -> None:
    vmm, definition = unjailed_place.driver(), unjailed_place.definition()
    with pytest.raises(VmmTrouble, match=words):
        vmm.check(replace(definition, **change), layout(definition))


@pytest.mark.parametrize("change", [{"cache_type": CacheType.UNSAFE}, {"io_engine": IoEngine.ASYNC}])
def test_a_drive_that_is_served_otherwise_is_another_device(unjailed_place: Place, change: dict[str, object]) -> None:
    vmm, definition = unjailed_place.driver(), unjailed_place.definition()
    disks = (definition.disks[0], replace(definition.disks[1], **change))
    with pytest.raises(VmmTrouble, match="it had a disk and not a disk"):
        vmm.check(replace(definition, disks=disks), layout(definition))
