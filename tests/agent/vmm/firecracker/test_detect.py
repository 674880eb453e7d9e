"""When Firecracker is chosen, and why it is not."""

import os
from pathlib import Path

import pytest
from tests.agent.lab import agent_settings
from tests.agent.vmm.firecracker import stand_in

from nexus.agent.facts import host_boot_id
from nexus.agent.settings import AgentSettings
from nexus.agent.vmm import choose
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.choose import NoHypervisor, choose_vmm
from nexus.agent.vmm.firecracker import detect, version
from nexus.agent.vmm.firecracker.detect import NoFirecracker
from nexus.agent.vmm.firecracker.driver import FirecrackerVmm
from nexus.agent.vmm.firecracker.version import Release, VersionTrouble
from nexus.agent.vmm.port import Vmm
from nexus.agent.vmm.qemu.driver import QemuVmm
from nexus.kit.clock import SystemClock

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="its jailer needs root")


@pytest.fixture
def cgroups(short_tmp: Path) -> Cgroups:
    root = short_tmp / "cgroup"
    root.mkdir()
    (root / "cgroup.controllers").write_text("cpu memory pids\n")
    (root / "cgroup.subtree_control").touch()
    return Cgroups(root)


@pytest.fixture
def settings(short_tmp: Path) -> AgentSettings:
    firecracker, jailer = stand_in.install(short_tmp / "bin", cgroups=short_tmp / "cgroup")
    return agent_settings(
        short_tmp, vmm="auto", network="auto", firecracker=firecracker, jailer=jailer, spare_vmms=0, accel="auto"
    )


async def chosen(settings: AgentSettings, cgroups: Cgroups) -> Vmm:
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    return await choose_vmm(
        settings,
        machines=settings.run_dir / "machines",
        sockets=settings.runtime_dir / "m",
        host_boot_id=host_boot_id(settings.boot_id_file),
        clock=SystemClock(),
        cgroups=cgroups,
    )


@pytest.fixture
def with_kvm(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_refusal(_settings: AgentSettings, *, host_boot_id: str) -> str | None:
        return None

    monkeypatch.setattr(choose, "firecracker_kvm_refusal", no_refusal)


async def test_it_is_taken_where_everything_is_there(settings: AgentSettings, cgroups: Cgroups, with_kvm: None) -> None:
    vmm = await chosen(settings, cgroups)
    assert isinstance(vmm, FirecrackerVmm)
    assert (vmm.version, vmm.acceleration) == ("1.16.1", "kvm")
    assert "in a jail of its own" in vmm.why
    await vmm.close()


@pytest.mark.vm
async def test_without_kvm_another_is_taken_and_says_why(settings: AgentSettings, cgroups: Cgroups) -> None:
    """Wherever this runs: either KVM is proven here, or Firecracker is not taken."""
    vmm = await chosen(settings, cgroups)
    if isinstance(vmm, QemuVmm):
        assert "Firecracker is there and is not used: it needs KVM, and" in vmm.why
        demanding = settings.model_copy(update={"vmm": "firecracker"})
        with pytest.raises(NoHypervisor, match="AGENT_VMM demands firecracker, but it needs KVM"):
            await chosen(demanding, cgroups)
    else:
        assert isinstance(vmm, FirecrackerVmm)
    await vmm.close()


async def test_without_its_jailer_it_runs_only_when_told_and_says_so(
    settings: AgentSettings, cgroups: Cgroups, with_kvm: None
) -> None:
    without = settings.model_copy(update={"vmm": "firecracker", "jailer": Path("/nowhere/jailer")})
    with pytest.raises(NoHypervisor, match="without it none is started"):
        await chosen(without, cgroups)
    vmm = await chosen(without.model_copy(update={"firecracker_unjailed": True}), cgroups)
    assert "WITHOUT its jailer" in vmm.why
    await vmm.close()


def test_limits_the_network_and_trust_are_needed(settings: AgentSettings, cgroups: Cgroups, short_tmp: Path) -> None:
    detect.find(settings, cgroups=cgroups)
    with pytest.raises(NoFirecracker, match="not mounted"):
        detect.find(settings, cgroups=Cgroups(short_tmp / "nowhere"))
    with pytest.raises(NoFirecracker, match="network stack"):
        detect.find(settings.model_copy(update={"network": "user"}), cgroups=cgroups)
    (short_tmp / "bin").chmod(0o777)
    with pytest.raises(NoFirecracker, match="others than root may change"):
        detect.find(settings, cgroups=cgroups)


def program(path: Path, words: str) -> Path:
    path.write_text(f"#!/bin/sh\nprintf '{words}'\n")
    path.chmod(0o755)
    return path


def test_a_program_says_its_version_whatever_it_says_after_that(short_tmp: Path) -> None:
    words = "Firecracker v1.16.1\\n\\n2026-01-01T00:00:00 [anonymous-instance:main] Firecracker exiting successfully."
    assert version.said_by(program(short_tmp / "firecracker", words)) == Release(1, 16, 1)
    assert version.said_by(program(short_tmp / "jailer", "Jailer v1.16.1\\n")) == Release(1, 16, 1)
    with pytest.raises(VersionTrouble, match="does not tell"):
        version.said_by(program(short_tmp / "other", "hello"))


@pytest.mark.parametrize(
    ("release", "words"),
    [
        (Release(1, 13, 1), "CVE-2026-1386"),
        (Release(1, 14, 0), "CVE-2026-1386"),
        (Release(1, 14, 3), "CVE-2026-5747"),
        (Release(1, 15, 0), "CVE-2026-5747"),
        (Release(1, 14, 4), "too old for what is asked"),
        (Release(1, 15, 1), "too old for what is asked"),
        (Release(1, 16, 0), "too old for what is asked of it here: install 1.16.1 or newer"),
    ],
)
def test_a_release_with_an_advisory_or_too_old_for_our_requests_is_refused(release: Release, words: str) -> None:
    with pytest.raises(VersionTrouble, match=words):
        version.require_sound(release)


@pytest.mark.parametrize("release", [Release(1, 16, 1), Release(1, 17, 0)])
def test_a_sound_release_is_taken(release: Release) -> None:
    version.require_sound(release)


def test_jailer_and_firecracker_are_of_one_release() -> None:
    with pytest.raises(VersionTrouble, match="both of one release"):
        version.require_pair(Release(1, 16, 1), Release(1, 16, 0))
