"""Links of machines that go on from a snapshot, in a network namespace of the test's: down until they are to be up."""

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
import asyncio, json, subprocess, sys
from pathlib import Path
from nexus.agent.vmm.port import Nic
from tests.agent.vmm.firecracker.lab import Place

TAPS = ("nxone", "nxtwo")

def run(*words):
    return subprocess.run(words, capture_output=True, check=True, text=True).stdout

async def main(root, is_jailed):
    place = Place(root, is_jailed=is_jailed)
    vmm = place.driver()
    nics = tuple(Nic(f"02:00:00:00:00:0{n}", tap) for n, tap in enumerate(TAPS))
    definition = place.definition(nics=nics)
    for tap in () if is_jailed else TAPS:
        run("ip", "tuntap", "add", "dev", tap, "mode", "tap")
        run("ip", "link", "set", tap, "up")
    told, source = {}, root / "snapshot"
    source.mkdir()

    async def look(stage):
        inside = ("nsenter", f"--net=/proc/{(await vmm.observe(definition.id)).pid}/ns/net") if is_jailed else ()
        found = {each["ifname"]: each for each in json.loads(run(*inside, "ip", "-j", "link"))}
        names = ("up0", "up1") if is_jailed else TAPS
        told[stage] = ["UP" in found[name]["flags"] for name in names]

    await vmm.start(definition, launch=1)
    await look("booted")
    await vmm.pause(definition.id)
    devices = await vmm.save(definition.id, source)
    for launch, is_linked in ((2, True), (3, False)):
        await vmm.stop(definition.id)
        await vmm.restore(definition, launch=launch, source=source, devices=devices, is_linked=is_linked)
        await look(f"linked {is_linked}")
    await vmm.close()
    vmm = place.driver()
    await vmm.adopt(definition.id)
    await look("adopted")
    for _ in range(2):
        await vmm.connect(definition.id)
    await look("connected")
    await vmm.discard(definition.id)
    await vmm.close()
    told["leftovers"] = sorted(place.leftovers())
    print(json.dumps(told))

asyncio.run(main(Path(sys.argv[1]), sys.argv[2] == "jailed"))
"""


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    made = Namespace()
    subprocess.run(["ip", "netns", "add", made.name], check=True)
    yield made
    subprocess.run(["ip", "netns", "delete", made.name], check=True)


@pytest.mark.parametrize("kind", ["jailed", "unjailed"])
def test_a_machine_that_is_not_to_be_met_yet_has_no_link_until_it_is_connected(
    namespace: Namespace, short_tmp: Path, kind: str
) -> None:
    done = subprocess.run(
        [*namespace.prefix, sys.executable, "-c", SCRIPT, str(short_tmp), kind],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "booted": [True, True],
        "linked True": [True, True],
        "linked False": [False, False],
        "adopted": [False, False],
        "connected": [True, True],
        "leftovers": [],
    }
