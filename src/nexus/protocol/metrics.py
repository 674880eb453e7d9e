"""What machines and hosts use: one sample of a machine for who watches it live, and what hosts send to be kept.

Every figure says whose it is (`Source`): of the CPU and memory of a machine its guest knows best, and its host knows
something even of a guest that does not answer. docs/metrics.md has the table.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from nexus.kit.fields import MOST_INT4, Int4, Int8, Moment
from nexus.protocol.base import Message
from nexus.protocol.guest import GuestMetrics
from nexus.protocol.machines import HostSideMetrics

Amount = Annotated[int, Field(ge=0, le=2**50)]
"""Of a minute: so that a month of them, multiplied by milliseconds, is still a number that a database can add up."""
LONGEST_MS = 300_000
"""Measured in one minute: a sample that reaches into another counts to one of the two."""


class Source(StrEnum):
    """Who measured a figure."""

    GUEST = "guest"
    """The agent in the guest, from its kernel."""
    HOST = "host"
    """The host, from the hypervisor's process, its block layer, or the interface's end on the host."""


class MachineMetrics(Message):
    """One sample. What is not known is null and has no source; rates and CPU are over the time since the sample before,
    a second or so."""

    at: datetime = Field(description="When it was taken")
    cpu_usage_percent: float | None = Field(
        default=None, description="CPU used, of all its vCPUs together: 0 to 100. Null in the first sample of a boot"
    )
    memory_usage_percent: float | None = Field(default=None, description="Memory used, of all it has: 0 to 100")
    memory_used_kb: int | None = Field(
        default=None, description="Memory used, in KiB; by its host's account all that its VMM holds, at most its size"
    )
    memory_total_kb: int | None = Field(default=None, description="Memory it has, in KiB")
    network_in_bytes: int | None = Field(default=None, description="Received by it since it booted")
    network_out_bytes: int | None = Field(default=None, description="Sent by it since it booted")
    disk_read_bytes: int | None = Field(default=None, description="Read from its disks since it booted")
    disk_write_bytes: int | None = Field(default=None, description="Written to its disks since it booted")
    network_in_bytes_per_s: float | None = Field(default=None, description="Received by it, each second")
    network_out_bytes_per_s: float | None = Field(default=None, description="Sent by it, each second")
    disk_read_bytes_per_s: float | None = Field(default=None, description="Read from its disks, each second")
    disk_write_bytes_per_s: float | None = Field(default=None, description="Written to its disks, each second")
    sources: dict[str, Source] = Field(default={}, description="Who measured each of the figures that are known")
    host: HostSideMetrics = Field(description="What its host sees")
    guest: GuestMetrics | None = Field(default=None, description="What its guest says, where it answers")


class UsageSample(Message):
    """What a machine used just now, for lists: over `span_ms` that end now."""

    id: UUID = Field(description="The machine's id")
    span_ms: int = Field(ge=1, le=MOST_INT4, description="Milliseconds it is about")
    cpu_percent: float = Field(ge=0, le=100, description="Of all its vCPUs together")
    memory_used_kib: Int8 = Field(description="In use at the end")
    memory_total_kib: Int8 = Field(description="What there is")
    net_in_bytes: Int8 | None = Field(default=None, description="Received meanwhile; null: nobody knows")
    net_out_bytes: Int8 | None = Field(default=None, description="Sent meanwhile; null: nobody knows")
    disk_read_bytes: Int8 | None = Field(default=None, description="Read meanwhile; null: nobody knows")
    disk_write_bytes: Int8 | None = Field(default=None, description="Written meanwhile; null: nobody knows")
    source: Source = Field(description="Who measured CPU and memory")


class Minute(Message):
    """What was used in one minute by the host's clock, to be kept."""

    at: Moment = Field(description="When the minute began")
    span_ms: int = Field(ge=1, le=LONGEST_MS, description="How much of it was measured, in milliseconds")
    guest_ms: Int4 = Field(description="How much of that the guest measured; the host did the rest")
    cpu_ms: Amount = Field(description="CPU time used in `span_ms`, of all CPUs together")
    cpus: int = Field(ge=1, le=MOST_INT4, description="How many there are")
    cpu_max_percent: float = Field(ge=0, le=100, description="Of all CPUs together, the most in any sample")
    memory_used_kib: Amount = Field(description="The mean")
    memory_total_kib: Amount = Field(description="What there is")
    net_in_bytes: Amount | None = Field(default=None, description="Received; null: nobody knows")
    net_out_bytes: Amount | None = Field(default=None, description="Sent; null: nobody knows")
    disk_read_bytes: Amount | None = Field(default=None, description="Read; null: nobody knows")
    disk_write_bytes: Amount | None = Field(default=None, description="Written; null: nobody knows")
    storage_used_bytes: Amount | None = Field(default=None, description="Of the root file system (host: of the disks')")
    storage_total_bytes: Amount | None = Field(default=None, description="Size of that; null: nobody knows")


class MachineMinute(Minute):
    """A minute of one machine."""

    id: UUID = Field(description="The machine's id")


MOST_SAMPLES = 500
"""In one report, of each kind."""


class SampleReport(Message):
    """POST /v1/hosts/{id}/samples. Minutes are repeated until they arrive, samples are not."""

    machines: tuple[UsageSample, ...] = Field(
        default=(), max_length=MOST_SAMPLES, description="What its machines use now; those that are off are left out"
    )
    minutes: tuple[MachineMinute, ...] = Field(
        default=(), max_length=MOST_SAMPLES, description="Minutes of its machines that are over"
    )
    host_minutes: tuple[Minute, ...] = Field(
        default=(), max_length=MOST_SAMPLES, description="Minutes of the host that are over"
    )


class SampleAnswer(Message):
    """What the manager wants next."""

    interval_s: float = Field(default=10, gt=0, le=3600, description="Seconds between samples")
    is_wanted: bool = Field(default=True, description="False: it keeps none; ask again after `interval_s`")
