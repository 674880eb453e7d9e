"""An orderly end, in time, through the distribution's own init; and what a busy guest must not do to its agent."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from tests.agent.guest.conftest import Guest, booted, holds
from tests.agent.lab import ImageSet, built

from nexus.local import images
from nexus.protocol.guest import PowerAction, SessionKind, SessionRequest
from nexus.protocol.machines import DiskRole, ExitReason, GuestSpec

pytestmark = pytest.mark.vm
IN_TIME_S = 60
"""Two as a rule; an init that waits for the agent to end takes 90."""


@pytest.fixture(scope="module")
def systemd(built_images: images.Store, guest_init: Path) -> ImageSet:
    """The default kernel and initramfs with the systemd root file system, made by its recipe."""
    store = built_images
    recipes = ("kernel", "initramfs", "systemd")
    images.build(out=store.root, cache=store.root.parent / "cache", guest_init=guest_init, recipe_names=recipes)
    rootfs = next(image for image in store.images() if image.recipe == "systemd")
    return ImageSet(store.root, store.default("kernel").sha256, store.default("initramfs").sha256, rootfs.sha256)


async def test_systemd_under_memory_pressure_keeps_its_agent_and_powers_off_in_time(
    systemd: ImageSet, built_images: images.Store, short_tmp: Path
) -> None:
    async with booted(short_tmp, built_images, systemd, memory_mib=384) as guest:
        await running(guest)
        agent = (await guest.run("pgrep", "-x", "nexus-agent")).out
        hog = "echo $$ > /sys/fs/cgroup/init.scope/cgroup.procs && exec perl -e '@x = map { q(a) x (1<<20) } 1..900'"
        assert (await guest.run("sh", "-c", hog)).exit.signal == 9

        async def systemd_noticed() -> bool:
            return "init.scope: A process of this unit has been killed by the OOM" in await journal(guest)

        await holds(systemd_noticed)
        assert (await guest.run("pgrep", "-x", "nexus-agent")).out == agent
        assert (await guest.run("cat", f"/proc/{int(agent)}/cgroup")).out == b"0::/nexus\n"
        assert (await guest.run("cat", "/proc/self/oom_score_adj")).out == b"0\n"
        shell = SessionRequest(kind=SessionKind.PTY, argv=("bash", "-c", "trap '' TERM; sleep 600"))
        await guest.client.open_session(shell)
        await guest.client.power(PowerAction.POWEROFF)
        took = await guest.wait_off(within_s=80)
        print(f"\nsystemd went off in {took:.1f} s")
        assert took <= IN_TIME_S
        await ended_in_order(guest, ExitReason.GUEST_SHUTDOWN)


async def test_busybox_powers_off_in_order(built_images: images.Store, short_tmp: Path) -> None:
    async with booted(short_tmp, built_images, built(built_images)) as guest:
        await guest.run("sh", "-c", "echo kept > /root/file")
        await guest.client.power(PowerAction.POWEROFF)
        took = await guest.wait_off(within_s=80)
        print(f"\nbusybox went off in {took:.1f} s")
        assert took <= IN_TIME_S
        await ended_in_order(guest, ExitReason.GUEST_SHUTDOWN)


async def test_a_reboot_is_told_from_a_power_off(built_images: images.Store, short_tmp: Path) -> None:
    async with booted(short_tmp, built_images, built(built_images)) as guest:
        await guest.client.power(PowerAction.REBOOT)
        await guest.wait_off(within_s=80)
        await ended_in_order(guest, ExitReason.GUEST_REBOOT)


async def test_an_init_that_does_not_finish_is_overruled(built_images: images.Store, short_tmp: Path) -> None:
    async with booted(short_tmp, built_images, built(built_images)) as guest:
        stubborn = "echo '::shutdown:/bin/busybox sleep 600' >> /etc/inittab; kill -HUP 1"
        assert (await guest.run("sh", "-c", stubborn)).exit.code == 0
        await guest.client.power(PowerAction.POWEROFF, force_after_ms=3000)
        took = await guest.wait_off(within_s=80)
        assert 2.5 < took < IN_TIME_S
        await ended_in_order(guest, ExitReason.GUEST_SHUTDOWN)


async def test_a_root_without_an_init_says_so_and_powers_off(built_images: images.Store, short_tmp: Path) -> None:
    using = built(built_images)
    lost = GuestSpec(hostname="web-1", init="/sbin/nothing")
    with pytest.raises(AssertionError, match="the root file system has no /sbin/nothing") as failed:
        async with booted(short_tmp, built_images, using, guest=lost):
            pass
    assert "powering off" in str(failed.value)


async def journal(guest: Guest) -> str:
    return (await guest.run("journalctl", "-b", "--no-pager")).out.decode(errors="replace")


async def running(guest: Guest) -> None:
    """Until systemd has started everything."""

    async def is_running() -> bool:
        ran = await guest.run("systemctl", "is-system-running", timeout_ms=5000)
        return ran.out.strip() in (b"running", b"degraded")

    await holds(is_running, within_s=120)


async def ended_in_order(guest: Guest, reason: ExitReason) -> None:
    """The VMM knows why, and the writable disk was unmounted cleanly."""
    ended = (await guest.vmm.observe(guest.spec.id)).exit
    assert ended is not None
    assert ended.reason is reason
    overlay = next(disk for disk in guest.spec.disks if disk.role is DiskRole.OVERLAY)
    path = guest.root / "machines" / str(guest.spec.id) / "disks" / f"{overlay.id}.img"
    superblock = await asyncio.to_thread(
        subprocess.run, ["dumpe2fs", "-h", str(path)], capture_output=True, text=True, check=True
    )
    assert "needs_recovery" not in superblock.stdout
