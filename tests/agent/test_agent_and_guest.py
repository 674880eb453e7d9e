"""What the agent changes in a real guest while it runs, as the guest sees it: memory, metadata, user-data."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.agent.lab import PATIENCE_S, AgentClient, AgentProcess, ImageSet, built, is_ready, machine_spec
from websockets.asyncio.client import unix_connect

from nexus.local import images
from nexus.protocol.balloons import BalloonSeen
from nexus.protocol.guest import FRAME_TYPES, Frame
from nexus.protocol.machines import MachineSeen, MachineSpec, MetadataSpec, Power

pytestmark = pytest.mark.vm
URL = "http://169.254.169.254"
FETCH = """
import sys, urllib.error, urllib.request
method, url, *headers = sys.argv[1:]
request = urllib.request.Request(url, method=method, headers=dict(one.split("=", 1) for one in headers))
try:
    print(urllib.request.urlopen(request, timeout=20).read().decode(), end="")
except urllib.error.HTTPError as refused:
    print(refused.code, end="")
except urllib.error.URLError:
    print("unreachable", end="")
"""


class Lab:
    """One agent with one guest, whose definition is changed."""

    def __init__(self, process: AgentProcess, agent: AgentClient, spec: MachineSpec) -> None:
        self._process = process
        self.agent = agent
        self.spec = spec

    async def change(self, **fields: object) -> MachineSeen:
        """What is seen once the agent has applied what it can."""
        self.spec = self.spec.model_copy(update={"generation": self.spec.generation + 1, **fields})
        answer = await self.agent.define(self.spec)
        assert answer.status_code == 200, answer.text
        return await self.agent.until(self.spec.id, lambda seen: is_ready(seen) and not seen.is_applying)

    async def reboot(self, *, boot: int) -> None:
        await self.agent.power(self.spec.id, Power.ON, boot=boot, generation=self.spec.generation)
        await self.agent.until(self.spec.id, lambda seen: seen.boot == boot and is_ready(seen))

    async def run(self, *argv: str) -> str:
        session = await self.agent.run(self.spec.id, *argv)
        path = f"ws://agent/v1/machines/{self.spec.id}/guest/sessions/{session}/stream?offset=0"
        output = b""
        async with unix_connect(str(self._process.socket), path) as stream:
            async for message in stream:
                assert isinstance(message, bytes)
                if message[0] == FRAME_TYPES[Frame.EXIT]:
                    assert json.loads(message[1:])["code"] == 0, output
                    return output.decode()
                output += message[1:]
        raise AssertionError(f"the stream ended without an exit frame, after {output!r}")

    async def fetch(self, path: str, *headers: str, method: str = "GET") -> str:
        return await self.run("python3", "-c", FETCH, method, URL + path, *headers)

    async def balloon(self) -> BalloonSeen:
        answer = await self.agent.http.get(f"/v1/machines/{self.spec.id}/balloon")
        return BalloonSeen.model_validate_json(answer.content)

    async def free_kib(self) -> int:
        meminfo = await self.run("cat", "/proc/meminfo")
        return next(int(line.split()[1]) for line in meminfo.splitlines() if line.startswith("MemFree:"))

    async def rss_kib(self) -> int:
        answer = await self.agent.http.get(f"/v1/machines/{self.spec.id}/metrics")
        return answer.json()["host"]["memory_rss_kib"]


@pytest.fixture(scope="module")
def using(built_images: images.Store) -> ImageSet:
    return built(built_images)


@pytest.fixture
async def lab(short_tmp: Path, using: ImageSet) -> AsyncIterator[Lab]:
    process = AgentProcess(short_tmp, AGENT_IMAGE_SEED=str(using.directory))
    agent = await process.start()
    spec = machine_spec(using)
    await agent.boot(spec)
    yield Lab(process, agent, spec)
    assert (await agent.discard(spec.id)).power is Power.ABSENT
    process.kill()


async def test_a_guest_is_changed_while_it_runs_and_by_a_reboot(lab: Lab) -> None:
    await _balloon(lab)
    await _metadata(lab)
    await _user_data(lab)


async def _balloon(lab: Lab) -> None:
    """Memory that the guest used once, and its host holds since, goes back to the host and comes again."""
    await lab.run("python3", "-c", "x = bytearray(160 << 20); x[::4096] = b'1' * len(x[::4096])")
    free_before, rss_before = await lab.free_kib(), await lab.rss_kib()
    seen = await lab.change(balloon_mib=128)
    assert seen.pending == ()
    await _until_balloon(lab, 128)
    free_inflated = await lab.free_kib()
    async with asyncio.timeout(PATIENCE_S):
        while rss_before - (rss_inflated := await lab.rss_kib()) <= 64 * 1024:  # noqa: ASYNC110
            await asyncio.sleep(0.2)  # requests that come together share one reading
    assert (await lab.change(balloon_mib=0)).pending == ()
    await _until_balloon(lab, 0)
    free_after = await lab.free_kib()
    print(f"MemFree {free_before} -> {free_inflated} -> {free_after} KiB; RSS {rss_before} -> {rss_inflated} KiB")
    assert free_before - free_inflated > 100 * 1024
    assert free_after - free_inflated > 100 * 1024


async def _until_balloon(lab: Lab, amount_mib: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await lab.balloon()).actual_mib != amount_mib:  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # the guest gives memory back in its own time and tells nobody


async def _metadata(lab: Lab) -> None:
    assert await lab.fetch("/") == "unreachable"
    data = {"latest": {"meta-data": {"role": "db"}}}
    assert (await lab.change(metadata=MetadataSpec(data=data))).pending == ()
    assert await lab.fetch("/latest/meta-data/role") == "db"
    assert await lab.fetch("/latest/meta-data/instance-id") == f"i-{lab.spec.id.hex}"
    assert await lab.fetch("/latest/meta-data/hostname", "Accept=application/json") == '"guest-1"'
    await lab.change(metadata=MetadataSpec(data={"n": 1}, needs_token=True))
    assert await lab.fetch("/n") == "401"
    token = await lab.fetch("/latest/api/token", "X-metadata-token-ttl-seconds=60", method="PUT")
    assert await lab.fetch("/n", f"X-metadata-token={token}") == "1"
    await lab.change(metadata=None)
    assert await lab.fetch("/n") == "unreachable"


async def _user_data(lab: Lab) -> None:
    """A reboot brings what no running guest can take over, and what it was told before."""
    wanted = {"user_data": "#cloud-config\n{}\n", "metadata": MetadataSpec(data={"n": 2}), "vcpus": 2}
    seen = await lab.change(**wanted)
    assert set(seen.pending) == {"user_data", "vcpus"}
    assert (await lab.run("nproc")).strip() == "1"
    await lab.reboot(boot=2)
    assert (await lab.agent.seen(lab.spec.id)).pending == ()
    assert (await lab.run("nproc")).strip() == "2"
    assert await lab.fetch("/n") == "2"
    assert await lab.fetch("/latest/user-data") == "#cloud-config\n{}\n"
    seed = "/var/lib/cloud/seed/nocloud"
    assert (
        await lab.run("cat", f"{seed}/user-data", f"{seed}/network-config") == "#cloud-config\n{}\nconfig: disabled\n"
    )
    about = await lab.run("cat", f"{seed}/meta-data")
    assert f"instance-id: i-{lab.spec.id.hex}\nlocal-hostname: guest-1\n" in about
    await lab.change(user_data=None)
    await lab.reboot(boot=3)
    assert (await lab.run("ls", seed)).strip() == ""
