"""A process whose wires get the names of a machine's interfaces, and a wish that changes meanwhile."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from tests.agent.vmm.firecracker.lab import Place

from nexus.kit.ids import new_id


class Pool:
    """Gives out processes that are not there; `let` lets their wires be named."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.naming = asyncio.Event()
        self.named: list[str] = []
        self.given: list[Any] = []
        self.dropped: list[Any] = []
        self._loop = asyncio.get_running_loop()

    async def take(self, *, ports: int) -> Any:
        namespace = SimpleNamespace(ports=ports, name_wire=self._name)
        self.given.append(SimpleNamespace(process=SimpleNamespace(is_alive=lambda: True), namespace=namespace))
        return self.given[-1]

    async def drop(self, jailed: Any) -> None:
        self.dropped.append(jailed)

    async def close(self) -> None:
        return

    def _name(self, _index: int, tap: str) -> None:
        self._loop.call_soon_threadsafe(self.naming.set)
        assert self.let.wait(60)
        self.named.append(tap)


async def test_wires_of_a_boot_that_was_broken_off_are_named_at_the_next(
    unjailed_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    vmm, pool, machine = unjailed_place.driver(), Pool(), new_id()
    monkeypatch.setattr(vmm, "_pool", pool)
    boot = asyncio.create_task(vmm.ensure_wires(machine, ("nxa", "nxb")))
    await pool.naming.wait()
    boot.cancel()
    with pytest.raises(asyncio.CancelledError):
        await boot
    assert pool.dropped == pool.given
    pool.let.set()
    await vmm.ensure_wires(machine, ("nxa", "nxb"))
    assert len(pool.given) == 2
    assert pool.named[-2:] == ["nxa", "nxb"]
    await vmm.close()
