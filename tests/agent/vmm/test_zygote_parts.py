"""What zygotes are known by and how many are kept: without a hypervisor."""

import os
from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import Path
from uuid import UUID

import pytest

from nexus.agent.vmm.port import BalloonTarget, Definition, Disk, Nic, OwnGuest
from nexus.agent.vmm.qemu import zygotes
from nexus.agent.vmm.qemu.config import Accelerator
from nexus.agent.vmm.qemu.zygotes import MOST_ZYGOTES, ZygoteStore, shape
from nexus.protocol.guest import GuestConfig, GuestNic, MountSpec

HOST = {"version": "7.2", "boot": "a"}
CONFIG = GuestConfig(root=MountSpec(device="/dev/vda", fs="ext4"), hostname="web", machine_id="a" * 32)
DISK = Disk(id=UUID(int=1), drive_id="rootfs", path=Path("/d/1"), read_only=True)
MACHINE = Definition(
    id=UUID(int=1),
    vcpus=1,
    memory_mib=256,
    kernel=Path("/images/kernel"),
    initramfs=Path("/m/1/initramfs"),
    boot_args=None,
    disks=(DISK,),
    nics=(Nic("02:00:00:00:00:01", None),),
    uid=1,
    guest=OwnGuest(Path("/images/initramfs"), CONFIG),
)


def test_machines_that_differ_in_what_they_are_told_alone_share_a_zygote() -> None:
    nic = GuestNic(mac="02:00:00:00:00:02", address=IPv4Interface("10.0.0.2/24"))
    config = CONFIG.model_copy(update={"hostname": "db", "machine_id": "b" * 32, "nics": (nic,)})
    other = replace(
        MACHINE,
        id=UUID(int=2),
        initramfs=Path("/m/2/initramfs"),
        disks=(replace(DISK, id=UUID(int=2), path=Path("/d/2"), read_only=False),),
        nics=(Nic("02:00:00:00:00:02", "tap2"),),
        uid=2,
        balloon=BalloonTarget(64),
        guest=OwnGuest(Path("/images/initramfs"), config, attempt=1),
    )
    assert shape(other, HOST) == shape(MACHINE, HOST)


def test_whatever_a_zygote_is_made_from_is_part_of_its_name() -> None:
    assert MACHINE.guest is not None
    others = (
        replace(MACHINE, vcpus=2),
        replace(MACHINE, memory_mib=512),
        replace(MACHINE, kernel=Path("/images/newer")),
        replace(MACHINE, guest=replace(MACHINE.guest, initramfs=Path("/images/newer"))),
        replace(MACHINE, boot_args="quiet"),
        replace(MACHINE, disks=(DISK, DISK)),
        replace(MACHINE, nics=()),
        replace(MACHINE, balloon_deflates_on_oom=False),
    )
    names = {shape(machine, HOST) for machine in (MACHINE, *others)} | {shape(MACHINE, HOST | {"boot": "b"})}
    assert len(names) == 2 + len(others)


def test_an_agent_that_starts_again_finds_what_the_last_one_made() -> None:
    """Each measures the frequency of this host's clock, and finds a little another one."""
    facts = zygotes.host_facts(version="7.2", accelerator=Accelerator("tcg", 2596092), boot_id="a")
    assert zygotes.host_facts(version="7.2", accelerator=Accelerator("tcg", 2596093), boot_id="a") == facts
    assert zygotes.host_facts(version="7.3", accelerator=Accelerator("tcg", 2596092), boot_id="a") != facts
    assert zygotes.host_facts(version="7.2", accelerator=Accelerator("tcg", 2596092), boot_id="b") != facts


def made(store: ZygoteStore, name: str, *, used: int) -> None:
    store.draft.mkdir(parents=True)
    (store.draft / "memory").write_text(name)
    store.add(name, store.draft)
    found = store.find(name)
    assert found is not None
    os.utime(found, (used, used))


def test_the_one_used_longest_ago_makes_room(tmp_path: Path) -> None:
    store = ZygoteStore(tmp_path / "zygotes", HOST)
    for number in range(MOST_ZYGOTES):
        made(store, f"z{number}", used=number)
    assert store.find("z0") is not None
    made(store, "newest", used=1000)
    assert [name for name in ("z0", "z1", "z2", "newest") if store.find(name)] == ["z0", "z2", "newest"]


def test_half_a_zygote_is_no_zygote(tmp_path: Path) -> None:
    store = ZygoteStore(tmp_path / "zygotes", HOST)
    store.draft.mkdir(parents=True)
    (store.draft / "memory").write_text("half")
    ZygoteStore(tmp_path / "zygotes", HOST).tidy()
    assert not store.draft.exists()
    assert store.find("making") is None


def test_zygotes_take_no_more_than_they_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ZygoteStore(tmp_path / "zygotes", HOST)
    made(store, "first", used=1)
    a_zygote_bytes = zygotes.taken(tmp_path).disk_bytes
    assert a_zygote_bytes > 0
    monkeypatch.setattr(zygotes, "MOST_BYTES", a_zygote_bytes)
    made(store, "second", used=2)
    assert zygotes.taken(tmp_path) == zygotes.Taken(1, a_zygote_bytes)
    assert store.find("second") is not None
    monkeypatch.setattr(zygotes, "MOST_BYTES", a_zygote_bytes - 1)
    with pytest.raises(zygotes.NoRoom):
        made(store, "too large", used=3)
    assert store.find("second") is not None


def test_none_is_made_where_the_disk_is_needed_for_other_things(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ZygoteStore(tmp_path / "agent/zygotes", HOST)
    monkeypatch.setattr(zygotes, "LEAST_FREE_BYTES", 0)
    store.require_room()
    monkeypatch.setattr(zygotes, "LEAST_FREE_BYTES", 1 << 62)
    with pytest.raises(zygotes.NoRoom):
        store.require_room()


def test_those_of_another_run_of_the_host_are_not_found_and_go(tmp_path: Path) -> None:
    before, now = (ZygoteStore(tmp_path / "zygotes", HOST | {"boot": boot}) for boot in "ab")
    made(before, "zygote", used=1)
    assert now.find("zygote") is None
    now.discard_stale()
    assert zygotes.taken(tmp_path).count == 0
    made(now, "zygote", used=1)
    now.discard_stale()
    assert now.find("zygote") is not None


def test_a_host_whose_owner_wants_none_keeps_none(tmp_path: Path) -> None:
    store = ZygoteStore(tmp_path / "zygotes", HOST)
    made(store, "zygote", used=1)
    store.clear()
    assert list(tmp_path.iterdir()) == []
