"""The command line QEMU gets, whole: `golden/` holds it, one argument a line."""

import os
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from uuid import UUID

import pytest

from nexus.agent.vmm.qemu.config import Accelerator, NicPlan, Plan, command, kernel_command_line
from nexus.agent.vmm.qemu.drives import DiskPlan
from nexus.protocol.limits import RateLimiter, TokenBucket
from nexus.protocol.machines import CacheType, IoEngine

GOLDEN = Path(__file__).parent / "golden"
PLAN = Plan(
    machine=UUID("01900000-0000-7000-8000-000000000001"),
    launch=3,
    vcpus=2,
    memory_mib=512,
    kernel_fd=10,
    initramfs_fd=11,
    boot_args=None,
    disks=(
        DiskPlan("root", "droot", 0, read_only=True),
        DiskPlan(
            "data",
            "ddata",
            1,
            read_only=False,
            cache_type=CacheType.WRITETHROUGH,
            io_engine=IoEngine.ASYNC,
            rate_limiter=RateLimiter(bandwidth=TokenBucket(size=10_000_000, refill_time=1000)),
        ),
    ),
    disk_fds=(12, 13),
    nics=(NicPlan("02:00:00:00:00:01", None, restrict=True, network=IPv4Network("10.0.2.0/24")),),
    qmp_fd=20,
    channel_fd=21,
    spare=4,
)
BRIDGED = Plan(
    machine=PLAN.machine,
    launch=1,
    vcpus=1,
    memory_mib=128,
    kernel_fd=10,
    initramfs_fd=11,
    boot_args="nexus.test=1",
    disks=(DiskPlan("root", "droot", 0, read_only=False, cache_type=CacheType.UNSAFE),),
    disk_fds=(12,),
    nics=(NicPlan("02:00:00:00:00:01", 30, restrict=False), NicPlan("02:00:00:00:00:02", 31, restrict=False)),
    qmp_fd=20,
    channel_fd=21,
    spare=4,
)


@pytest.mark.parametrize(
    ("name", "plan", "accelerator"),
    [
        ("tcg-user", PLAN, Accelerator("tcg", 2_596_098)),
        ("kvm-bridge", BRIDGED, Accelerator("kvm", None)),
        ("tcg-restored", replace(PLAN, spare=1, memory_fd=19), Accelerator("tcg", 2_596_098)),
    ],
)
def test_the_command_line_is_the_golden_one(name: str, plan: Plan, accelerator: Accelerator) -> None:
    made = "\n".join(command("qemu-system-x86_64", plan, accelerator)) + "\n"
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(made)
    assert made == golden.read_text()


def test_only_an_emulated_guest_is_told_the_hosts_clock_frequency() -> None:
    assert "tsc_early_khz=7 tsc=reliable" in kernel_command_line(None, Accelerator("tcg", 7))
    assert "tsc" not in kernel_command_line(None, Accelerator("kvm", None))
