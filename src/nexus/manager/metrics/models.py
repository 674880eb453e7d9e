"""What is kept of use: the last sample of a machine as lists tell it, and how history is cut."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from nexus.protocol.metrics import Source

FRESH_S = 60
"""A last sample that is older says nothing of now: its machine is off, or its host is silent."""

IS_FRESH = f"(u.at > now() - interval '{FRESH_S} seconds')"
"""For `machine_usage u`."""

USAGE = f"""
case when {IS_FRESH} then json_build_object(
    'at', u.at, 'cpu_usage_percent', u.cpu_percent,
    'memory_usage_percent', round((100.0 * u.memory_used_kib / nullif(u.memory_total_kib, 0))::numeric, 2),
    'memory_used_kb', u.memory_used_kib, 'memory_total_kb', u.memory_total_kib,
    'network_in_bytes_per_s', round(u.net_in_bytes_per_s::numeric, 1),
    'network_out_bytes_per_s', round(u.net_out_bytes_per_s::numeric, 1),
    'disk_read_bytes_per_s', round(u.disk_read_bytes_per_s::numeric, 1),
    'disk_write_bytes_per_s', round(u.disk_write_bytes_per_s::numeric, 1), 'source', u.source) end
"""
"""A machine's last sample as `UsageBody` describes it, or null; for `machine_usage u`."""

CPU_KEY = f"case when {IS_FRESH} then u.cpu_percent else -1 end"
MEMORY_KEY = f"case when {IS_FRESH} then u.memory_used_kib else -1 end"
"""What lists sort by: what is off comes first, and last in descending order."""


class UsageBody(BaseModel):
    """What a machine used last; see docs/metrics.md for what each figure is."""

    at: datetime = Field(description="When this was heard")
    cpu_usage_percent: float = Field(description="CPU used, of all its vCPUs together: 0 to 100")
    memory_usage_percent: float | None = Field(description="Memory used, of all it has: 0 to 100")
    memory_used_kb: int = Field(description="Memory used, in KiB")
    memory_total_kb: int = Field(description="Memory it has, in KiB")
    network_in_bytes_per_s: float | None = Field(description="Received by it, each second; null: nobody knows")
    network_out_bytes_per_s: float | None = Field(description="Sent by it, each second; null: nobody knows")
    disk_read_bytes_per_s: float | None = Field(description="Read from its disks, each second; null: nobody knows")
    disk_write_bytes_per_s: float | None = Field(description="Written to its disks, each second; null: nobody knows")
    source: Source = Field(description="Who measured CPU and memory")


class Tier(StrEnum):
    """Tables of history, by what one row is about."""

    MINUTES = "minutes"
    QUARTERS = "quarters"


@dataclass(frozen=True)
class Cut:
    """How history is answered: from `start` to before `end`, a point every `step_s` seconds, out of `tier`."""

    start: datetime
    end: datetime
    step_s: int
    tier: Tier


@dataclass(frozen=True)
class Told:
    """A VM's last sample, and who may see it. `usage` is UsageBody with `vm_id`, as JSON has it."""

    vm_id: UUID
    project_id: UUID
    owner_user_id: UUID | None
    usage: dict[str, Any]
