"""`python -m bootstrap [packages|venv|dev|guest …]`: the named steps, or what running takes, in order."""

import sys

from bootstrap import guest, packages, ui, venv
from bootstrap.steps import Failed

STEPS = {
    "packages": packages.ensure,
    "packages-dev": packages.ensure_for_tests,
    "venv": venv.ensure,
    "dev": venv.ensure_dev,
    "guest": guest.ensure,
    "ui": ui.ensure,
    "ui-dev": ui.ensure_dev,
}
TO_RUN = ("packages", "venv", "guest", "ui")


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        print(f"nexus: unknown step {unknown[0]!r} (known: {', '.join(STEPS)})", file=sys.stderr)
        return 2
    try:
        for name in names or TO_RUN:
            STEPS[name]()
    except Failed as failed:
        print(f"nexus: {failed}", file=sys.stderr)
        return 1
    return 0


sys.exit(main(sys.argv[1:]))
