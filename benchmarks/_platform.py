"""A platform of the benchmark's own: a scratch data directory, free ports, guests that reach nothing."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks._ending import clean_up_when_asked_to_end

READY_DEADLINE_S = 300


@dataclass(frozen=True)
class Platform:
    """A running all-in-one and a signed-in client of it."""

    url: str
    data: Path
    http: httpx.Client
    supervisor: psutil.Process


@contextmanager
def platform(**settings: str) -> Generator[Platform]:
    """`nexus up` in a scratch directory, until the end of the block; `settings` are environment variables. Also when
    this process is asked to end, nothing of it is left."""
    clean_up_when_asked_to_end()
    home = Path(tempfile.mkdtemp(prefix="nexus-bench-"))
    home.chmod(0o711)
    url = f"http://127.0.0.1:{free_port()}"
    env = os.environ | {
        "NEXUS_DATA_DIR": str(home / "data"),
        "NEXUS_CONFIG_DIR": str(home / "cli"),
        "MANAGER_BIND": url.removeprefix("http://"),
        "AGENT_NETWORK": "user",
        "AGENT_USER_NET_RESTRICT": "1",
        "MANAGER_CPU_OVERCOMMIT": "100",
        **settings,
    }
    cli = [sys.executable, "-m", "nexus.cli"]
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen([*cli, "up"], env=env, stdout=log, stderr=log, start_new_session=True)
        try:
            token = _wait_ready(process, url, home)
            with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=90) as client:
                try:
                    yield Platform(url, home / "data", client, psutil.Process(process.pid))
                finally:
                    delete_all(client)
        finally:
            subprocess.run([*cli, "down", "--stop-guests"], env=env, stdout=log, stderr=log, check=False)
            process.wait(timeout=60)
            shutil.rmtree(home)


def checked(answer: httpx.Response) -> Any:
    """The JSON of an answer that is none of an error."""
    answer.raise_for_status()
    return answer.json()


def delete_all(http: httpx.Client) -> None:
    """Delete every VM and wait until nothing is left of it."""
    for vm in checked(http.get("/v1/vms", params={"limit": 500}))["items"]:
        http.delete(f"/v1/vms/{vm['id']}", params={"wait": 60}).raise_for_status()


def _wait_ready(process: subprocess.Popen[bytes], url: str, home: Path) -> str:
    """The root user's token, once `up` has said that everything runs."""
    deadline = time.monotonic() + READY_DEADLINE_S
    log = home / "up.log"
    while "Nexus is ready" not in log.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the platform did not start: {log.read_text(errors='replace')}")
        time.sleep(0.1)
    contexts = json.loads((home / "cli" / "contexts.json").read_text())
    return next(context["token"] for context in contexts["contexts"].values() if context["url"] == url)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
