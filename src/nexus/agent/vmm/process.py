"""VMM processes that belong to nobody: started in a session of their own, found again, watched, ended.

A process is known by its pid *and* its start time, so that a recycled pid is never taken for a VMM. Exits are seen
through a pidfd, for children and for adopted processes alike; only a child's exit status can be read.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

KILL_DEADLINE_S = 10.0


@dataclass(frozen=True)
class ProcessId:
    """`start_ticks`: field 22 of /proc/PID/stat, in clock ticks since the host booted."""

    pid: int
    start_ticks: int

    def is_alive(self) -> bool:
        return start_ticks(self.pid) == self.start_ticks


def start_ticks(pid: int) -> int | None:
    """When the process started; None for one that is not there or has ended (a zombie)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def launch(
    argv: list[str],
    *,
    fds: Iterable[int],
    out: IO[bytes],
    err: IO[bytes],
    stdin: int = subprocess.DEVNULL,
    cwd: Path = Path("/"),
) -> ProcessId:
    """Run `argv` in a session of its own, with these descriptors and no others. Raises OSError."""
    child = subprocess.Popen(
        argv,
        stdin=stdin,
        stdout=out,
        stderr=err,
        pass_fds=tuple(fds),
        start_new_session=True,
        cwd=cwd,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
    )
    ticks = start_ticks(child.pid)
    child.returncode = 0  # the watcher reaps it, through the pidfd; Popen's destructor must not
    return ProcessId(child.pid, ticks if ticks is not None else 0)


def find_by_argument(argument: str, *, uid: int) -> ProcessId | None:
    """The process of `uid` that has `argument` on its command line; slow, for recovery only."""
    wanted = argument.encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if entry.stat().st_uid == uid and wanted in (entry / "cmdline").read_bytes().split(b"\0"):
                pid = int(entry.name)
                ticks = start_ticks(pid)
                if ticks is not None:
                    return ProcessId(pid, ticks)
    return None


class Watch:
    """Knows when one process ends. `status` is its wait status; None when it was not our child."""

    def __init__(self, process: ProcessId, on_exit: Callable[[], None]) -> None:
        self.process = process
        self.status: int | None = None
        self.ended = asyncio.Event()
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        self._fd: int | None = None
        self._open()

    def _open(self) -> None:
        try:
            self._fd = os.pidfd_open(self.process.pid)
        except ProcessLookupError:
            self._over()
            return
        if not self.process.is_alive() and not self._is_own_child():
            self._over()
            return
        self._loop.add_reader(self._fd, self._readable)

    def _is_own_child(self) -> bool:
        try:
            return os.waitid(os.P_PIDFD, self._fd or -1, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return False

    def _readable(self) -> None:
        with contextlib.suppress(ChildProcessError):
            assert self._fd is not None
            ended = os.waitid(os.P_PIDFD, self._fd, os.WEXITED)
            if ended is not None:
                killed = ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
                self.status = -ended.si_status if killed else ended.si_status
        self._over()

    def _over(self) -> None:
        self.close()
        if not self.ended.is_set():
            self.ended.set()
            self._loop.call_soon(self._on_exit)

    def close(self) -> None:
        """Stop watching; the process runs on."""
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = None

    async def kill(self) -> None:
        """End the process at once and wait until it is gone."""
        if self._fd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._fd, signal.SIGKILL)
        async with asyncio.timeout(KILL_DEADLINE_S):
            await self.ended.wait()
