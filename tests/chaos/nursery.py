"""Where the processes of a chaos run are born: `python -m tests.chaos.nursery`, spoken to in lines of JSON.

A process that is killed every few hundred milliseconds must not take two seconds of the machine to start. So managers
and agents are forked from one that has imported them already, and then run the product's own `main` with an environment
and a clock of their own. What must stay true: none outlives this process, and every end is told.
"""

import ctypes
import gc
import json
import os
import signal
import sys
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from tests.chaos.clock import SkewedClock

from nexus.agent import __main__ as agent
from nexus.manager import __main__ as manager

MAINS = {"manager": manager.main, "agent": agent.main}
_PR_SET_PDEATHSIG = 1


def serve() -> None:
    """Start what each line of standard input asks for; end with it."""
    signal.signal(signal.SIGCHLD, _reap)
    gc.freeze()
    _tell(ready=True)
    for line in sys.stdin:
        wanted: dict[str, Any] = json.loads(line)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # its end is told after its start
        pid = os.fork()
        if pid == 0:
            _become(wanted)
        _tell(started=wanted["name"], pid=pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _become(wanted: dict[str, Any]) -> NoReturn:
    """Be the process that was asked for, to its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for theirs, ours in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(theirs, ours)
    os.environ.clear()
    os.environ.update(wanted["env"])
    os.chdir(wanted["cwd"])
    sys.argv = [wanted["name"]]
    status = 70
    try:
        status = MAINS[wanted["kind"]](clock=SkewedClock(timedelta(seconds=wanted["skew_s"])))
    except BaseException:  # it must not come back to the loop that it was forked from
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _reap(*_: object) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell(ended=pid, status=os.waitstatus_to_exitcode(status))


def _tell(**what: object) -> None:
    """One line, written at once, so that a signal's handler cannot come in between."""
    os.write(1, f"{json.dumps(what)}\n".encode())


if __name__ == "__main__":
    os.chdir(Path("/"))
    serve()
