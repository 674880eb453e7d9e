"""The command line QEMU gets, whole: `golden/` holds it, one argument a line."""

import os
from pathlib import Path
from uuid import UUID

import pytest

from nexus.agent.vmm.qemu.config import Accelerator, DiskFd, NicPlan, Plan, command, kernel_command_line

GOLDEN = Path(__file__).parent / "golden"
PLAN = Plan(
    machine=UUID("01900000-0000-7000-8000-000000000001"),
    launch=3,
    vcpus=2,
    memory_mib=512,
    kernel_fd=10,
    initramfs_fd=11,
    boot_args=None,
    disks=(DiskFd(12, read_only=True), DiskFd(13, read_only=False)),
    nics=(NicPlan("02:00:00:00:00:01", None, restrict=True),),
    qmp_fd=20,
    channel_fd=21,
)
BRIDGED = Plan(
    machine=PLAN.machine,
    launch=1,
    vcpus=1,
    memory_mib=128,
    kernel_fd=10,
    initramfs_fd=11,
    boot_args="nexus.test=1",
    disks=(DiskFd(12, read_only=False),),
    nics=(NicPlan("02:00:00:00:00:01", 30, restrict=False), NicPlan("02:00:00:00:00:02", 31, restrict=False)),
    qmp_fd=20,
    channel_fd=21,
)


@pytest.mark.parametrize(
    ("name", "plan", "accelerator"),
    [
        ("tcg-user", PLAN, Accelerator("tcg", 2_596_098)),
        ("kvm-bridge", BRIDGED, Accelerator("kvm", None)),
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
