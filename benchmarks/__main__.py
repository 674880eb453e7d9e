"""`python -m benchmarks [NAME [OPTION…]]`: every benchmark one after another, or one of them with its own options."""

import pkgutil
import subprocess
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """The number of benchmarks that failed, or the exit status of the one that was named."""
    names = sorted(found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)]) if found.name[0] != "_")
    if arguments and arguments[0] not in names:
        print(f"There is no benchmark {arguments[0]!r}; there are: {', '.join(names) or 'none yet'}", file=sys.stderr)
        return 2
    if arguments:
        return run(arguments[0], arguments[1:])
    return sum(run(name, []) != 0 for name in names)


def run(name: str, options: list[str]) -> int:
    print(f"== {name}", flush=True)
    return subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
