"""A bounded run of chaos with every `make test`: what it proves, and how to have more of it, is in docs/chaos.md."""

import random

import pytest
from tests.chaos.extents import SMALL
from tests.chaos.run import run


@pytest.mark.timeout(1800)
async def test_nothing_is_lost_doubled_leaked_or_stuck_whoever_is_killed() -> None:
    seed = random.randrange(1 << 31)
    report = await run(seed, SMALL)
    print(report)
    again = f'make chaos SEED={seed} ARGS="--small"'
    assert not report.wrongs, "\n".join([*report.wrongs, str(report), f"the same plan again: {again}"])
    assert report.crashes.total() >= SMALL.crashes / 4
