"""Snapshots through the client, in the order that Firecracker demands (facts 16, 30, 37, 41)."""

import asyncio
from pathlib import Path

import pytest
from tests.agent.lab import eventually
from tests.agent.vmm.firecracker.lab import Place

from nexus.agent.vmm.firecracker import bodies, places, resources
from nexus.agent.vmm.firecracker.config import Inside, configuration
from nexus.agent.vmm.firecracker.connection import ApiRefused
from nexus.agent.vmm.firecracker.jails import Jailed, Jails
from nexus.agent.vmm.firecracker.launching import apply
from nexus.agent.vmm.port import Definition

START = bodies.Action(action_type="InstanceStart")
PAUSE, RESUME = bodies.VmState(state="Paused"), bodies.VmState(state="Resumed")


class Shop:
    """Jails of a place, and processes in them that go with the test."""

    def __init__(self, place: Place) -> None:
        self.jails: Jails = place.driver()._jails  # pyright: ignore[reportPrivateUsage]
        self.definition: Definition = place.definition()
        self.made: list[Jailed] = []

    @property
    def inside(self) -> Inside:
        return Inside.of(self.definition, is_jailed=self.jails.is_jailed)

    async def process(self) -> Jailed:
        jailed = await self.jails.make(ports=0)
        self.made.append(jailed)
        return jailed

    def root(self, jailed: Jailed) -> Path:
        return self.jails.places.root(jailed.id)

    async def booted(self) -> Jailed:
        jailed = await self.process()
        resources.put_in(self.definition, self.root(jailed), uid=jailed.uid)
        await apply(jailed.api, configuration(self.definition, self.inside), cpu_template=None)
        await jailed.api.act(START)
        return jailed

    def snapshot(self, kind: str = "Full") -> bodies.SnapshotCreate:
        return bodies.SnapshotCreate.model_validate(
            {
                "snapshot_path": self.inside.path("state"),
                "mem_file_path": self.inside.path("memory"),
                "snapshot_type": kind,
            }
        )

    def load(self, *, resume: bool = True) -> bodies.SnapshotLoad:
        return bodies.SnapshotLoad(
            snapshot_path=self.inside.path("state"),
            mem_backend=bodies.MemoryBackend(backend_type="File", backend_path=self.inside.path("memory")),
            resume_vm=resume,
            vsock_override=bodies.VsockOverride(uds_path=self.inside.path(places.VSOCK_SOCKET)),
        )

    async def close(self) -> None:
        for jailed in self.made:
            await jailed.let_go()
            await self.jails.remove(jailed.id, jailed.uid)


async def test_a_snapshot_of_a_paused_guest_becomes_a_guest_of_a_fresh_process(place: Place) -> None:
    shop = Shop(place)
    first = await shop.booted()
    with pytest.raises(ApiRefused, match="not paused"):
        await first.api.create_snapshot(shop.snapshot(), patience_s=60)
    await first.api.patch_vm(PAUSE)
    for kind in ("Full", "Diff"):
        await first.api.create_snapshot(shop.snapshot(kind), patience_s=60)
    await first.api.patch_vm(RESUME)
    second = await shop.process()
    resources.put_in(shop.definition, shop.root(second), uid=second.uid)
    for name in ("state", "memory"):
        (shop.root(first) / name).rename(shop.root(second) / name)
    wanted = configuration(shop.definition, shop.inside)
    await second.api.put_metrics(wanted.metrics)
    await second.api.put_serial(wanted.serial)
    await second.api.load_snapshot(shop.load(resume=False), patience_s=60)
    assert (await second.api.describe()).state == "Paused"
    await second.api.patch_vm(RESUME)
    assert (await second.api.describe()).state == "Running"
    assert (await second.api.machine_config()).mem_size_mib == shop.definition.memory_mib
    dialled = places.dial(shop.root(second), places.VSOCK_SOCKET, uid=second.uid)
    reader, writer = await asyncio.open_unix_connection(sock=dialled)
    writer.write(b"CONNECT 1024\n")
    assert (await asyncio.wait_for(reader.readline(), 60)).startswith(b"OK ")
    writer.close()
    await shop.close()


async def test_nothing_but_its_sinks_may_be_configured_before_a_snapshot_is_loaded(unjailed_place: Place) -> None:
    shop = Shop(unjailed_place)
    jailed = await shop.process()
    await jailed.api.put_machine_config(bodies.MachineConfig(vcpu_count=1, mem_size_mib=128))
    with pytest.raises(ApiRefused, match="not allowed after configuring"):
        await jailed.api.load_snapshot(shop.load(), patience_s=60)
    await shop.close()


async def test_a_process_that_cannot_load_a_snapshot_ends(unjailed_place: Place) -> None:
    shop = Shop(unjailed_place)
    jailed = await shop.process()
    with pytest.raises(ApiRefused, match="Load snapshot error"):
        await jailed.api.load_snapshot(shop.load(), patience_s=60)
    await eventually(lambda: not jailed.process.is_alive())
    await shop.close()
