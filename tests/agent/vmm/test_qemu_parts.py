"""The driver's parts: why a VMM ended, the host's clock, the proof of an accelerator, processes, logs."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from tests.agent.lab import eventually

from nexus.agent.facts import host_boot_id
from nexus.agent.vmm import logs
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.process import ProcessId, Watch, find_by_argument, launch, start_ticks
from nexus.agent.vmm.qemu import accel, exits
from nexus.agent.vmm.qemu.tsc import measure_khz
from nexus.kit.ids import new_id
from nexus.protocol.machines import ExitReason

QEMU = "qemu-system-x86_64"
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.mark.parametrize(
    ("status", "words", "reason", "why"),
    [
        (-9, "", ExitReason.VMM_KILLED, "signal 9"),
        (1, "qemu: cannot set up guest memory", ExitReason.VMM_FAILED, "cannot set up guest memory"),
        (0, "qemu: terminating on signal 15 from pid 7 (sh)", ExitReason.VMM_KILLED, "signal 15"),
        (None, "", ExitReason.VMM_KILLED, "gone"),
    ],
)
def test_why_a_vmm_ended(status: int | None, words: str, reason: ExitReason, why: str) -> None:
    found, sentence = exits.explain(status, words)
    assert found is reason
    assert why in sentence


def test_a_panic_is_told_from_a_reboot_by_the_console() -> None:
    console = "[ 1.6] Kernel panic - not syncing: Attempted to kill init! exitcode=0\r\n[ 1.7] CPU: 0"
    assert exits.guest_stopped(ExitReason.GUEST_REBOOT, console)[0] is ExitReason.GUEST_PANIC
    assert "Attempted to kill init" in exits.guest_stopped(ExitReason.GUEST_REBOOT, console)[1]
    assert exits.guest_stopped(ExitReason.GUEST_REBOOT, "login:")[0] is ExitReason.GUEST_REBOOT


def test_the_clock_frequency_is_the_kernels_within_a_thousandth() -> None:
    lines = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("cpu MHz")]
    nominal = float(lines[0].split(":")[1])
    assert 0.5 < measure_khz() / 1000 / nominal < 2
    again = measure_khz.__wrapped__()
    assert abs(again - measure_khz()) < measure_khz() / 1000


@pytest.mark.vm
async def test_the_test_guest_runs_to_its_end_under_emulation() -> None:
    assert await accel.prove(QEMU, "tcg", uid=None) is None


@pytest.mark.vm
async def test_a_test_guest_that_fails_is_a_reason_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accel, "PROOF_CODE", b"\xf4" * 64)
    monkeypatch.setattr(accel, "PROOF_DEADLINE_S", 0.5)
    assert "did nothing" in (await accel.prove(QEMU, "tcg", uid=None) or "")


@pytest.mark.vm
async def test_kvm_is_chosen_only_where_it_is_proven(short_tmp: Path) -> None:
    choice = await accel.choose(
        QEMU, wanted="auto", qemu_version="1", host_boot_id=host_boot_id(), uid=None, cache=short_tmp / "proof.json"
    )
    flags = Path("/proc/cpuinfo").read_text()
    if not Path("/dev/kvm").exists() or not (" vmx" in flags or " svm" in flags):
        assert choice.accelerator.name == "tcg"
        with pytest.raises(accel.AcceleratorTrouble):
            await accel.choose(
                QEMU, wanted="kvm", qemu_version="1", host_boot_id="", uid=None, cache=short_tmp / "proof.json"
            )
    else:
        assert (choice.accelerator.name == "kvm") == (await accel.prove(QEMU, "kvm", uid=None) is None)


async def test_a_user_who_may_not_use_kvm_is_told_so_and_no_refusal_is_kept(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would stand until the host restarts, and being let into the group takes no restart."""
    (short_tmp / "kvm").touch()
    monkeypatch.setattr(accel, "KVM", short_tmp / "kvm")
    monkeypatch.setattr(accel, "_cpu_virtualizes", Mock(return_value=True))
    monkeypatch.setattr(os, "access", Mock(return_value=False))
    kept = short_tmp / "proof.json"
    choice = await accel.choose(QEMU, wanted="auto", qemu_version="1", host_boot_id="", uid=None, cache=kept)
    assert choice.accelerator.name == "tcg"
    assert "may not use it" in choice.why
    assert not kept.exists()


async def test_a_vmm_outlives_whoever_launched_it_and_is_found_again(short_tmp: Path) -> None:
    mark = f"mark-{new_id()}"
    with (short_tmp / "out").open("ab") as out:
        process = launch([*SLEEPER, mark], fds=(), out=out, err=out)
    try:
        assert os.getsid(process.pid) == process.pid
        await eventually(lambda: find_by_argument(mark, uid=os.geteuid()) is not None)
        assert find_by_argument(mark, uid=os.geteuid()) == process
        assert find_by_argument(mark, uid=os.geteuid() + 1) is None
        open_fds = Path(f"/proc/{process.pid}/fd")  # more while its interpreter still reads its own files
        await eventually(lambda: sorted(fd.name for fd in open_fds.iterdir()) == ["0", "1", "2"], within_s=20)
    finally:
        watch = Watch(process, lambda: None)
        await watch.kill()
    assert watch.status == -9
    assert not process.is_alive()


async def test_a_recycled_pid_is_not_taken_for_the_vmm() -> None:
    mine = ProcessId(os.getpid(), (start_ticks(os.getpid()) or 0) - 1)
    assert not mine.is_alive()
    told = asyncio.Event()
    watch = Watch(mine, told.set)
    await asyncio.wait_for(told.wait(), 5)
    assert watch.ended.is_set()


async def test_the_end_of_a_process_that_is_not_our_child_is_noticed() -> None:
    parent = subprocess.run(
        ["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"], capture_output=True, text=True, check=True
    )
    pid = int(parent.stdout)
    told = asyncio.Event()
    watch = Watch(ProcessId(pid, start_ticks(pid) or 0), told.set)
    assert not watch.ended.is_set()
    await watch.kill()
    await asyncio.wait_for(told.wait(), 5)
    assert watch.status is None


def test_a_trimmed_log_keeps_its_end_and_its_offsets(short_tmp: Path) -> None:
    path = short_tmp / "console.log"
    path.write_bytes(b"a" * 300_000 + b"the end")
    logs.trim(path, keep_bytes=16_384)
    assert path.stat().st_blocks * 512 < 40_000
    part = logs.read(path, offset=0, limit=1 << 20)
    assert part.size == 300_007
    assert part.start + len(part.data) == 300_007
    assert 16_384 <= len(part.data) < 30_000
    assert part.data.endswith(b"the end")
    assert logs.read(path, offset=300_000, limit=100).data == b"the end"
    assert logs.read(path, offset=999_999, limit=100) == logs.LogPart(300_007, 300_007, b"")
    with path.open("ab") as more:
        more.write(b"!")
    assert logs.tail(path, limit=8) == "the end!"


def test_limits_are_set_where_the_controllers_are(short_tmp: Path) -> None:
    (short_tmp / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (short_tmp / "cgroup.subtree_control").touch()
    groups = Cgroups(short_tmp)
    assert groups.why_not is None
    machine = new_id()
    groups.ensure(machine, pid=1, memory_mib=256, vcpus=2)
    group = short_tmp / "nexus" / str(machine)
    assert (group / "memory.max").read_text() == str((256 + 384) << 20)
    assert (group / "cpu.max").read_text() == "300000 100000"
    assert (group / "cgroup.procs").read_text() == "1"


def test_missing_controllers_are_named(short_tmp: Path) -> None:
    (short_tmp / "cgroup.controllers").write_text("hugetlb\n")
    assert Cgroups(short_tmp).why_not == "cgroup v2 lacks the controllers cpu and memory"
    assert "not mounted" in (Cgroups(short_tmp / "nowhere").why_not or "")
