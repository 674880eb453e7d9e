"""`make dev`: the platform with debug logs, and the UI's pages with hot reload before it, until Ctrl-C.

With MANAGER_URL only the pages, before a manager that runs already, wherever that is.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from types import FrameType
from typing import NoReturn

from bootstrap.steps import ROOT, say
from bootstrap.ui import UI, ensure_packages, node_environment, node_root, npm

PAGES = "http://127.0.0.1:3000"
READY_S = 600
"""The first start makes images, which takes its time."""


def main() -> int:
    ensure_packages(with_dev=True)
    manager = os.environ.get("MANAGER_URL")
    signal.signal(signal.SIGTERM, _end)  # or what was started would be left behind
    started = [] if manager else [_platform()]
    manager = manager or f"http://{os.environ.get('MANAGER_BIND', '127.0.0.1:18080')}"
    try:
        if started and not _answers(manager, started[0]):
            return started[0].wait()
        subprocess.run([*npm(), "run", "--silent", "generate"], cwd=UI, env=node_environment(), check=True)
        say(f"pages with hot reload at {PAGES}, every component in every state at {PAGES}/design")
        environment = node_environment() | {"MANAGER_URL": manager}
        started.append(subprocess.Popen([node_root() / "bin" / "node", "dev.mjs"], cwd=UI, env=environment))
        while all(process.poll() is None for process in started):
            time.sleep(0.5)
        return max(process.poll() or 0 for process in started)
    except KeyboardInterrupt:
        return 0
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait()


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _platform() -> "subprocess.Popen[bytes]":
    levels = {"MANAGER_LOG_LEVEL": "debug", "AGENT_LOG_LEVEL": "debug"}
    return subprocess.Popen([ROOT / "nexus", "up"], env=levels | os.environ)


def _answers(manager: str, process: "subprocess.Popen[bytes]") -> bool:
    """Whether the manager answers before its process ends."""
    deadline = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{manager}/health/ready", timeout=5):
                return True
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.5)
    return False


if __name__ == "__main__":
    sys.exit(main())
