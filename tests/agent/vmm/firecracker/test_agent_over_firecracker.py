"""A whole agent over Firecracker (stand-ins), in a network namespace: a machine's life, with the host's own network."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.agent.net.test_bridge import Namespace

pytestmark = [
    pytest.mark.net,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make jails and namespaces"),
]
SCRIPT = """
import asyncio, json, subprocess, sys, time
from pathlib import Path
from nexus.agent import wiring
from nexus.agent.machines import awaking
from nexus.agent.vmm import choose
from nexus.kit.ids import new_id
from nexus.protocol.limits import RateLimiter, TokenBucket
from nexus.protocol.machines import Power, RestoreSpec
from nexus.protocol.snapshots import SnapshotSeen, SnapshotState, SnapshotWish
from nexus.protocol.taps import tap_name
from tests.agent.lab import agent_here, agent_settings, is_off, is_ready, machine_spec, random_images
from tests.agent.vmm.firecracker.lab import Place

async def with_kvm(settings, *, host_boot_id):
    return None

async def clone_of(spec, clone, client, agent, told):
    # a clone that comes up, answers, and outlives its snapshot
    snapshot = new_id()
    while True:
        path = f"/v1/machines/{spec.id}/snapshots/{snapshot}"
        answer = await client.http.put(path, content=SnapshotWish().model_dump_json())
        seen = SnapshotSeen.model_validate_json(answer.content)
        if seen.state is not SnapshotState.TAKING:
            break
        await asyncio.sleep(0.02)
    pins = seen.pins
    told["snapshot"] = seen.state, seen.fault, seen.warning, seen.is_consistent, pins.version, pins.devices[-1]
    become = awaking.become
    wire = tap_name(clone.nics[0].id)

    async def watched(*args, **kwargs):
        told["linked before it is told"] = links()[wire]["operstate"]
        return await become(*args, **kwargs)

    awaking.become = watched
    seen = await client.boot(clone.model_copy(update={"restore": RestoreSpec(snapshot=snapshot, boot=1)}))
    told["clone"] = seen.power, list(seen.warnings)
    async with asyncio.timeout(60):
        while links()[wire]["operstate"] != "UP":
            await asyncio.sleep(0.02)
    told["deleted"] = (await client.http.delete(f"/v1/snapshots/{snapshot}")).status_code
    told["clone's sessions"] = (await client.http.get(f"/v1/machines/{clone.id}/guest/sessions")).status_code
    await client.discard(clone.id)
    await client.until(clone.id, lambda seen: seen.power is Power.ABSENT)

def links():
    listed = subprocess.run(["ip", "-j", "-d", "link"], capture_output=True, check=True, text=True).stdout
    return {each["ifname"]: each for each in json.loads(listed)}

async def main(root):
    place = Place(root, is_jailed=True)
    place.driver()  # installs the stand-ins
    choose.firecracker_kvm_refusal = with_kvm
    wiring.Cgroups = lambda: place.groups()
    settings = agent_settings(
        root, vmm="firecracker", network="bridge", user_net_restrict=False, image_seed=root / "images",
        firecracker=root / "bin/firecracker", jailer=root / "bin/jailer", spare_vmms=1, accel="auto",
    )
    using = random_images(root / "images")
    spec = machine_spec(using)
    limits = RateLimiter(bandwidth=TokenBucket(size=1 << 20, refill_time=1000))
    nic = spec.nics[0].model_copy(update={"rx_rate_limiter": limits})
    spec = spec.model_copy(update={"nics": (nic,)})
    tap, told = tap_name(nic.id), {}

    async with agent_here(settings) as (client, agent):
        told["host"] = (await client.http.get("/v1/host")).json()
        await client.boot(spec)
        told["wire"] = links()[tap]["linkinfo"]["info_kind"], links()[tap]["master"]
        told["shaped"] = subprocess.run(["tc", "qdisc", "show", "dev", tap], capture_output=True, text=True).stdout
        told["metrics"] = (await client.http.get(f"/v1/machines/{spec.id}/metrics")).status_code
        await clone_of(spec, machine_spec(using, number=2), client, agent, told)
        await client.power(spec.id, Power.PAUSED, boot=1)
        await client.until(spec.id, lambda seen: seen.power is Power.PAUSED)
    async with agent_here(settings) as (client, agent):
        told["adopted"] = (await client.seen(spec.id)).power
        await client.power(spec.id, Power.ON, boot=1)
        await client.until(spec.id, lambda seen: seen.power is Power.ON and is_ready(seen))
        await client.power(spec.id, Power.OFF, boot=1, grace_s=60)
        told["off"] = (await client.until(spec.id, is_off)).exit.why
        await client.power(spec.id, Power.ON, boot=2)
        told["again"] = (await client.until(spec.id, is_ready)).boot
        told["console"] = (root / "agent/machines" / str(spec.id) / "console.log").read_text()
        await client.discard(spec.id)
        await client.until(spec.id, lambda seen: seen.power is Power.ABSENT)
    deadline = time.monotonic() + 60  # the kernel takes the namespaces of drained spares apart in its own time
    while len(links()) > 1 and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    told["links"] = sorted(links())
    told["left"] = sorted(str(path.relative_to(root / "agent")) for path in (root / "agent/jails").rglob("*"))
    told["homes"] = sorted(path.name for path in (root / "agent/machines").iterdir())
    print(json.dumps(told))

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    made = Namespace()
    subprocess.run(["ip", "netns", "add", made.name], check=True)
    made.run("ip", "link", "set", "lo", "up")
    yield made
    subprocess.run(["ip", "netns", "delete", made.name], check=True)


def test_a_machine_lives_and_leaves_nothing(namespace: Namespace, short_tmp: Path) -> None:
    done = subprocess.run(
        [*namespace.prefix, sys.executable, "-c", SCRIPT, str(short_tmp)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
    )
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["host"]["vmm"], told["host"]["acceleration"]) == ("firecracker", "kvm")
    assert told["wire"] == ["veth", "nxtest0"]
    assert "tbf" in told["shaped"]
    assert told["metrics"] == 200
    assert told["snapshot"] == ["ready", None, None, True, "1.16.1", "an interface"]
    assert told["linked before it is told"] in ("DOWN", "LOWERLAYERDOWN")
    assert told["clone"] == ["on", []]
    assert (told["deleted"], told["clone's sessions"]) == (200, 200)
    assert told["adopted"] == "paused"
    assert told["off"] == "The guest shut down as asked."
    assert told["again"] == 2
    assert told["console"].count("Linux version") == 2
    assert told["links"] == ["lo"]
    assert told["left"] == ["jails/firecracker"]
    assert told["homes"] == []
