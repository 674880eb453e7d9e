"""`python -m tests.chaos [--seed N] …`: see docs/chaos.md. Ends with status 1 when anything was wrong."""

import argparse
import asyncio
import random
import sys
from pathlib import Path

from tests.chaos.plan import Extent
from tests.chaos.run import run


def main() -> int:
    options = _parser().parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 31)
    extent = Extent(
        actions=options.actions, crashes=options.crashes, users=options.users, names=options.vms, pace_s=options.pace
    )
    print(f"chaos: seed {seed}; the same again: make chaos SEED={seed}", file=sys.stderr, flush=True)
    report = asyncio.run(run(seed, extent, keep=options.logs))
    for wrong in report.wrongs:
        print(f"WRONG: {wrong}")
    print(report)
    return 1 if report.wrongs else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="of the plan; default: any, which is printed")
    parser.add_argument("--actions", type=int, default=6000, help="requests of users")
    parser.add_argument("--crashes", type=int, default=1000, help="processes and guests to kill")
    parser.add_argument("--users", type=int, default=16, help="at once")
    parser.add_argument("--vms", type=int, default=240, help="at a time, at most")
    parser.add_argument("--pace", type=float, default=0.5, help="seconds between two faults, on average")
    parser.add_argument("--logs", type=Path, help="a directory to leave the processes' logs in")
    return parser


if __name__ == "__main__":
    sys.exit(main())
