"""`python -m tests.chaos [--seed N] …`: see docs/chaos.md. Ends with status 1 when anything was wrong."""

import argparse
import asyncio
import random
import sys
from dataclasses import replace
from pathlib import Path

from tests.chaos.extents import FAKE, REAL, SMALL
from tests.chaos.plan import Extent
from tests.chaos.run import run
from tests.chaos.site import real_images


def main() -> int:
    options = _parser().parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 31)
    real = real_images() if options.driver == "qemu" else None
    print(f"chaos: seed {seed}; the same plan again: {_again(seed)}", file=sys.stderr, flush=True)
    report = asyncio.run(run(seed, _extent(options), driver=options.driver, images=real, keep=options.logs))
    for wrong in report.wrongs:
        print(f"WRONG: {wrong}")
    print(report)
    return 1 if report.wrongs else 0


def _extent(options: argparse.Namespace) -> Extent:
    """As given, or as fits the hypervisor: real guests are few, boot for seconds, and are what is killed most."""
    given = {name: value for name, value in vars(options).items() if name in _OWN and value is not None}
    usual = SMALL if options.small else FAKE
    return replace(REAL if options.driver == "qemu" else usual, **given)


def _again(seed: int) -> str:
    words = sys.argv[1:]
    if "--seed" in words:
        at = words.index("--seed")
        del words[at : at + 2]
    return f"make chaos SEED={seed}" + (f' ARGS="{" ".join(words)}"' if words else "")


_OWN = ("actions", "crashes", "users", "names", "pace_s")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="of the plan; default: any, which is printed")
    parser.add_argument("--driver", choices=["fake", "qemu"], default="fake", help="which hypervisor (default: fake)")
    parser.add_argument("--small", action="store_true", help="as in `make test`")
    parser.add_argument("--actions", type=int, help="requests of users")
    parser.add_argument("--crashes", type=int, help="processes and guests to kill")
    parser.add_argument("--users", type=int, help="at once")
    parser.add_argument("--vms", type=int, dest="names", help="at a time, at most")
    parser.add_argument("--pace", type=float, dest="pace_s", help="seconds between two faults, on average")
    parser.add_argument("--logs", type=Path, help="a directory to leave the processes' logs in")
    return parser


if __name__ == "__main__":
    sys.exit(main())
