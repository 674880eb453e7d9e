"""Rate limiters that have names, for those who do not want to think in token buckets. Pure.

Drives are told in MB/s and operations per second, as clouds sell them; interfaces in Mbit/s, as lines are.
"""

from dataclasses import dataclass

from nexus.manager.limits.bodies import Device
from nexus.protocol.limits import RateLimiter, TokenBucket

MB = 1_000_000
SECOND_MS, TENTH_MS = 1000, 100


@dataclass(frozen=True)
class Preset:
    name: str
    device: Device
    description: str
    limiter: RateLimiter


def _drive(name: str, *, megabytes: int, ops: int) -> Preset:
    limiter = RateLimiter(
        bandwidth=TokenBucket(size=megabytes * MB, refill_time=SECOND_MS),
        ops=TokenBucket(size=ops, refill_time=SECOND_MS),
    )
    return Preset(name, Device.DRIVE, f"{megabytes} MB/s and {ops} operations per second", limiter)


def _nic(name: str, *, megabits: int) -> Preset:
    size = megabits * MB // 8 * TENTH_MS // SECOND_MS
    limiter = RateLimiter(bandwidth=TokenBucket(size=size, refill_time=TENTH_MS))
    return Preset(name, Device.NIC, f"{megabits} Mbit/s", limiter)


PRESETS: tuple[Preset, ...] = (
    _drive("slow", megabytes=10, ops=150),
    _drive("standard", megabytes=60, ops=500),
    _drive("fast", megabytes=250, ops=5000),
    _nic("10mbit", megabits=10),
    _nic("100mbit", megabits=100),
    _nic("1gbit", megabits=1000),
    _nic("10gbit", megabits=10_000),
)
