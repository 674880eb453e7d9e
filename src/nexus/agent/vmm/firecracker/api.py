"""Firecracker's API as methods: one for each method and path of its description (1.16), nothing more.

Every method raises `ApiRefused` with Firecracker's own sentence, or `ApiTrouble` when no answer came. Which may be
called when is Firecracker's: before or after boot, or either. Generated names, hinting's PATCH included, follow the
description and not the prose beside it (fact 24).
"""

from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from nexus.agent.vmm.firecracker import bodies
from nexus.agent.vmm.firecracker.bodies import Answer, Body
from nexus.agent.vmm.firecracker.connection import ApiConnection, ApiTrouble

_A = TypeVar("_A", bound=Answer)


class FirecrackerApi:
    def __init__(self, connection: ApiConnection) -> None:
        self.connection = connection

    # looking

    async def describe(self) -> bodies.InstanceInfo:
        return await self._get("/", bodies.InstanceInfo)

    async def version(self) -> bodies.Version:
        return await self._get("/version", bodies.Version)

    async def machine_config(self) -> bodies.MachineConfigSeen:
        return await self._get("/machine-config", bodies.MachineConfigSeen)

    async def vm_config(self) -> bodies.VmConfig:
        return await self._get("/vm/config", bodies.VmConfig)

    # the machine, before boot

    async def put_machine_config(self, body: bodies.MachineConfig) -> None:
        await self._send("PUT", "/machine-config", body)

    async def patch_machine_config(self, body: bodies.MachineConfigUpdate) -> None:
        await self._send("PATCH", "/machine-config", body)

    async def put_cpu_config(self, template: bytes) -> None:
        """`template`: a custom CPU template, JSON."""
        await self._send("PUT", "/cpu-config", template)

    async def put_boot_source(self, body: bodies.BootSource) -> None:
        await self._send("PUT", "/boot-source", body)

    async def put_logger(self, body: bodies.Logger) -> None:
        await self._send("PUT", "/logger", body)

    async def put_metrics(self, body: bodies.Metrics) -> None:
        await self._send("PUT", "/metrics", body)

    async def put_serial(self, body: bodies.Serial) -> None:
        await self._send("PUT", "/serial", body)

    async def put_entropy(self, body: bodies.Entropy) -> None:
        await self._send("PUT", "/entropy", body)

    async def put_vsock(self, body: bodies.Vsock) -> None:
        await self._send("PUT", "/vsock", body)

    # drives and interfaces

    async def put_drive(self, body: bodies.Drive) -> None:
        await self._send("PUT", f"/drives/{body.drive_id}", body)

    async def patch_drive(self, body: bodies.DriveUpdate) -> None:
        await self._send("PATCH", f"/drives/{body.drive_id}", body)

    async def put_pmem(self, body: bodies.Pmem) -> None:
        await self._send("PUT", f"/pmem/{body.id}", body)

    async def patch_pmem(self, body: bodies.PmemUpdate) -> None:
        await self._send("PATCH", f"/pmem/{body.id}", body)

    async def put_network_interface(self, body: bodies.NetworkInterface) -> None:
        await self._send("PUT", f"/network-interfaces/{body.iface_id}", body)

    async def patch_network_interface(self, body: bodies.NetworkInterfaceUpdate) -> None:
        await self._send("PATCH", f"/network-interfaces/{body.iface_id}", body)

    # memory

    async def balloon(self) -> bodies.BalloonConfig:
        return await self._get("/balloon", bodies.BalloonConfig)

    async def put_balloon(self, body: bodies.Balloon) -> None:
        await self._send("PUT", "/balloon", body)

    async def patch_balloon(self, body: bodies.BalloonUpdate) -> None:
        await self._send("PATCH", "/balloon", body)

    async def balloon_statistics(self) -> bodies.BalloonStats:
        return await self._get("/balloon/statistics", bodies.BalloonStats)

    async def patch_balloon_statistics(self, body: bodies.BalloonStatsUpdate) -> None:
        await self._send("PATCH", "/balloon/statistics", body)

    async def start_hinting(self, body: bodies.BalloonHintingStart) -> None:
        await self._send("PATCH", "/balloon/hinting/start", body)

    async def hinting_status(self) -> bodies.BalloonHintingStatus:
        return await self._get("/balloon/hinting/status", bodies.BalloonHintingStatus)

    async def stop_hinting(self) -> None:
        await self._send("PATCH", "/balloon/hinting/stop", None)

    async def memory_hotplug(self) -> bodies.MemoryHotplugStatus:
        return await self._get("/hotplug/memory", bodies.MemoryHotplugStatus)

    async def put_memory_hotplug(self, body: bodies.MemoryHotplug) -> None:
        await self._send("PUT", "/hotplug/memory", body)

    async def patch_memory_hotplug(self, body: bodies.MemoryHotplugUpdate) -> None:
        await self._send("PATCH", "/hotplug/memory", body)

    # metadata

    async def put_mmds_config(self, body: bodies.MmdsConfig) -> None:
        await self._send("PUT", "/mmds/config", body)

    async def mmds(self) -> bytes:
        """The store, JSON."""
        return await self._send("GET", "/mmds", None)

    async def put_mmds(self, store: bytes) -> None:
        """`store`: a JSON object, in place of what was there."""
        await self._send("PUT", "/mmds", store)

    async def patch_mmds(self, store: bytes) -> None:
        """`store`: a JSON object, merged into what is there."""
        await self._send("PATCH", "/mmds", store)

    # running

    async def act(self, body: bodies.Action, *, patience_s: float | None = None) -> None:
        await self._send("PUT", "/actions", body, patience_s=patience_s)

    async def patch_vm(self, body: bodies.VmState) -> None:
        await self._send("PATCH", "/vm", body)

    async def create_snapshot(self, body: bodies.SnapshotCreate, *, patience_s: float) -> None:
        """All of the guest's memory is written before this returns (fact 30)."""
        await self._send("PUT", "/snapshot/create", body, patience_s=patience_s)

    async def load_snapshot(self, body: bodies.SnapshotLoad, *, patience_s: float) -> None:
        """A process that refuses this ends, and takes nothing more (fact 41)."""
        await self._send("PUT", "/snapshot/load", body, patience_s=patience_s)

    async def _send(
        self, method: str, path: str, body: Body | bytes | None, *, patience_s: float | None = None
    ) -> bytes:
        return await self.connection.request(method, path, body, patience_s=patience_s)

    async def _get(self, path: str, kind: type[_A]) -> _A:
        answer = await self._send("GET", path, None)
        try:
            return TypeAdapter(kind).validate_json(answer)
        except ValidationError as unfit:
            raise ApiTrouble(f"GET {path} was answered with something else") from unfit
