"""Bridge mode, in a network namespace of the test's own: devices, rules and, with real guests, packets."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from tests.agent.lab import NETWORK, AgentClient, AgentProcess, ImageSet, built, eventually, machine_spec
from tests.agent.test_agent_over_qemu import run_in_guest

from nexus.agent.net.shaping import mirror_name
from nexus.kit.ids import new_id
from nexus.local import images
from nexus.protocol.limits import RateLimiter, TokenBucket
from nexus.protocol.machines import MachineSeen, NicSpec, Power
from nexus.protocol.taps import tap_name

pytestmark = [
    pytest.mark.net,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network namespace"),
]


class Namespace:
    """A network namespace that cannot reach beyond itself: it has no link to any other."""

    def __init__(self) -> None:
        self.name = f"nx{new_id().hex[-12:]}"

    def run(self, *argv: str) -> str:
        done = subprocess.run([*self.prefix, *argv], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def prefix(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)

    def links(self) -> set[str]:
        return {link["ifname"] for link in json.loads(self.run("ip", "-j", "link"))}

    def rules(self) -> str:
        return self.run("nft", "list", "ruleset")


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    made = Namespace()
    subprocess.run(["ip", "netns", "add", made.name], check=True)
    made.run("ip", "link", "set", "lo", "up")
    yield made
    subprocess.run(["ip", "netns", "delete", made.name], check=True)


SCRIPT = """
import asyncio, sys
from nexus.agent.net.choose import choose_network
from nexus.protocol.machines import NicSpec

async def main():
    network = await choose_network(wanted="auto", restrict=True, default_bridge="fcbr0")
    print(network.mode)
    for line in sys.stdin:
        verb, body = line.split(" ", 1)
        nic = NicSpec.model_validate_json(body)
        if verb == "ensure":
            await network.ensure(nic, uid=64_000_001)
        else:
            await network.discard(nic.id)
asyncio.run(main())
"""


def orders(namespace: Namespace, *lines: str) -> str:
    """Carry out lines of `ensure NIC` and `discard NIC` in a fresh process, as a restarted agent would."""
    done = subprocess.run(
        [*namespace.prefix, sys.executable, "-c", SCRIPT],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_is_ensured_is_there_once_and_discarding_leaves_nothing(namespace: Namespace) -> None:
    using = ImageSet(Path("/"), "0" * 64, "1" * 64, "2" * 64)
    one, other = (machine_spec(using, number=number).nics[0] for number in (1, 2))
    links, rules = namespace.links(), namespace.rules()
    ensure_one, ensure_other = f"ensure {one.model_dump_json()}", f"ensure {other.model_dump_json()}"
    assert orders(namespace, ensure_one, ensure_one, ensure_other) == "bridge"
    made = namespace.rules()
    assert namespace.links() == links | {NETWORK.bridge, tap_name(one.id), tap_name(other.id)}
    orders(namespace, ensure_one)
    assert namespace.rules() == made
    assert str(one.address.ip) in made if one.address else False
    moved = one.model_copy(update={"mac": "02:00:00:00:00:99"})
    orders(namespace, f"ensure {moved.model_dump_json()}")
    assert one.mac not in namespace.rules()
    namespace.run("nft", "flush", "ruleset")
    orders(namespace, ensure_one, ensure_other)
    assert namespace.rules() == made
    orders(namespace, f"discard {one.model_dump_json()}")
    assert tap_name(one.id) not in namespace.rules()
    assert NETWORK.bridge in namespace.links()
    orders(namespace, f"discard {other.model_dump_json()}", f"discard {other.model_dump_json()}")
    assert (namespace.links(), namespace.rules()) == (links, rules)


def test_an_agent_killed_in_the_middle_of_a_removal_leaves_nothing_either(namespace: Namespace) -> None:
    """The device went, and its bridge had not gone yet."""
    nic = machine_spec(ImageSet(Path("/"), "0" * 64, "1" * 64, "2" * 64)).nics[0]
    links, rules = namespace.links(), namespace.rules()
    orders(namespace, f"ensure {nic.model_dump_json()}")
    namespace.run("ip", "link", "del", tap_name(nic.id))
    orders(namespace, f"discard {nic.model_dump_json()}")
    assert (namespace.links(), namespace.rules()) == (links, rules)


def test_a_bridge_that_was_there_before_us_stays(namespace: Namespace) -> None:
    namespace.run("ip", "link", "add", NETWORK.bridge, "type", "bridge")
    nic = machine_spec(ImageSet(Path("/"), "0" * 64, "1" * 64, "2" * 64)).nics[0]
    orders(namespace, f"ensure {nic.model_dump_json()}", f"discard {nic.model_dump_json()}")
    assert NETWORK.bridge in namespace.links()


def require_shaping(namespace: Namespace) -> None:
    """Skip where this kernel cannot limit interfaces, which the agent finds out by the same trial."""
    trial = "from nexus.agent.net import shaping; shaping.try_out('nxtry1')"
    tried = subprocess.run(
        [*namespace.prefix, sys.executable, "-c", trial], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(tried.stderr.strip().splitlines()[-1])
    assert "nxtry1" not in namespace.links()


def limited(nic: NicSpec, *, rx: int | None, tx: int | None) -> str:
    """An order to have the interface limited to so many bytes per second."""

    def limiter(rate: int | None) -> RateLimiter | None:
        return (rate and RateLimiter(bandwidth=TokenBucket(size=rate // 10, refill_time=100))) or None

    changed = nic.model_copy(update={"rx_rate_limiter": limiter(rx), "tx_rate_limiter": limiter(tx)})
    return f"ensure {changed.model_dump_json()}"


def test_limits_are_set_changed_and_leave_nothing(namespace: Namespace) -> None:
    require_shaping(namespace)
    nic = machine_spec(ImageSet(Path("/"), "0" * 64, "1" * 64, "2" * 64)).nics[0]
    tap = tap_name(nic.id)
    links, rules = namespace.links(), namespace.rules()

    def rate(device: str) -> int | None:
        found = json.loads(namespace.run("tc", "-j", "qdisc", "show", "dev", device))
        return next((each["options"]["rate"] for each in found if each["kind"] == "tbf"), None)

    orders(namespace, limited(nic, rx=1_000_000, tx=2_000_000))
    assert (rate(tap), rate(mirror_name(tap))) == (1_000_000, 2_000_000)
    orders(namespace, limited(nic, rx=3_000_000, tx=4_000_000))
    assert (rate(tap), rate(mirror_name(tap))) == (3_000_000, 4_000_000)
    filters = namespace.run("tc", "filter", "show", "dev", tap, "parent", "ffff:")
    assert filters.count("mirred") == 1
    namespace.run("ip", "link", "del", mirror_name(tap))
    orders(namespace, limited(nic, rx=None, tx=4_000_000))
    assert (rate(tap), rate(mirror_name(tap))) == (None, 4_000_000)
    orders(namespace, limited(nic, rx=1_000_000, tx=None))
    assert rate(tap) == 1_000_000
    assert mirror_name(tap) not in namespace.links()
    assert "ingress" not in namespace.run("tc", "qdisc", "show", "dev", tap)
    orders(namespace, limited(nic, rx=1_000_000, tx=1_000_000), f"discard {nic.model_dump_json()}")
    assert (namespace.links(), namespace.rules()) == (links, rules)


@pytest.fixture
async def process(short_tmp: Path, namespace: Namespace, built_images: images.Store) -> AsyncIterator[AgentProcess]:
    async with on_bridges(short_tmp, namespace.prefix, built_images) as made:
        yield made


@asynccontextmanager
async def on_bridges(
    root: Path, prefix: tuple[str, ...], using: images.Store, **env: str
) -> AsyncGenerator[AgentProcess]:
    made = AgentProcess(root, prefix=prefix, AGENT_NETWORK="bridge", AGENT_IMAGE_SEED=str(using.root), **env)
    try:
        yield made
    finally:
        for seen in (await made.client.http.get("/v1/machines")).json()["items"]:
            assert (await made.client.discard(UUID(seen["id"]))).power is Power.ABSENT
        await made.end()


async def ping(process: AgentProcess, agent: AgentClient, machine: UUID, address: str) -> bool:
    command = ("busybox", "ping", "-c", "1", "-W", "3", address)
    return (await run_in_guest(process, agent, machine, *command))[0] == 0


@pytest.mark.vm
async def test_guests_reach_each_other_and_the_gateway_but_nothing_of_the_host_nor_under_a_false_name(
    process: AgentProcess, namespace: Namespace, built_images: images.Store
) -> None:
    before = namespace.links(), namespace.rules()
    agent = await process.start()
    one, other = (machine_spec(built(built_images), number=number) for number in (1, 2))
    for spec in (one, other):
        seen = await agent.boot(spec)
        assert seen.address == (spec.nics[0].address.ip if spec.nics[0].address else None)
    gateway = str(NETWORK.gateway.ip)
    assert await ping(process, agent, one.id, "172.30.9.12")
    assert await ping(process, agent, other.id, "172.30.9.11")
    assert await ping(process, agent, one.id, gateway)
    connect = ("sh", "-c", f"busybox nc -w 3 {gateway} 8099 </dev/null")
    lie = ("sh", "-c", "busybox ip addr add 172.30.9.77/24 dev eth0; busybox ping -I 172.30.9.77 -c 1 -W 2 172.30.9.12")
    listener = subprocess.Popen(
        [*namespace.prefix, "/usr/bin/python3", "-m", "http.server", "8099"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for attempt in (connect, lie):
            assert (await run_in_guest(process, agent, one.id, *attempt))[0] != 0
        assert await ping(process, agent, one.id, "172.30.9.12")
        namespace.run("nft", "flush", "ruleset")
        for attempt in (connect, lie):
            assert (await run_in_guest(process, agent, one.id, *attempt))[0] == 0, "it was not forbidden by our rules"
    finally:
        listener.kill()
        listener.wait()
    metrics = (await agent.http.get(f"/v1/machines/{one.id}/metrics")).json()
    assert metrics["host"]["net_sent_bytes"] > 0
    for spec in (one, other):
        assert (await agent.discard(spec.id)).power is Power.ABSENT
    assert (namespace.links(), namespace.rules()) == before


SERVE = """
import socket
listener = socket.create_server(("0.0.0.0", 7000))
while True:
    peer, _ = listener.accept()
    way = peer.recv(1)
    moved = 0
    while moved < 1 << 20:
        moved += len(peer.recv(65536)) if way == b"r" else peer.send(bytes(65536))
    peer.sendall(b"!")
    peer.close()
"""
MOVE = """
import socket, sys, time
address, way = sys.argv[1], sys.argv[2].encode()
deadline = time.monotonic() + 60
while True:
    try:
        peer = socket.create_connection((address, 7000), timeout=60)
        break
    except ConnectionRefusedError:
        assert time.monotonic() < deadline
        time.sleep(0.1)
began = time.monotonic()
peer.sendall(way)
if way == b"r":
    peer.sendall(bytes(1 << 20))
while peer.recv(65536):
    pass
print(time.monotonic() - began)
"""


@pytest.mark.vm
async def test_a_guests_traffic_is_slowed_down_each_way_while_it_runs(
    process: AgentProcess, namespace: Namespace, built_images: images.Store
) -> None:
    """One MiB at a quarter of that per second; how exactly is measured by `benchmarks/limits`."""
    require_shaping(namespace)
    agent = await process.start()
    spec = machine_spec(built(built_images))
    await agent.boot(spec)
    await agent.run(spec.id, "python3", "-c", SERVE)
    slow = RateLimiter(bandwidth=TokenBucket(size=1 << 16, refill_time=250))
    for generation, way, changes in (
        (2, "r", {"rx_rate_limiter": slow}),
        (3, "s", {"tx_rate_limiter": slow}),
    ):
        nic = spec.nics[0].model_copy(update=changes)
        assert (await agent.define(spec.model_copy(update={"generation": generation, "nics": (nic,)}))).is_success

        def is_applied(seen: MachineSeen, generation: int = generation) -> bool:
            return seen.generation == generation and seen.pending == () and not seen.is_applying

        await agent.until(spec.id, is_applied)
        assert float(namespace.run(sys.executable, "-c", MOVE, "172.30.9.11", way)) > 2.5


HURRIED = """
import runpy, sys
from nexus.agent.vmm.qemu import zygote_driver, zygote_making, zygotes

zygote_making.QUIET_S = 0.1
zygote_making.stand_back = lambda pid: None
zygotes.LEAST_FREE_BYTES = 1 << 20
zygote_driver.BEGIN_DEADLINE_S = 300.0
sys.argv = ["nexus.agent"]
runpy.run_module("nexus.agent", run_name="__main__")
"""
"""An agent that makes zygotes as on a host with nothing else to do."""


@pytest.mark.vm
async def test_guests_on_a_bridge_begin_from_zygotes_which_are_on_none(
    short_tmp: Path, namespace: Namespace, built_images: images.Store
) -> None:
    hurried = (*namespace.prefix, sys.executable, "-c", HURRIED)
    async with on_bridges(short_tmp, hurried, built_images, AGENT_ZYGOTES="1", AGENT_ACCEL="tcg") as process:
        agent = await process.start()
        first, second = (machine_spec(built(built_images), number=number) for number in (1, 2))
        await agent.boot(first)
        await eventually(lambda: any((short_tmp / "agent/zygotes/kept").glob("*/*")), within_s=300)
        await agent.boot(second)
        record = json.loads((short_tmp / f"agent/machines/{second.id}/vmm.json").read_text())
        assert b"-incoming" in Path(f"/proc/{record['pid']}/cmdline").read_bytes().split(b"\0"), process.log()
        assert await ping(process, agent, second.id, "172.30.9.11")
        assert await ping(process, agent, first.id, "172.30.9.12")
