"""What may have changed since a machine was started, for a snapshot of it to be taken while it runs."""

from collections.abc import Callable
from ipaddress import IPv4Interface

import pytest

from nexus.agent.snapshots.layout import why_not_now
from nexus.kit.ids import new_id
from nexus.protocol.cpu import CpuConfig
from nexus.protocol.limits import RateLimiter, TokenBucket
from nexus.protocol.machines import (
    CacheType,
    DiskFormat,
    DiskRole,
    DiskSpec,
    EntropyLimit,
    GuestSpec,
    IoEngine,
    MachineSpec,
    NetworkSpec,
    NicSpec,
)

DISK = DiskSpec(id=new_id(), drive_id="data", role=DiskRole.DATA, format=DiskFormat.EXT4, size_bytes=1 << 30)
NETWORK = NetworkSpec(id=new_id(), gateway=IPv4Interface("172.30.9.1/24"))
NIC = NicSpec(id=new_id(), iface_id="eth0", mac="02:00:00:00:00:01", network=NETWORK)
SPEC = MachineSpec(
    id=new_id(),
    generation=1,
    vcpus=1,
    memory_mib=128,
    kernel_sha256="0" * 64,
    initramfs_sha256="1" * 64,
    disks=(DISK,),
    nics=(NIC,),
    guest=GuestSpec(hostname="guest"),
)
Change = Callable[[MachineSpec], MachineSpec]


def to(**changed: object) -> Change:
    return lambda spec: spec.model_copy(update=changed)


def disk(**changed: object) -> Change:
    return to(disks=(DISK.model_copy(update=changed),))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (to(vcpus=2), "vCPUs"),
        (to(memory_mib=256), "memory"),
        (to(kernel_sha256="2" * 64), "kernel"),
        (to(has_guest_agent=False), "initramfs"),
        (to(cpu_config=CpuConfig(kvm_capabilities=("!1",))), "CPU features"),
        (to(balloon_deflates_on_oom=False), "balloon"),
        (to(entropy_limit=EntropyLimit(size=10, refill_time=100)), "entropy limit"),
        (to(disks=()), "drives"),
        (disk(read_only=True), "drives"),
        (disk(cache_type=CacheType.UNSAFE), "drives"),
        (disk(io_engine=IoEngine.ASYNC), "drives"),
        (to(nics=()), "network interfaces"),
    ],
)
def test_what_its_guest_was_started_with_has_to_be_what_it_is_defined_with(change: Change, words: str) -> None:
    assert why_not_now(SPEC, change(SPEC)) == (f"its {words} have been changed since it was started; restart it first")


def test_all_that_has_changed_is_named_at_once() -> None:
    why = why_not_now(SPEC, SPEC.model_copy(update={"vcpus": 2, "nics": ()}))
    assert why == "its vCPUs and network interfaces have been changed since it was started; restart it first"


@pytest.mark.parametrize(
    "change",
    [
        to(generation=2),
        to(balloon_mib=16, balloon_stats_s=3),
        disk(rate_limiter=RateLimiter(ops=TokenBucket(size=7, refill_time=100))),
        disk(size_bytes=2 << 30),
    ],
)
def test_what_a_running_guest_can_be_given_is_in_nobodys_way(change: Change) -> None:
    assert why_not_now(SPEC, change(SPEC)) is None
