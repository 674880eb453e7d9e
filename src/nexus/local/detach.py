"""`nexus up --detach`: starts the supervisor in a session of its own and returns once it is ready."""

import os
import subprocess
import sys
import time

from rich.console import Console

from nexus.local import identity, logs, place
from nexus.local.errors import CannotStart
from nexus.local.place import Place
from nexus.local.talk import say, tell
from nexus.local.up import Options


def run(options: Options, *, console: Console) -> int:
    """Start it and relay what it says until it is ready (0) or has ended (its exit status)."""
    where = place.here()
    try:
        place.prepare(where)
    except CannotStart as refused:
        tell(refused, console)
        return 1
    said = where.logs / "up.log"
    logs.rotate(said)
    log = logs.open_log(said)
    offset = os.fstat(log).st_size
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "nexus.local", *_arguments(options)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(log)
    while True:
        status, is_ready = process.poll(), _is_ready(where, process.pid)  # before the last words are read
        text = said.read_bytes()[offset:]
        offset += len(text)
        say(console, text.decode(errors="replace"), end="")
        if status is not None or is_ready:
            return status or 0
        time.sleep(0.05)


def _arguments(options: Options) -> list[str]:
    given = {"--manager-config": options.manager_config, "--agent-config": options.agent_config}
    return [word for name, path in given.items() if path for word in (name, str(path.absolute()))]


def _is_ready(where: Place, pid: int) -> bool:
    found = identity.read(where.supervisor_pid)
    return found is not None and found[0].pid == pid and found[1].get("ready") is True
