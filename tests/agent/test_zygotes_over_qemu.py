"""Real guests that begin from a zygote: each is the machine it was told to be, and nothing is lost with a zygote."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.agent.lab import AgentClient, AgentProcess, ImageSet, built, eventually, machine_spec
from websockets.asyncio.client import unix_connect

from nexus.agent.vmm.process import ProcessId
from nexus.local import images
from nexus.protocol.guest import FRAME_TYPES, Frame
from nexus.protocol.machines import MachineSpec, Power

pytestmark = pytest.mark.vm
PROBE = """
import json, os, subprocess, time

def read(path):
    with open(path) as file:
        return file.read().strip()

with open("/root/file", "w") as file:
    file.write("written")
ip = lambda *words: subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout
print(json.dumps({
    "hostname": [os.uname().nodename, read("/etc/hostname")],
    "machine id": read("/etc/machine-id"),
    "boot id": read("/proc/sys/kernel/random/boot_id"),
    "random": os.urandom(16).hex(),
    "MAC": read("/sys/class/net/eth0/address"),
    "address": ip("-4", "-o", "addr", "show", "eth0").split()[3],
    "default route": ip("route", "show", "default").split()[2],
    "kernel arguments": read("/proc/cmdline"),
    "time": time.time(),
}))
"""


class Lab:
    """An agent that makes zygotes, and the place where it has them."""

    def __init__(self, process: AgentProcess, using: ImageSet) -> None:
        self.process = process
        self.using = using
        self.zygotes = process.root / "agent/zygotes"

    def made(self) -> int:
        """How many the agent has made so far."""
        return self.words().count("zygote_made")

    def being_made(self) -> list[dict[str, Any]]:
        """The records of VMMs that run for zygotes to come."""
        return [json.loads(path.read_text()) for path in self.zygotes.glob("machine/*/vmm.json")]

    def words(self) -> str:
        return (self.process.root / "agent.log").read_text()

    def has_begun_from_one(self, machine: UUID) -> bool:
        said = (json.loads(line) for line in self.words().splitlines() if "begun_from_zygote" in line)
        return any(line["machine_id"] == str(machine) for line in said)

    async def start(self, agent: AgentClient, number: int) -> MachineSpec:
        spec = machine_spec(self.using, number=number)
        await agent.boot(spec)
        return spec

    async def probe(self, agent: AgentClient, spec: MachineSpec) -> dict[str, object]:
        before = time.time()
        session = await agent.run(spec.id, "python3", "-c", PROBE)
        path = f"ws://agent/v1/machines/{spec.id}/guest/sessions/{session}/stream?offset=0"
        output = b""
        async with unix_connect(str(self.process.socket), path) as stream:
            async for message in stream:
                assert isinstance(message, bytes)
                if message[0] == FRAME_TYPES[Frame.EXIT]:
                    break
                output += message[1:]
        said: dict[str, object] = json.loads(output)
        assert before - 10 < float(str(said["time"])) < time.time() + 10
        return said


@pytest.fixture
async def lab(short_tmp: Path, built_images: images.Store) -> AsyncIterator[Lab]:
    using = built(built_images)
    process = AgentProcess(short_tmp, AGENT_IMAGE_SEED=str(using.directory), AGENT_ZYGOTES="1", AGENT_ACCEL="tcg")
    agent = await process.start()
    yield Lab(process, using)
    if process.has_ended():
        agent = await process.start()
    for seen in (await agent.http.get("/v1/machines")).json()["items"]:
        assert (await agent.discard(UUID(seen["id"]))).power is Power.ABSENT
    process.kill()


async def test_machines_from_a_zygote_are_their_own_and_outlive_it(lab: Lab) -> None:
    agent = lab.process.client
    cold = await lab.start(agent, 1)
    await eventually(lambda: lab.made() == 1)
    specs = await asyncio.gather(*(lab.start(agent, number) for number in (2, 3)))
    assert not lab.has_begun_from_one(cold.id)
    said = [await lab.probe(agent, spec) for spec in (cold, *specs)]
    for number, (spec, probes) in enumerate(zip((cold, *specs), said, strict=True), start=1):
        assert lab.has_begun_from_one(spec.id) is (number > 1)
        assert probes["hostname"] == [f"guest-{number}"] * 2
        assert (probes["machine id"], probes["MAC"]) == (spec.id.hex, spec.nics[0].mac)
        assert (probes["address"], probes["default route"]) == ("10.0.2.15/24", "10.0.2.2")
        assert probes["kernel arguments"] == said[0]["kernel arguments"]
    for probe in ("boot id", "random"):
        assert len({probes[probe] for probes in said}) == len(said), probe

    (zygote,) = lab.zygotes.glob("kept/*")
    for file in zygote.iterdir():
        file.write_bytes(b"not what it was")
    broken = await lab.start(agent, 4)
    assert "zygote_of_no_use" in lab.words()
    assert not lab.has_begun_from_one(broken.id)
    assert (await lab.probe(agent, broken))["hostname"] == ["guest-4"] * 2
    assert lab.words().count("begun_from_zygote") == 2


async def test_an_agent_that_is_killed_while_it_makes_one_leaves_nothing_at_its_next_start(lab: Lab) -> None:
    await lab.start(lab.process.client, 1)
    await eventually(lambda: any(record["pid"] for record in lab.being_made()))
    lab.process.kill()
    (record,) = lab.being_made()
    process = ProcessId(record["pid"], record["start_ticks"])
    assert process.is_alive()
    await lab.process.start()
    assert not process.is_alive()
    assert lab.being_made() == []
    assert not (lab.zygotes / "making").exists()
