"""One child process of the supervisor: started, watched, started again when it dies, stopped in its own way.

A child has a session of its own, so that Ctrl-C at the terminal reaches only the supervisor, which stops the children
in order. Its pid file outlives the supervisor: the next one (or `nexus down`) finds a child by it.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nexus.local import identity, leftovers, logs
from nexus.local.errors import CannotStart
from nexus.local.leftovers import StopRule

Say = Callable[[str], None]

CONFIGURATION_ERROR = 78
"""A child's exit status that says: starting again will not help (EX_CONFIG of sysexits.h)."""


@dataclass(frozen=True)
class Backoff:
    """Seconds to wait before starting a dead child again: doubled each time, from the first after a calm spell."""

    first_s: float = 0.5
    most_s: float = 30
    calm_s: float = 60
    """A child that lived this long is taken for healthy."""

    def delay_s(self, deaths: int) -> float:
        return min(self.first_s * 2 ** min(deaths - 1, 16), self.most_s)


@dataclass(frozen=True)
class Program:
    """What to run. `is_ready` is asked again and again until it says yes."""

    stopping: StopRule
    command: list[str]
    log: Path
    pid_file: Path
    is_ready: Callable[[], Awaitable[bool]]
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    cwd: Path = Path("/")
    uid: int | None = None
    gid: int | None = None


class Child:
    """Keeps one program running until told to stop."""

    def __init__(self, program: Program, *, say: Say, backoff: Backoff = Backoff(), tries: int = 3) -> None:
        self.program = program
        self._say = say
        self._backoff = backoff
        self._tries = tries
        self._deaths = 0
        self._has_been_ready = False
        self._last_words = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_running(), name=self.program.stopping.name)

    async def wait_ready(self, *, patience_s: float = 60) -> None:
        """Return once it is ready. CannotStart when it died too often before, or took too long."""
        deadline = time.monotonic() + patience_s
        while not await self.program.is_ready():
            if self._deaths >= self._tries:
                raise CannotStart(
                    f"{self.program.stopping.title} does not start: {self._last_words}\n(all of it: {self.program.log})"
                )
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{self.program.stopping.title} is not ready after {patience_s:.0f} s; see {self.program.log}"
                )
            await asyncio.sleep(0.03)
        self._has_been_ready = True

    async def stop(self) -> None:
        """End the process in its own way, for good."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await leftovers.stop_one(self.program.stopping, self.program.pid_file)
        if self._process is not None:
            self._process.wait()

    async def _keep_running(self) -> None:
        while True:
            began, log_size = time.monotonic(), _size(self.program.log)
            status = await self._run_once()
            if time.monotonic() - began > self._backoff.calm_s:
                self._deaths = 0
            self._deaths += 1 if status != CONFIGURATION_ERROR else self._tries
            self._last_words = logs.last_words(self.program.log, since=log_size) or "it said nothing"
            if not self._has_been_ready and self._deaths >= self._tries:
                return
            delay_s = self._backoff.delay_s(self._deaths)
            what = f"{self.program.stopping.title} ended ({ending(status)}), starting it again in {delay_s:g} s"
            # who ends by itself says why; a signal from outside comes in the middle of other talk
            self._say(f"{what}: {self._last_words}" if status >= 0 else f"{what}; its log: {self.program.log}")
            await asyncio.sleep(delay_s)

    async def _run_once(self) -> int:
        """Start the program and return its exit status (negative: the signal that ended it)."""
        process = self._process = launch(self.program)
        await _exit_of(process.pid)
        self.program.pid_file.unlink(missing_ok=True)
        return process.wait()


def launch(program: Program) -> subprocess.Popen[bytes]:
    """Start the program and write its pid file. Not a coroutine, so that nothing can cancel it in between."""
    log = logs.open_log(program.log)
    try:
        process = subprocess.Popen(
            program.command,
            env=os.environ | program.env,
            cwd=program.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=program.uid,
            group=program.gid,
            extra_groups=None if program.uid is None else (),
        )
    finally:
        os.close(log)
    if found := identity.find(process.pid):
        identity.write(program.pid_file, found)
    return process


async def _exit_of(pid: int) -> None:
    """Return when our child `pid` has ended; it still has to be reaped. Cancelling leaves it alone."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    descriptor = os.pidfd_open(pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def ending(status: int) -> str:
    """How a process ended, in words."""
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
