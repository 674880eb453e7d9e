"""Metrics on the wire."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field


class PointSource(StrEnum):
    """Who measured CPU and memory of a point."""

    GUEST = "guest"
    HOST = "host"
    MIXED = "mixed"
    """Its guest for a part of the time, its host for the rest."""


class PointBody(BaseModel):
    """What was used in one step. Steps in which nothing was measured have no point."""

    at: datetime = Field(description="When the step began")
    covered_s: float = Field(description="How many seconds of it were measured")
    cpu_usage_percent: float = Field(description="CPU used, of all CPUs together: the mean, 0 to 100")
    cpu_usage_percent_max: float = Field(description="The most in any ten seconds or so")
    memory_usage_percent: float | None = Field(description="Memory used, of all there is: the mean, 0 to 100")
    memory_used_kb: int = Field(description="Memory used, in KiB: the mean")
    memory_total_kb: int = Field(description="Memory there is, in KiB")
    network_in_bytes_per_s: float | None = Field(description="Received each second: the mean; null: nobody knows")
    network_out_bytes_per_s: float | None = Field(description="Sent each second: the mean; null: nobody knows")
    disk_read_bytes_per_s: float | None = Field(description="Read each second: the mean; null: nobody knows")
    disk_write_bytes_per_s: float | None = Field(description="Written each second: the mean; null: nobody knows")
    storage_used_bytes: int | None = Field(
        description="Used at its end of the guest's root file system, or of the host's file system for disks"
    )
    storage_total_bytes: int | None = Field(description="The size of that; null: nobody knows")
    source: PointSource = Field(description="Who measured CPU and memory")


class HistoryBody(BaseModel):
    """What was used over time: at most 1,000 points."""

    since: datetime = Field(alias="from", description="When the first step began")
    to: datetime = Field(description="When the last step ends")
    step_s: int = Field(description="Seconds from point to point: those asked for, or more")
    points: list[PointBody] = Field(description="The points, oldest first")
