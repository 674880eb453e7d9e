"""Firecracker's network namespaces under the host's own network, in a namespace of the test's: devices, rules and the
way of a frame."""

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
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network namespace"),
]
SCRIPT = """
import asyncio, json, os, subprocess, sys, time
from dataclasses import replace
from pathlib import Path
from nexus.agent.net.choose import choose_network
from nexus.protocol.taps import tap_name
from nexus.agent.vmm.port import Nic
from nexus.protocol.machines import Power
from tests.agent.lab import ImageSet, machine_spec
from tests.agent.vmm.firecracker.lab import Place

def links(*prefix):
    listed = subprocess.run([*prefix, "ip", "-j", "link"], capture_output=True, check=True, text=True).stdout
    return {each["ifname"]: each for each in json.loads(listed)}

async def main(root):
    network = await choose_network(wanted="bridge", restrict=True, default_bridge="fcbr0")
    place = Place(root, is_jailed=True)
    vmm = place.driver()
    nics = [machine_spec(ImageSet(root, "0" * 64, "1" * 64, "2" * 64), number=n).nics[0] for n in (1, 2)]
    definition = place.definition(nics=tuple(Nic(nic.mac, tap_name(nic.id)) for nic in nics))
    told = {}
    for launch in (1, 2):
        await vmm.ensure_wires(definition.id, tuple(tap_name(nic.id) for nic in nics))
        for nic in nics:
            await network.ensure(nic, uid=64_000_001)
        await vmm.start(definition, launch=launch)
        state = await vmm.observe(definition.id)
        inside = ("nsenter", f"--net=/proc/{state.pid}/ns/net")
        told[f"launch {launch}"] = {
            "host": {name: links()[name].get("master") for name in (tap_name(nic.id) for nic in nics)},
            "kinds": sorted({json.loads(subprocess.run(["ip", "-j", "-d", "link", "show", tap_name(nic.id)],
                            capture_output=True, text=True).stdout)[0]["linkinfo"]["info_kind"] for nic in nics}),
            "inside": sorted(links(*inside)),
            "counters": [(await network.counters(nic.id)) is not None for nic in nics],
        }
        if launch == 1:
            await vmm.close()
            vmm = place.driver()
            await vmm.adopt(definition.id)
        await vmm.stop(definition.id)
    deadline = time.monotonic() + 60  # the kernel takes a namespace apart in its own time
    while tap_name(nics[0].id) in links() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    told["after"] = sorted(links())
    await vmm.discard(definition.id)
    for nic in nics:
        await network.discard(nic.id)
    await vmm.close()
    told["end"] = sorted(links())
    told["mounts"] = Path("/proc/self/mounts").read_text().count(str(root))
    told["leftovers"] = sorted(place.leftovers())
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


def test_wires_take_their_place_under_the_hosts_network_and_go_with_the_vmm(
    namespace: Namespace, short_tmp: Path
) -> None:
    done = subprocess.run(
        [*namespace.prefix, sys.executable, "-c", SCRIPT, str(short_tmp)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    for launch in ("launch 1", "launch 2"):
        assert set(told[launch]["host"].values()) == {"nxtest0"}
        assert told[launch]["kinds"] == ["veth"]
        assert told[launch]["inside"] == ["br0", "br1", "lo", "tap0", "tap1", "up0", "up1"]
        assert told[launch]["counters"] == [True, True]
    assert told["end"] == ["lo"]
    assert (told["mounts"], told["leftovers"]) == (0, [])
