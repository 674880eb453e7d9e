"""Disks as QEMU is told of them: places, names and limits. Pure."""

import json
from pathlib import Path

import pytest

from nexus.agent.vmm.qemu import drives
from nexus.agent.vmm.qemu.drives import DiskPlan
from nexus.kit.ids import new_id
from nexus.protocol.limits import RateLimiter, TokenBucket
from nexus.protocol.machines import CacheType, IoEngine


def limiter(size: int, refill_time: int) -> RateLimiter:
    return RateLimiter(bandwidth=TokenBucket(size=size, refill_time=refill_time))


@pytest.mark.parametrize(
    ("given", "rate", "most"),
    [
        (limiter(10_000_000, 1000), 10_000_000, 10_000_000),
        (limiter(50_000_000, 5000), 10_000_000, 50_000_000),
        (limiter(1_000_000, 100), 10_000_000, 0),
        (limiter(5_000_000, 500), 10_000_000, 0),
        (None, 0, 0),
    ],
)
def test_a_bucket_becomes_a_rate_and_a_burst_that_qemu_takes(given: RateLimiter | None, rate: int, most: int) -> None:
    """A burst that is less than passes in a second QEMU refuses; it then has a tenth of a second's worth."""
    assert drives.limits(given) == {
        "bps-total": rate,
        "bps-total-max": most,
        "iops-total": 0,
        "iops-total-max": 0,
    }, "what is left out would stay as it was"


def test_every_name_fits_qemu_and_is_the_drives_own() -> None:
    ids = [new_id() for _ in range(200)]
    here, there = Path("/").stat(), Path("/proc").stat()
    names = {drives.node_name(one, file) for one in ids for file in (here, there)}
    assert len(names) == 2 * len(ids)
    assert all(len(name) <= 31 and name[0].isalpha() and name.isalnum() for name in names)
    assert all(drives.node_name(one, here).startswith(drives.node_prefix(one)) for one in ids)


@pytest.mark.parametrize(("others", "disks", "spare"), [(4, 2, 4), (9, 10, 4), (13, 9, 2), (14, 10, 0), (20, 10, 0)])
def test_there_are_never_more_places_than_the_machine_has(others: int, disks: int, spare: int) -> None:
    assert drives.spare_slots(others, disks) == spare


def test_cache_and_engine_are_what_was_asked_for() -> None:
    def node(**fields: object) -> tuple[object, object]:
        plan = DiskPlan("data", "d", 0, read_only=False)
        made = drives.node(DiskPlan(**{**plan.__dict__, **fields}), slot=0)  # pyright: ignore[reportArgumentType]
        return made["file"]["cache"]["no-flush"], made["file"]["aio"]

    assert node() == (False, "threads")
    assert node(cache_type=CacheType.UNSAFE) == (True, "threads")
    assert node(io_engine=IoEngine.ASYNC) == (False, "io_uring")
    through = drives.arguments([DiskPlan("data", "d", 0, False, CacheType.WRITETHROUGH)], spare=0)
    assert through[-1].endswith("serial=data,write-cache=off")
    assert json.loads(through[1])["qom-type"] == "throttle-group"
