"""Real guests that begin from a zygote: each is the machine it was told to be, cannot tell it from a boot of its own,
and nothing is lost with a zygote."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.agent.lab import AgentClient, AgentProcess, ImageSet, agent_here, agent_settings, built, eventually, is_ready
from tests.agent.lab import machine_spec as specified

from nexus.agent.guest.client import GuestClient
from nexus.agent.vmm.process import ProcessId
from nexus.agent.vmm.qemu import zygote_channel, zygote_driver, zygote_making, zygotes
from nexus.kit.clock import Clock
from nexus.local import images
from nexus.protocol.guest import Frame, GuestConfig, SessionKind, SessionRequest
from nexus.protocol.machines import MachineSpec, Power

pytestmark = pytest.mark.vm
PATIENCE_S = 300.0
CLOCK_ERROR_S = 30.0
"""A quiet host has it within 0.1 s; on a busy one it takes time to be told."""
PROBE = """
import json, os, random, subprocess, time

now = time.time()
bus = "/sys/bus/virtio"

def read(path):
    with open(path) as file:
        return file.read().strip()

def names(path):
    return sorted(os.listdir(path))

ip = lambda *words: subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout
log = subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout
with open("/root/file", "w") as file:
    file.write("written")
print(json.dumps({
    "hostname": [os.uname().nodename, read("/etc/hostname")],
    "machine id": read("/etc/machine-id"),
    "boot id": read("/proc/sys/kernel/random/boot_id"),
    "kernel's random": os.urandom(16).hex(),
    "program's random": random.random(),
    "MAC": read("/sys/class/net/eth0/address"),
    "address": ip("-4", "-o", "addr", "show", "eth0").split()[3],
    "default route": ip("route", "show", "default").split()[2],
    "resolver": read("/etc/resolv.conf"),
    "kernel arguments": read("/proc/cmdline"),
    "kernel log begins": "Linux version" in log.splitlines()[0] and "zygote" not in log,
    "complaints": [line for line in log.splitlines() if "hung" in line or "stall" in line or "lockup" in line],
    "modules": sorted(line.split()[0] for line in read("/proc/modules").splitlines()),
    "disks": [[name, read(f"/sys/block/{name}/size"), read(f"/sys/block/{name}/ro")] for name in names("/sys/block")],
    "mounts": sorted(line.split()[1] for line in read("/proc/mounts").splitlines()),
    "interfaces": names("/sys/class/net"),
    "drivers": [[name, os.path.exists(f"{bus}/devices/{name}/driver")] for name in names(f"{bus}/devices")],
    "new devices": read(f"{bus}/drivers_autoprobe"),
    "processors": os.cpu_count(),
    "time": now,
    "uptime": float(read("/proc/uptime").split()[0]),
}))
"""
SAME = (
    "address",
    "default route",
    "resolver",
    "kernel arguments",
    "kernel log begins",
    "complaints",
    "modules",
    "disks",
    "mounts",
    "interfaces",
    "drivers",
    "new devices",
    "processors",
)
OWN = ("hostname", "machine id", "boot id", "kernel's random", "program's random", "MAC")


class Lab:
    """An agent in this process, and the place where it has zygotes."""

    def __init__(self, agent: AgentClient, root: Path, using: ImageSet) -> None:
        self.agent = agent
        self.root = root
        self.using = using

    @property
    def kept(self) -> list[Path]:
        return [path for path in (self.root / "agent/zygotes/kept").glob("*/*") if path.is_dir()]

    async def start(self, number: int, **other: object) -> MachineSpec:
        spec = specified(self.using, number=number).model_copy(update=other)
        await self.agent.define(spec)
        await self.agent.power(spec.id, Power.ON, boot=1)
        await self.agent.until(spec.id, is_ready, within_s=PATIENCE_S)
        return spec

    def has_begun_from_one(self, machine: UUID) -> bool:
        """Whether its VMM was started for a guest that comes from elsewhere than a kernel."""
        record = json.loads((self.root / f"agent/machines/{machine}/vmm.json").read_text())
        return b"-incoming" in Path(f"/proc/{record['pid']}/cmdline").read_bytes().split(b"\0")

    async def probe(self, spec: MachineSpec, *, clock_behind_s: float = 0) -> dict[str, Any]:
        request = SessionRequest(kind=SessionKind.EXEC, argv=("python3", "-c", PROBE))
        output, errors = b"", b""
        begun = time.time()
        async with (
            GuestClient(self.root / f"rt/m/{spec.id}/guest.sock", timeout_s=60) as guest,
            guest.stream(await guest.open_session(request)) as stream,
        ):
            async for frame, payload in stream:
                output += payload if frame is Frame.OUTPUT else b""
                errors += payload if frame is Frame.ERROR_OUTPUT else b""
        assert not errors, errors.decode()
        said: dict[str, Any] = json.loads(output)
        assert begun - CLOCK_ERROR_S < said.pop("time") + clock_behind_s < time.time() + CLOCK_ERROR_S
        return said


@dataclass(frozen=True)
class Behind:
    """`clock`, as one that was set back shows it."""

    clock: Clock
    by: timedelta

    def now(self) -> datetime:
        return self.clock.now() - self.by


def _push_on(_pid: int | None) -> None:
    """No other has to go first."""


@pytest.fixture(scope="module")
async def lab(session_tmp: Path, built_images: images.Store) -> AsyncIterator[Lab]:
    root, using = session_tmp / "zygotes", built(built_images)
    root.mkdir(mode=0o711)
    settings = agent_settings(root, vmm="qemu", accel="tcg", image_seed=using.directory)
    with pytest.MonkeyPatch.context() as hurry:  # as on a host that has nothing else to do
        hurry.setattr(zygote_making, "QUIET_S", 0.1)
        hurry.setattr(zygote_making, "stand_back", _push_on)
        hurry.setattr(zygotes, "LEAST_FREE_BYTES", 1 << 20)
        hurry.setattr(zygote_driver, "BEGIN_DEADLINE_S", PATIENCE_S)  # a busy one would boot the machine instead
        async with agent_here(settings) as (agent, _):
            yield Lab(agent, root, using)
            for seen in (await agent.http.get("/v1/machines")).json()["items"]:
                assert (await agent.discard(UUID(seen["id"]))).power is Power.ABSENT


async def test_a_guest_cannot_tell_a_zygote_from_a_boot_of_its_own_and_outlives_it(lab: Lab) -> None:
    cold = await lab.start(1)
    await eventually(lambda: len(lab.kept) == 1, within_s=PATIENCE_S)
    specs = await asyncio.gather(*(lab.start(number) for number in (2, 3)))
    said = [await lab.probe(spec) for spec in (cold, *specs)]
    for number, (spec, probes) in enumerate(zip((cold, *specs), said, strict=True), start=1):
        assert lab.has_begun_from_one(spec.id) is (number > 1)
        assert probes["hostname"] == [f"guest-{number}"] * 2
        assert (probes["machine id"], probes["MAC"]) == (spec.id.hex, spec.nics[0].mac)
        assert (probes["address"], probes["default route"]) == ("10.0.2.15/24", "10.0.2.2")
        assert probes["kernel log begins"]
        assert not probes["complaints"]
        assert 0 < probes["uptime"] < PATIENCE_S
        assert {probe: probes[probe] for probe in SAME} == {probe: said[0][probe] for probe in SAME}
    for probe in OWN:
        assert len({json.dumps(probes[probe]) for probes in said}) == len(said), probe


async def test_what_time_it_is_is_the_hosts_word_alone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zygote's clock is ahead where the host's was set back after that was made."""
    behind = timedelta(minutes=5)
    tell = zygote_channel.begin

    async def tell_by_a_clock_set_back(channel: Path, config: GuestConfig, *, clock: Clock, within_s: float) -> None:
        await tell(channel, config, clock=Behind(clock, behind), within_s=within_s)

    monkeypatch.setattr(zygote_channel, "begin", tell_by_a_clock_set_back)
    spec = await lab.start(4)
    assert lab.has_begun_from_one(spec.id)
    assert await lab.probe(spec, clock_behind_s=behind.total_seconds())


async def test_a_zygote_that_is_of_no_use_costs_the_machine_nothing_and_goes(lab: Lab) -> None:
    (zygote,) = lab.kept
    for file in zygote.iterdir():
        file.write_bytes(b"not what it was")
    spec = await lab.start(5)
    assert not lab.has_begun_from_one(spec.id)
    assert (await lab.probe(spec))["hostname"] == ["guest-5"] * 2

    def has_been_made_anew() -> bool:
        return any((path / "memory").stat().st_size > 1 << 20 for path in lab.kept)

    await eventually(has_been_made_anew, within_s=PATIENCE_S)


async def test_an_agent_that_is_killed_while_it_makes_one_leaves_nothing_at_its_next_start(
    short_tmp: Path, built_images: images.Store
) -> None:
    using = built(built_images)
    process = AgentProcess(short_tmp, AGENT_IMAGE_SEED=str(using.directory), AGENT_ACCEL="tcg", AGENT_ZYGOTES="1")
    agent = await process.start()
    spec = specified(using)
    try:
        await agent.boot(spec)
        making = short_tmp / "agent/zygotes/machine"

        def records() -> list[dict[str, Any]]:
            return [json.loads(path.read_text()) for path in making.glob("*/vmm.json")]

        await eventually(lambda: any(record["pid"] for record in records()), within_s=PATIENCE_S)
        process.kill()
        (record,) = records()
        vmm = ProcessId(record["pid"], record["start_ticks"])
        assert vmm.is_alive()
        agent = await process.start()
        assert not vmm.is_alive()
        assert not list(making.glob("*"))
        assert not (short_tmp / "agent/zygotes/making").exists()
        assert not list((short_tmp / "rt/z").glob("*"))
    finally:
        if process.has_ended():
            agent = await process.start()
        await agent.discard(spec.id)
        await process.end()
