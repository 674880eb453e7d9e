"""A benchmark that is asked to end leaves nothing behind."""

import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import time
from benchmarks._processes import scratch
with scratch() as home:
    print(home, flush=True)
    time.sleep(600)
"""


def test_what_a_benchmark_made_is_gone_when_it_was_asked_to_end(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, cwd=root, env={"TMPDIR": str(tmp_path)}
    ) as benchmark:
        assert benchmark.stdout is not None
        home = Path(benchmark.stdout.readline().strip())
        assert home.parent == tmp_path
        assert home.is_dir()
        benchmark.terminate()
        assert benchmark.wait(timeout=60) == 128 + signal.SIGTERM
    assert not home.exists()
