"""Rate limiters on the wire: the token buckets of `protocol.limits`, as strict as any request.

What must stay true: what passes here, `protocol.limits` takes.
"""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from nexus.kit.envelopes import Items
from nexus.kit.fields import RequestBody
from nexus.protocol.limits import (
    LEAST_BYTES_PER_S,
    LEAST_OPS_PER_S,
    MOST_BYTES_PER_S,
    MOST_OPS_PER_S,
    RateLimiter,
    Refill,
    TokenBucket,
    Tokens,
    check_rate,
)


class Device(StrEnum):
    """What a rate limiter is for."""

    DRIVE = "drive"
    NIC = "nic"


class TokenBucketBody(RequestBody):
    """A limit: `size` tokens per `refill_time` milliseconds. 10 MB per 1000 ms are 10 MB/s, as are 1 MB per 100 ms."""

    size: Tokens = Field(description="Tokens (bytes, or operations) it holds; that many may pass at once")
    refill_time: Refill = Field(description="Milliseconds in which an empty bucket is full again")
    one_time_burst: Tokens | None = Field(
        default=None, description="Tokens on top for the beginning, which never come back, where the hypervisor can"
    )

    def bucket(self) -> TokenBucket:
        return TokenBucket(size=self.size, refill_time=self.refill_time, one_time_burst=self.one_time_burst)


class NicLimiterBody(RequestBody):
    """Limits what an interface receives, or what it sends."""

    bandwidth: TokenBucketBody = Field(description=f"In bytes: {LEAST_BYTES_PER_S} to {MOST_BYTES_PER_S} per second")

    @field_validator("bandwidth")
    @classmethod
    def _bandwidth_can_be_kept(cls, given: TokenBucketBody, info: ValidationInfo) -> TokenBucketBody:
        return _kept(given, info, least=LEAST_BYTES_PER_S, most=MOST_BYTES_PER_S, unit="bytes")

    def limiter(self) -> RateLimiter:
        return RateLimiter(bandwidth=self.bandwidth.bucket())


class DriveLimiterBody(RequestBody):
    """Limits what is read and written, together. At least one of the two."""

    bandwidth: TokenBucketBody | None = Field(
        default=None, description=f"In bytes: {LEAST_BYTES_PER_S} to {MOST_BYTES_PER_S} per second"
    )
    ops: TokenBucketBody | None = Field(
        default=None, description=f"In operations: {LEAST_OPS_PER_S} to {MOST_OPS_PER_S} per second"
    )

    @field_validator("bandwidth")
    @classmethod
    def _bandwidth_can_be_kept(cls, given: TokenBucketBody | None, info: ValidationInfo) -> TokenBucketBody | None:
        return given and _kept(given, info, least=LEAST_BYTES_PER_S, most=MOST_BYTES_PER_S, unit="bytes")

    @field_validator("ops")
    @classmethod
    def _ops_can_be_kept(cls, given: TokenBucketBody | None, info: ValidationInfo) -> TokenBucketBody | None:
        return given and _kept(given, info, least=LEAST_OPS_PER_S, most=MOST_OPS_PER_S, unit="operations")

    def limiter(self) -> RateLimiter | None:
        """None for a body that limits nothing."""
        found = RateLimiter(
            bandwidth=self.bandwidth.bucket() if self.bandwidth else None,
            ops=self.ops.bucket() if self.ops else None,
        )
        return None if found.is_empty else found


class BucketAnswer(BaseModel):
    """A limit: `size` tokens per `refill_time` milliseconds."""

    size: int = Field(description="Tokens (bytes, or operations) it holds; that many may pass at once")
    refill_time: int = Field(description="Milliseconds in which an empty bucket is full again")
    one_time_burst: int | None = Field(description="Tokens on top for the beginning")


class NicLimiterAnswer(BaseModel):
    """Limits of what an interface receives, or sends."""

    bandwidth: BucketAnswer = Field(description="In bytes")


class DriveLimiterAnswer(BaseModel):
    """Limits of what is read and written, together."""

    bandwidth: BucketAnswer | None = Field(description="In bytes; null: none")
    ops: BucketAnswer | None = Field(description="In operations; null: none")


class PresetBody(BaseModel):
    """A rate limiter that has a name."""

    name: str = Field(description="What it is called")
    device: Device = Field(description="What it is for")
    description: str = Field(description="What it amounts to")
    rate_limiter: DriveLimiterAnswer | NicLimiterAnswer = Field(
        description="What to send as a drive's `rate_limiter`, or as that of either direction of a NIC"
    )


class PresetList(Items[PresetBody]):
    """Rate limiters that have names."""


def stored(limiter: RateLimiter | None, *, device: Device) -> dict[str, Any] | None:
    """As the database keeps it and answers tell it."""
    if limiter is None:
        return None
    return limiter.model_dump(exclude={"ops"} if device is Device.NIC else None)


def _kept(given: TokenBucketBody, info: ValidationInfo, *, least: int, most: int, unit: str) -> TokenBucketBody:
    """Raises ValueError for a rate that is out of bounds."""
    check_rate(str(info.field_name), given.bucket(), least=least, most=most, unit=unit)
    return given
