"""`python -m benchmarks [NAME [OPTION…]]`: every benchmark one after another, or one of them with its own options."""

import pkgutil
import subprocess
import sys
from pathlib import Path

from benchmarks._ending import clean_up_when_asked_to_end


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
    with subprocess.Popen([sys.executable, "-m", f"benchmarks.{name}", *options]) as benchmark:
        try:
            return benchmark.wait()
        except BaseException:
            benchmark.terminate()  # and wait: it leaves nothing behind
            raise


if __name__ == "__main__":
    clean_up_when_asked_to_end()
    sys.exit(main(sys.argv[1:]))
