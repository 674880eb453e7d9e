"""What a real guest does for a snapshot of its disks, and after its restore: here it goes on without one, for all that
it is told must come true on a running machine as well."""

import asyncio
import time
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest
from tests.agent.guest.conftest import Guest, booted, holds
from tests.agent.lab import built

from nexus.agent.guest.becoming import become
from nexus.agent.guest.client import GuestClient
from nexus.agent.guest.snapshotting import frozen
from nexus.kit.clock import SystemClock
from nexus.local import images
from nexus.protocol.guest import (
    GuestAccount,
    GuestConfig,
    GuestNic,
    IdentityReason,
    IdentityRequest,
    MountSpec,
    SessionKind,
    SessionRequest,
)
from nexus.protocol.trouble import Gone, Refused

pytestmark = pytest.mark.vm
HOOKS = "/etc/nexus/clone.d"
PROBES = """
hostname; cat /etc/hostname /etc/machine-id /var/lib/dbus/machine-id /proc/sys/kernel/random/boot_id
cat /sys/class/net/eth0/address; ip -4 -o addr show eth0 | awk '{print $4}'; ip route | grep default
cat /root/hooked; head -c 16 /dev/urandom | od -An -tx1
ls /etc/dropbear /var/lib/dhcp
"""


HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
SHOWN_KEY = "ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null | grep ssh-ed25519"
CONNECTED = """
import socket

def tell(what):
    with open("/root/told", "w") as told:
        print(what, file=told)

def connected(host):
    listening = socket.create_server((host, 0))
    ours = socket.create_connection(listening.getsockname())
    return ours, listening.accept()[0]

out, _other = connected("10.0.2.15")
inside, peer = connected("127.0.0.1")
tell("connected")
try:
    out.recv(1)
    how = "ended"
except ConnectionError:
    how = "reset"
inside.send(b"whole")
tell(f"{how}, inside {peer.recv(5).decode()}")
"""


async def text(guest: Guest, script: str) -> str:
    ran = await guest.run("sh", "-c", script)
    return ran.out.decode()


def config(number: int) -> GuestConfig:
    """The machine that the guest becomes."""
    return GuestConfig(
        root=MountSpec(device="/dev/vda", fs="squashfs", read_only=True),
        overlay=MountSpec(device="/dev/vdb", fs="ext4"),
        hostname=f"clone-{number}",
        machine_id=f"{number:032x}",
        user=GuestAccount(name="root", password_hash=f"$6$clone${number}"),
        nics=(
            GuestNic(
                mac=f"02:00:00:00:01:{number:02x}",
                address=IPv4Interface(f"10.0.2.{20 + number}/24"),
                gateway=IPv4Address("10.0.2.2"),
            ),
        ),
        dns=(IPv4Address("10.0.2.3"),),
    )


async def test_writes_wait_while_the_file_systems_are_frozen_and_go_on_afterwards(guest: Guest) -> None:
    async with frozen(guest.client, hold_ms=60_000) as hold:
        assert (hold.is_consistent, hold.warning) == (True, None)
        script = "echo written > /root/frozen && cat /root/frozen"
        session = await guest.client.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("sh", "-c", script)))
        assert await text(guest, "cat /etc/hostname") == "web-1\n"
        assert [seen.exit for seen in await guest.client.sessions() if seen.id == session] == [None]
    assert hold.is_consistent

    async def is_written() -> bool:
        return any(seen.id == session and seen.exit is not None for seen in await guest.client.sessions())

    await holds(is_written, within_s=60)
    assert await text(guest, "cat /root/frozen") == "written\n"


async def test_a_guest_that_nobody_thaws_goes_on_and_the_host_learns_of_it(guest: Guest) -> None:
    async with frozen(guest.client, hold_ms=200) as hold:
        assert await text(guest, "echo late > /root/late && cat /root/late") == "late\n"
    assert not hold.is_consistent
    assert hold.warning is not None
    assert "not frozen to the end" in hold.warning


async def test_freezing_again_holds_from_then_on_and_thawing_again_does_nothing(guest: Guest) -> None:
    assert (await guest.client.freeze(hold_ms=10_000)).frozen == ("/",)
    assert (await guest.client.freeze(hold_ms=20_000)).frozen == ("/",)
    assert await guest.client.thaw()
    assert not await guest.client.thaw()


async def test_a_guest_without_an_agent_is_no_obstacle_to_a_snapshot(guest: Guest) -> None:
    async with GuestClient(guest.root / "nobody.sock") as silent, frozen(silent) as hold:
        assert not hold.is_consistent
    assert hold.warning == "The guest's file systems were not frozen: the guest's agent is not there."


async def test_the_guest_says_what_is_wrong_with_a_request(guest: Guest) -> None:
    for update, why in (
        ({"config": None}, "a clone needs a configuration"),
        ({"entropy": "AAAA"}, "entropy is 32 to 512 bytes"),
    ):
        good = IdentityRequest(reason=IdentityReason.CLONE, config=config(1), entropy="A" * 64, time_unix_ms=0)
        with pytest.raises(Refused, match=why):
            await guest.client.become(good.model_copy(update=update))
    assert await text(guest, "hostname") == "web-1\n"


async def test_a_guest_that_goes_back_stays_who_it_is_and_knows_the_time(guest: Guest) -> None:
    await write_hook(
        guest, "gone-back", 'echo "$NEXUS_REASON $NEXUS_HOSTNAME $NEXUS_FORMER_HOSTNAME" > /root/gone-back'
    )
    session = await guest.client.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("sleep", "600")))
    await guest.client.set_time(86_400_000)
    warnings = await restored(guest, None)
    assert warnings == ()
    assert abs(await clock_error_s(guest)) < 30
    assert await text(guest, "cat /root/gone-back; hostname; cat /etc/machine-id") == (
        f"rollback web-1 web-1\nweb-1\n{guest.spec.id.hex}\n"
    )
    assert [seen.exit for seen in await guest.client.sessions() if seen.id == session] == [None]
    await guest.client.delete_session(session)
    await text(guest, f"rm {HOOKS}/gone-back")


async def test_a_clone_is_another_machine_in_everything(guest: Guest) -> None:
    """Last in this module: the guest is somebody else afterwards."""
    await text(
        guest,
        "mkdir -p /var/lib/dbus /var/lib/dhcp; cp /etc/machine-id /var/lib/dbus/; echo > /var/lib/dhcp/dhclient.leases;"
        "echo '10.0.0.5 web-1' >> /etc/hosts; sed -i 's/^::1.*/::1 localhost web-1/' /etc/hosts;"
        "echo key > /etc/dropbear/dropbear_ed25519_host_key; ip addr add 10.0.2.77/24 dev eth0",
    )
    await write_hook(guest, "10-seed", "head -c 8 /dev/urandom | od -An -tx1 > /root/hooked; env > /root/environment")
    await write_hook(guest, "20-fails", "exit 3")
    dropbear = await server(guest)
    former = (await text(guest, PROBES)).splitlines()
    session = await guest.client.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("sleep", "600")))
    await connect(guest)
    await guest.client.freeze(hold_ms=60_000)

    for number in (1, 2):
        warnings = await restored(guest, config(number))
        assert warnings == (f"hook {HOOKS}/20-fails: ended with 3",)
        assert (await guest.client.health()).warnings == warnings
        name, file_name, machine, bus, boot, mac, address, route, hooked, random, *left = (
            await text(guest, PROBES)
        ).splitlines()
        assert (name, file_name, machine, bus) == (f"clone-{number}",) * 2 + (f"{number:032x}",) * 2
        assert (mac, address) == (f"02:00:00:00:01:{number:02x}", f"10.0.2.{20 + number}/24")
        assert route.strip() == "default via 10.0.2.2 dev eth0"
        assert not {boot, hooked, random} & set(former)
        assert [line for line in left if line] == ["/etc/dropbear:", "/var/lib/dhcp:"]
        former += [boot, hooked, random]

    assert session not in {seen.id for seen in await guest.client.sessions()}
    with pytest.raises(Gone):
        await guest.client.signal(session, 15)
    hosts = await text(guest, "cat /etc/hosts")
    assert hosts.splitlines() == ["127.0.0.1\tlocalhost", "::1\tlocalhost", "10.0.0.5 web-1", "127.0.1.1\tclone-2"]
    assert "root:$6$clone$2:" in await text(guest, "cat /etc/shadow")
    said = (await text(guest, "cat /root/environment")).splitlines()
    assert {"NEXUS_REASON=clone", "NEXUS_FORMER_HOSTNAME=clone-1", "NEXUS_HOSTNAME=clone-2"} <= set(said)
    assert abs(await clock_error_s(guest)) < 30

    async def serves_anew() -> bool:
        return await text(guest, "pidof dropbear") not in ("", dropbear)

    await holds(serves_anew, within_s=60)

    async def is_told() -> bool:
        return await text(guest, "cat /root/told") in ("reset, inside whole\n", "ended, inside whole\n")

    await holds(is_told, within_s=60)


async def test_openssh_has_new_host_keys_and_shows_them(
    systemd_image: images.Image, built_images: images.Store, short_tmp: Path
) -> None:
    using = replace(built(built_images), rootfs=systemd_image.sha256)
    async with booted(short_tmp, built_images, using, memory_mib=384) as guest:

        async def serves() -> bool:
            return "ssh-ed25519" in await text(guest, f"{SHOWN_KEY} || sleep 1")

        await holds(serves, within_s=180)
        before = await text(guest, f"cut -d' ' -f2 {HOST_KEY}.pub; cat /etc/machine-id")
        shown = await text(guest, SHOWN_KEY)
        warnings = await restored(guest, config(3))
        assert warnings == ()
        after = await text(guest, f"cut -d' ' -f2 {HOST_KEY}.pub; cat /etc/machine-id")
        assert not set(after.splitlines()) & set(before.splitlines())
        assert after.splitlines()[1] == f"{3:032x}"
        assert await text(guest, "cat /var/lib/dbus/machine-id") in (f"{3:032x}\n", "")

        async def shows_the_new() -> bool:
            now = await text(guest, SHOWN_KEY)
            return after.splitlines()[0] in now and now != shown

        await holds(shows_the_new, within_s=60)
        assert await text(guest, "systemctl is-active ssh") == "active\n"


async def connect(guest: Guest) -> None:
    """Two connections of a program that outlives its session: one under the guest's own address, one on loopback."""
    await text(
        guest, f"cat > /root/connected.py <<'EOF'\n{CONNECTED}EOF\nsetsid python3 /root/connected.py < /dev/null &"
    )

    async def is_connected() -> bool:
        return await text(guest, "cat /root/told") == "connected\n"

    await holds(is_connected, within_s=60)


async def server(guest: Guest) -> str:
    """The SSH server's process, once it runs."""

    async def runs() -> bool:
        return await text(guest, "pidof dropbear") != ""

    await holds(runs, within_s=60)
    return await text(guest, "pidof dropbear")


async def restored(guest: Guest, config: GuestConfig | None) -> tuple[str, ...]:
    """Tell the guest that it is the machine of `config`, or the one it was."""
    reason = IdentityReason.ROLLBACK if config is None else IdentityReason.CLONE
    async with GuestClient(guest.channel.socket, timeout_s=120) as patient:
        return await become(patient, reason=reason, config=config, clock=SystemClock())


async def write_hook(guest: Guest, name: str, script: str) -> None:
    await text(
        guest, f"mkdir -p {HOOKS}; cat > {HOOKS}/{name} <<'EOF'\n#!/bin/sh\n{script}\nEOF\nchmod +x {HOOKS}/{name}"
    )


async def clock_error_s(guest: Guest) -> float:
    """How far the guest's clock is off, of what running a program takes at most."""
    before = time.time()
    there = float(await text(guest, "cut -d. -f1 /proc/uptime >/dev/null; date +%s"))
    await asyncio.sleep(0)
    return there - before
