"""Many terminals on many VMs at once, much through each, and the host's agent killed in the middle.

Each terminal prints the same file of random bytes. What arrives must be those bytes, each once, and every terminal must
have gone on where it was when its agent came back. Ends with status 1 otherwise.

    python -m benchmarks terminals [--vms N] [--terminals N] [--mib N] [--kills N]
"""

import argparse
import asyncio
import hashlib
import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks._platform import Platform, checked, platform
from nexus.client.errors import ClientError
from nexus.client.sessions import Ended, Opened, Output, Session, open_shell
from nexus.client.terminals import Terminals
from nexus.client.transport import Transport
from nexus.kit.paths import runtime_dir

FILE = "/root/much"
SCRIPT = f"stty raw -echo; printf R; dd bs=1 count=1 of=/dev/null 2>/dev/null; cat {FILE}"
"""Prints a byte when it is ready, and the file once it has been given one: a terminal nobody watches keeps little."""
PAUSE_S = 0.5
ACKNOWLEDGE_BYTES = 64 * 1024
DEADLINE_S = 3600


@dataclass
class Watched:
    """A terminal, and what has come of it."""

    vm: UUID
    id: str
    digest: str
    got_bytes: int = 0
    returns: int = 0
    is_exact: bool | None = None
    _sum: Any = field(default_factory=hashlib.sha256)

    def take(self, data: bytes) -> None:
        self._sum.update(data[1:] if self.got_bytes == 0 else data)
        self.got_bytes += len(data)

    def end(self, size_bytes: int) -> None:
        self.is_exact = self.got_bytes == size_bytes + 1 and self._sum.hexdigest() == self.digest
        if not self.is_exact:
            print(f"{self.id}: {self.got_bytes} bytes came, and {size_bytes + 1} were to come", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks terminals", description=__doc__)
    parser.add_argument("--vms", type=int, default=10)
    parser.add_argument("--terminals", type=int, default=5, help="on each VM")
    parser.add_argument("--mib", type=int, default=10, help="through each")
    parser.add_argument("--kills", type=int, default=1, help="how often the agent is killed")
    options = parser.parse_args()
    with platform() as here:
        with ThreadPoolExecutor(2) as pool:
            making = [pool.submit(_make, here, number, options.mib) for number in range(options.vms)]
            vms = [one.result() for one in making]
        transport = Transport(url=here.url, token=here.http.headers["Authorization"].removeprefix("Bearer "))
        opened = [
            Watched(vm, Terminals(transport).open(vm, argv=("sh", "-c", SCRIPT)).id, digest)
            for vm, digest in vms
            for _ in range(options.terminals)
        ]
        begun = time.perf_counter()
        asyncio.run(_watch_all(transport, opened, options.mib << 20, here, options.kills))
        took_s = time.perf_counter() - begun
        transport.close()
    return _report(opened, options.mib, took_s)


def _make(here: Platform, number: int, mib: int) -> tuple[UUID, str]:
    """A VM with the file, and the file's digest."""
    made = checked(here.http.post("/v1/vms", json={"name": f"t-{number}", "mem_mib": 192}))
    for _ in range(10):
        done = checked(here.http.get(f"/v1/operations/{made['operation_id']}", params={"wait": 60}))["item"]
        if done["status"] != "running":
            break
    script = f"head -c {mib << 20} /dev/urandom > {FILE}; sha256sum {FILE}"
    ran = here.http.post(
        f"/v1/vms/{made['id']}/exec", json={"argv": ["sh", "-c", script], "timeout_s": 600}, timeout=700
    )
    return UUID(made["id"]), checked(ran)["stdout"].split()[0]


async def _watch_all(transport: Transport, opened: list[Watched], size: int, here: Platform, kills: int) -> None:
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as all_of_them:
        for one in opened:
            all_of_them.create_task(_watch(transport, one, size))
        for number in range(kills):
            share = (number + 1) / (kills + 1)
            while sum(one.got_bytes for one in opened) < share * size * len(opened):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            _kill_agent(here.data)
            print(f"agent killed at {sum(one.got_bytes for one in opened) >> 20} MiB", flush=True)


def _kill_agent(data: Path) -> None:
    pid = json.loads((runtime_dir(data) / "agent.pid").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)


async def _watch(transport: Transport, one: Watched, size: int) -> None:
    """Read a terminal to its end, coming back to it as often as the connection is lost."""
    while one.is_exact is None:
        try:
            await _visit(transport, one, size)
        except ClientError:
            one.returns += 1
            await asyncio.sleep(PAUSE_S)


async def _visit(transport: Transport, one: Watched, size: int) -> None:
    connected = open_shell(transport, one.vm, cols=80, rows=24, session=one.id, offset=one.got_bytes)
    said = one.got_bytes
    async with connected as session:
        async for event in session.events():
            match event:
                case Opened(offset=offset):
                    if offset != one.got_bytes:
                        print(f"{one.id}: output from {one.got_bytes} to {offset} was lost", flush=True)
                        one.is_exact = False
                        return
                    await _acknowledge(session, offset)
                    if one.got_bytes == 1:
                        await session.send_input(b"!")  # it may have been lost
                case Output(data=data):
                    one.take(data)
                    if one.got_bytes - said >= ACKNOWLEDGE_BYTES:
                        said = one.got_bytes
                        await _acknowledge(session, said)
                    if one.got_bytes == 1:
                        await session.send_input(b"!")
                case Ended():
                    one.end(size)


async def _acknowledge(session: Session, offset: int) -> None:
    with suppress(ClientError):  # whoever reads meets that too, after all that is there
        await session.acknowledge(offset)


def _report(opened: list[Watched], mib: int, took_s: float) -> int:
    exact = sum(one.is_exact is True for one in opened)
    total_mib = sum(one.got_bytes for one in opened) / (1 << 20)
    print(f"{len(opened)} terminals on {len({one.vm for one in opened})} VMs, {mib} MiB each: {exact} byte-exact")
    returns = sum(one.returns for one in opened)
    print(f"{total_mib:.0f} MiB in {took_s:.0f} s ({total_mib / took_s:.1f} MiB/s), {returns} returns after losses")
    return 0 if exact == len(opened) else 1


if __name__ == "__main__":
    sys.exit(main())
