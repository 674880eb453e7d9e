"""Rate limits, in the form that Firecracker gave them: token buckets.

A bucket holds `size` tokens and is full at first; what passes takes tokens, and they come back so that an empty bucket
would be full after `refill_time` milliseconds. So the rate in the long run is size / refill_time, and `size` is what
may pass at once. Must stay true: what is valid here can be kept by everything that limits (a bound per second that is
too low would let a guest's disk stand still, one that is too high does not fit where it is stored).
"""

from typing import Annotated

from pydantic import Field, model_validator

from nexus.protocol.base import Message

LEAST_BYTES_PER_S = 16 << 10
"""Below this one request of a guest, which may have a megabyte, would take minutes."""
MOST_BYTES_PER_S = 100 * 10**9
LEAST_OPS_PER_S = 1
MOST_OPS_PER_S = 10**7
MOST_TOKENS = 10**13
MOST_REFILL_MS = 3_600_000

Tokens = Annotated[int, Field(ge=1, le=MOST_TOKENS)]
Refill = Annotated[int, Field(ge=1, le=MOST_REFILL_MS)]


class TokenBucket(Message):
    """A limit: `size` tokens per `refill_time` milliseconds."""

    size: Tokens = Field(description="Tokens (bytes, or operations) it holds; that many may pass at once")
    refill_time: Refill = Field(description="Milliseconds in which an empty bucket is full again")
    one_time_burst: Tokens | None = Field(
        default=None, description="Tokens on top for the beginning, which never come back"
    )

    @property
    def per_second(self) -> float:
        """What passes in the long run."""
        return self.size * 1000 / self.refill_time


class RateLimiter(Message):
    """Limits of one direction or device; None: none of this kind."""

    bandwidth: TokenBucket | None = Field(default=None, description="In bytes")
    ops: TokenBucket | None = Field(default=None, description="In operations: requests of a disk, frames of a network")

    @model_validator(mode="after")
    def _rates_can_be_kept(self) -> "RateLimiter":
        check_rate("bandwidth", self.bandwidth, least=LEAST_BYTES_PER_S, most=MOST_BYTES_PER_S, unit="bytes")
        check_rate("ops", self.ops, least=LEAST_OPS_PER_S, most=MOST_OPS_PER_S, unit="operations")
        return self

    @property
    def is_empty(self) -> bool:
        return self.bandwidth is None and self.ops is None


def check_rate(name: str, bucket: TokenBucket | None, *, least: int, most: int, unit: str) -> None:
    """Raises ValueError for a bucket whose rate is out of bounds, in words for whoever set it."""
    if bucket is None:
        return
    rate = bucket.per_second
    if rate < least or rate > most:
        raise ValueError(
            f"{name}: {bucket.size} {unit} per {bucket.refill_time} ms are {rate:.6g} per second; "
            f"from {least} to {most} can be kept"
        )
