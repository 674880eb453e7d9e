"""`nexus doctor --strict`: what is found of a host, and that every fault comes with what mends it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.agent.lab import agent_settings

from nexus.agent import production
from nexus.protocol.checkup import Finding, Verdict

GOOD = {
    "proc/self/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,favordynmods 0 0\n",
    "proc/swaps": "Filename Type Size Used Priority\n",
    "proc/cmdline": "root=/dev/sda1 quiet loglevel=1\n",
    "sys/kernel/mm/ksm/run": "0\n",
    "sys/devices/system/cpu/smt/active": "0\n",
    "sys/devices/system/cpu/vulnerabilities/meltdown": "Mitigation: PTI\n",
    "sys/devices/system/cpu/vulnerabilities/itlb_multihit": "Not affected\n",
    "sys/module/kvm/parameters/nx_huge_pages": "never\n",
}
BAD: list[tuple[Callable[[Path], Finding], str, str, Verdict, str]] = [
    (production.favordynmods, "proc/self/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", Verdict.WARN, "remount"),
    (production.swap, "proc/swaps", "Filename Type\n/dev/sdb2 partition\n", Verdict.MISSING, "swapoff"),
    (production.merging, "sys/kernel/mm/ksm/run", "1\n", Verdict.MISSING, "ksm/run"),
    (production.threads, "sys/devices/system/cpu/smt/active", "1\n", Verdict.MISSING, "smt/control"),
    (
        production.mitigations,
        "sys/devices/system/cpu/vulnerabilities/meltdown",
        "Vulnerable\n",
        Verdict.MISSING,
        "microcode",
    ),
    (production.mounts, "proc/self/mounts", "tmpfs /x tmpfs rw 0 0\n" * 101, Verdict.WARN, "PrivateMounts"),
    (
        production.huge_page_splitting,
        "sys/module/kvm/parameters/nx_huge_pages",
        "auto\n",
        Verdict.WARN,
        "echo never",
    ),
    (production.console, "proc/cmdline", "root=/dev/sda1\n", Verdict.WARN, "loglevel=1"),
]


def host(root: Path, **changed: str) -> Path:
    for name, text in (GOOD | changed).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_host_that_is_as_it_should_be_has_no_faults(short_tmp: Path) -> None:
    root = host(short_tmp)
    found = [look(root) for look in production.HOST_CHECKS if look is not production.kernel]
    assert {finding.verdict for finding in found} == {Verdict.OK}


@pytest.mark.parametrize(
    ("look", "file", "text", "verdict", "fix"), BAD, ids=lambda each: getattr(each, "__name__", "")
)
def test_a_fault_is_found_and_comes_with_its_cure(
    short_tmp: Path, look: Callable[[Path], Finding], file: str, text: str, verdict: Verdict, fix: str
) -> None:
    found = look(host(short_tmp, **{file: text}))
    assert found.verdict is verdict
    assert fix in (found.fix or "")


@pytest.mark.parametrize(
    ("release", "verdict"), [("6.1.0-30-amd64", Verdict.OK), ("6.18.44", Verdict.OK), ("6.12.1", Verdict.WARN)]
)
def test_a_kernel_that_firecracker_is_not_tested_on_is_told(release: str, verdict: Verdict) -> None:
    assert production.kernel(Path("/"), release).verdict is verdict


async def test_what_a_file_system_without_reflinks_costs_is_told(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(production, "can_reflink", lambda _directory: False)  # pyright: ignore[reportUnknownLambdaType,reportUnknownArgumentType]
    found = {finding.name: finding for finding in await production.examine(agent_settings(short_tmp))}
    told = found["strict: file system"]
    assert told.verdict is Verdict.WARN
    assert "disks are copied, and a guest stands still while its memory is" in told.found


async def test_this_host_is_looked_at_and_every_fault_has_a_cure(short_tmp: Path) -> None:
    settings = agent_settings(short_tmp, vmm="auto", firecracker=Path("/nowhere/firecracker"))
    found = {finding.name: finding for finding in await production.examine(settings)}
    assert "is not there" in found["strict: Firecracker"].found
    assert len(found) == 14
    assert all(finding.fix for finding in found.values() if finding.verdict is not Verdict.OK)
