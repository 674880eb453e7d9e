"""Several machines begun from one snapshot of a real guest: none of them is another, nor the original, in anything.

NEXUS_TEST_CLONES says how many.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from tests.agent.lab import PATIENCE_S, AgentClient, AgentProcess, built, is_off, machine_spec
from websockets.asyncio.client import unix_connect

from nexus.kit.ids import new_id
from nexus.local import images
from nexus.protocol.guest import FRAME_TYPES, Frame
from nexus.protocol.machines import GuestSpec, MachineSpec, Power, RestoreSpec
from nexus.protocol.snapshots import SnapshotSeen, SnapshotState, SnapshotWish

pytestmark = pytest.mark.vm
CLONES = int(os.environ.get("NEXUS_TEST_CLONES", "3"))
PREPARE = r"""
mkdir -p /etc/nexus/clone.d /var/lib/dbus /var/lib/dhcp
cp /etc/machine-id /var/lib/dbus/machine-id
echo lease > /var/lib/dhcp/dhclient.eth0.leases
echo key of the original > /etc/dropbear/dropbear_ed25519_host_key
printf '#!/bin/sh\nkill -HUP $(cat /run/generator)\n' > /etc/nexus/clone.d/50-generator
chmod +x /etc/nexus/clone.d/50-generator
cat > /root/generator.py <<'END'
import os, random, signal

def seed(*_):
    random.seed(os.urandom(16))

def draw(*_):
    with open("/root/drawn.new", "w") as drawn:
        drawn.write(f"{random.getrandbits(64):x}\n")
    os.rename("/root/drawn.new", "/root/drawn")

seed()
signal.signal(signal.SIGHUP, seed)
signal.signal(signal.SIGUSR1, draw)
with open("/run/generator", "w") as pid:
    pid.write(str(os.getpid()))
while True:
    signal.pause()
END
setsid python3 /root/generator.py < /dev/null > /dev/null 2>&1 &
while ! test -s /run/generator; do sleep 0.1; done
date -s '2020-01-01 00:00:00' > /dev/null
"""
PROBE = r"""
import glob, json, os, signal, subprocess, time

def read(path):
    with open(path) as file:
        return file.read().strip()

os.kill(int(read("/run/generator")), signal.SIGUSR1)
while not os.path.exists("/root/drawn"):
    time.sleep(0.05)
ip = lambda *words: subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout
print(json.dumps({
    "hostname": os.uname().nodename,
    "hosts": read("/etc/hosts"),
    "machine id": read("/etc/machine-id"),
    "D-Bus id": read("/var/lib/dbus/machine-id"),
    "boot id": read("/proc/sys/kernel/random/boot_id"),
    "host keys": [read(key) for key in glob.glob("/etc/dropbear/*ed25519*")],
    "MAC": read("/sys/class/net/eth0/address"),
    "addresses": [line.split()[3] for line in ip("-4", "-o", "addr", "show", "eth0").splitlines()],
    "default route": ip("route", "show", "default").split()[2],
    "kernel's generator": os.urandom(16).hex(),
    "program's generator": read("/root/drawn"),
    "leases": glob.glob("/var/lib/dhcp/*"),
}))
"""
CLOCK = "import os, time\nwhile os.read(0, 1): os.write(1, str(time.time()).encode())"
DIFFERENT = ("hostname", "machine id", "D-Bus id", "boot id", "MAC", "kernel's generator", "program's generator")


class Lab:
    """An agent with a guest that was prepared."""

    def __init__(self, process: AgentProcess, agent: AgentClient, spec: MachineSpec) -> None:
        self._process = process
        self.agent = agent
        self.spec = spec

    async def run(self, machine: UUID, *argv: str) -> str:
        session = await self.agent.run(machine, *argv)
        path = f"ws://agent/v1/machines/{machine}/guest/sessions/{session}/stream?offset=0"
        output = b""
        async with unix_connect(str(self._process.socket), path) as stream:
            async for message in stream:
                assert isinstance(message, bytes)
                if message[0] == FRAME_TYPES[Frame.EXIT]:
                    assert json.loads(message[1:])["code"] == 0, output
                    return output.decode()
                output += message[1:]
        raise AssertionError(f"the stream ended without an exit frame, after {output!r}")

    async def clock_off_s(self, machine: UUID) -> float:
        """How far the guest's clock is off, by the quickest of a few answers, within half of its way there and back."""
        session = await self.agent.run(machine, "python3", "-c", CLOCK)
        path = f"ws://agent/v1/machines/{machine}/guest/sessions/{session}/stream?offset=0"
        answers: list[tuple[float, float]] = []
        async with unix_connect(str(self._process.socket), path) as stream:
            for _ in range(10):
                before = time.time()
                await stream.send(bytes([FRAME_TYPES[Frame.INPUT]]) + b"\n")
                message = await stream.recv()
                after = time.time()
                assert isinstance(message, bytes)
                answers.append((after - before, abs(float(message[1:]) - (before + after) / 2)))
        return min(answers)[1]

    async def snapshot(self) -> UUID:
        snapshot = new_id()
        path = f"/v1/machines/{self.spec.id}/snapshots/{snapshot}"
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = await self.agent.http.put(path, content=SnapshotWish().model_dump_json())
            assert answer.status_code == 200, answer.text
            seen = SnapshotSeen.model_validate_json(answer.content)
            if seen.state is not SnapshotState.TAKING:
                assert (seen.state, seen.is_consistent, seen.has_memory) == (SnapshotState.READY, True, True), seen
                return snapshot
            assert time.monotonic() < deadline, seen
            await asyncio.sleep(0.02)

    async def clone(self, number: int, snapshot: UUID) -> dict[str, object]:
        """What a machine begun from it says of itself."""
        fresh = machine_spec_like(self.spec, number=number)
        seen = await self.agent.boot(fresh.model_copy(update={"restore": RestoreSpec(snapshot=snapshot, boot=1)}))
        assert seen.warnings == ()
        off_s = await self.clock_off_s(fresh.id)
        said = json.loads(await self.run(fresh.id, "python3", "-c", PROBE))
        assert (said["hostname"], said["machine id"], said["D-Bus id"]) == (
            f"guest-{number}",
            fresh.id.hex,
            fresh.id.hex,
        )
        assert said["MAC"] == fresh.nics[0].mac
        return said | {"off_s": off_s}


def machine_spec_like(spec: MachineSpec, *, number: int) -> MachineSpec:
    """Another machine of the same shape."""
    return spec.model_copy(
        update={
            "id": new_id(),
            "disks": tuple(disk.model_copy(update={"id": new_id()}) for disk in spec.disks),
            "nics": tuple(
                nic.model_copy(update={"id": new_id(), "mac": f"02:00:00:00:00:{number:02x}"}) for nic in spec.nics
            ),
            "guest": GuestSpec(hostname=f"guest-{number}"),
        }
    )


@pytest.fixture
async def lab(short_tmp: Path, built_images: images.Store) -> AsyncIterator[Lab]:
    using = built(built_images)
    process = AgentProcess(short_tmp, AGENT_IMAGE_SEED=str(using.directory))
    agent = await process.start()
    spec = machine_spec(using)
    await agent.boot(spec)
    lab = Lab(process, agent, spec)
    await lab.run(spec.id, "sh", "-c", PREPARE)
    yield lab
    for seen in (await agent.http.get("/v1/machines")).json()["items"]:
        assert (await agent.discard(UUID(seen["id"]))).power is Power.ABSENT
    process.kill()


async def test_clones_of_one_snapshot_are_different_machines(lab: Lab) -> None:
    snapshot = await lab.snapshot()
    original = json.loads(await lab.run(lab.spec.id, "python3", "-c", PROBE))
    assert original["leases"] == ["/var/lib/dhcp/dhclient.eth0.leases"]
    await lab.agent.power(lab.spec.id, Power.OFF, boot=1, grace_s=0)
    await lab.agent.until(lab.spec.id, is_off)

    clones = await asyncio.gather(*(lab.clone(number, snapshot) for number in range(2, 2 + CLONES)))
    for probe in DIFFERENT:
        assert len({original[probe], *(clone[probe] for clone in clones)}) == 1 + CLONES, probe
    for clone in clones:
        assert clone["host keys"] == []
        assert clone["leases"] == []
        assert "guest-1" not in str(clone["hosts"]).split()
        assert (clone["addresses"], clone["default route"]) == (["10.0.2.15/24"], "10.0.2.2")
    off_s = [float(str(clone["off_s"])) for clone in clones]
    print(f"\nclocks off by {', '.join(f'{1000 * off:.0f} ms' for off in off_s)}")
    assert max(off_s) < 10
