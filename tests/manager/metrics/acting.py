"""What tests of this folder say: a host that is only what it reports, and machines on it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from tests.manager.compute.acting import ok

from nexus.protocol.metrics import MachineMinute, Minute, SampleReport, Source, UsageSample


@dataclass(frozen=True)
class Measuring:
    """A host's way to say what it measured."""

    client: httpx.AsyncClient
    host_id: UUID
    credential: str

    async def send(self, body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.credential}"}
        return await self.client.post(f"/v1/hosts/{self.host_id}/samples", json=body, headers=headers)

    async def tell(self, **report: Any) -> dict[str, Any]:
        return ok(await self.send(SampleReport(**report).model_dump(mode="json")))


def sample(machine: UUID, **other: Any) -> UsageSample:
    fields: dict[str, Any] = {
        "id": machine,
        "span_ms": 10_000,
        "cpu_percent": 12.5,
        "memory_used_kib": 256,
        "memory_total_kib": 1024,
        "net_in_bytes": 50_000,
        "net_out_bytes": 0,
        "source": Source.GUEST,
    }
    return UsageSample(**(fields | other))


def minute(at: datetime, **other: Any) -> Minute:
    fields: dict[str, Any] = {
        "at": at,
        "span_ms": 60_000,
        "guest_ms": 60_000,
        "cpu_ms": 30_000,
        "cpus": 2,
        "cpu_max_percent": 80,
        "memory_used_kib": 256,
        "memory_total_kib": 1024,
        "disk_read_bytes": 600,
        "disk_write_bytes": 0,
    }
    return Minute(**(fields | other))


def machine_minute(machine: UUID, at: datetime, **other: Any) -> MachineMinute:
    return MachineMinute(id=machine, **minute(at, **other).model_dump())


def this_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)
