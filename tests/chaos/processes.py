"""The processes of a chaos run, and a supervisor that starts again what has ended.

What must stay true: a process is only ever ended by its descriptor, never by a pid that may be another's by now; and an
end that nobody brought about is noted with its status.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nexus.local.postgres import STOP_SIGNAL, Postgres, running_server

SECOND_TRY_S = 0.3
"""How long the supervisor waits before it starts again what has ended by itself."""
SEEN_RUNNING_S = 30.0


@dataclass
class Member:
    """A manager or an agent, over all its lives. `down`: how many blows keep it from being started."""

    name: str
    kind: str
    env: Mapping[str, str]
    cwd: Path
    log: Path
    skew_s: float = 0.0
    lives: int = 0
    down: int = 0
    descriptor: int | None = None
    pid: int | None = None
    was_killed: bool = False
    ends: list[int] = field(default_factory=list[int])
    """The statuses of the lives that it ended itself."""


class Nursery:
    """The process they are forked from (see `nursery`)."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._pending: set[asyncio.Task[None]] = set()
        self._ended: dict[str, asyncio.Event] = {}
        self.is_closing = False

    async def open(self, *, log: Path) -> None:
        with log.open("wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.chaos.nursery",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=Path(__file__).parents[2],
            )
        assert self._process.stdout is not None
        if not await self._process.stdout.readline():
            raise RuntimeError(f"no process can be started: {log.read_text()}")
        self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """End every process, and the nursery."""
        self.is_closing = True
        for member in self.members.values():
            await self.kill(member.name)
        for task in self._pending:
            task.cancel()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            await self._process.wait()
        if self._listening is not None:
            await self._listening

    def add(self, member: Member) -> None:
        self.members[member.name] = member
        self._ended[member.name] = asyncio.Event()
        self._ended[member.name].set()

    async def start(self, name: str) -> None:
        """Start it, unless it runs or is kept down."""
        member = self.members[name]
        if self.is_closing or member.down or not self._ended[name].is_set():
            return
        self._ended[name].clear()
        member.was_killed = False
        wanted = {
            "name": name,
            "kind": member.kind,
            "env": dict(member.env),
            "cwd": str(member.cwd),
            "log": str(member.log),
            "skew_s": member.skew_s,
        }
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(wanted)}\n".encode())
        await self._process.stdin.drain()

    async def until_runs(self, name: str) -> None:
        """Until it has been started, or for a few seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SEEN_RUNNING_S):
                while self.members[name].descriptor is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

    async def kill(self, name: str) -> bool:
        """End it as kill -9 does; false when it does not run."""
        self.members[name].was_killed = True
        if not self.signal(name, signal.SIGKILL):
            return False
        await self._ended[name].wait()
        return True

    def signal(self, name: str, what: signal.Signals) -> bool:
        """Send it; false when the process does not run, or has just ended by itself, which is told next."""
        descriptor = self.members[name].descriptor
        if descriptor is None:
            return False
        try:
            signal.pidfd_send_signal(descriptor, what)
        except ProcessLookupError:
            return False
        return True

    async def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            told: dict[str, Any] = json.loads(line)
            if "started" in told:
                self._note_start(self.members[told["started"]], told["pid"])
            else:
                self._note_end(told["ended"], told["status"])

    def _note_start(self, member: Member, pid: int) -> None:
        """It may have ended since; that is told next."""
        member.pid = pid
        member.lives += 1
        with contextlib.suppress(ProcessLookupError):
            member.descriptor = os.pidfd_open(pid)

    def _note_end(self, pid: int, status: int) -> None:
        member = next((each for each in self.members.values() if each.pid == pid), None)
        if member is None:
            return
        if member.descriptor is not None:
            os.close(member.descriptor)
        member.descriptor, member.pid = None, None
        self._ended[member.name].set()
        if not member.was_killed:
            member.ends.append(status)
            task = asyncio.create_task(self._start_again(member.name))
            self._pending.add(task)
            task.add_done_callback(self._pending.discard)

    async def _start_again(self, name: str) -> None:
        await asyncio.sleep(SECOND_TRY_S)
        await self.start(name)


class Database:
    """The embedded PostgreSQL, in its own process, without waiting for a disk: what a killed process has written is
    with the kernel, and the machine itself does not fall over here."""

    def __init__(self, server: Postgres, *, log: Path) -> None:
        self.server = server
        self.down = 0
        self._log = log
        self._starting = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Until it takes connections, or is kept down; tries again while the one before still holds its memory."""
        async with self._starting:
            await self._start()

    async def _start(self) -> None:
        command = self.server.command(fsync="off", full_page_writes="off", max_connections="120")
        while not self.down and (self._process is None or self._process.poll() is not None):
            running_server(self.server.data)  # removes the pid file of a server that is no more
            start = self._log.stat().st_size if self._log.exists() else 0
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    command,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,
                    user=self.server.run_as,
                    group=self.server.run_as_group,
                )
            while self._process.poll() is None:
                if b"ready to accept connections" in self._log.read_bytes()[start:]:
                    return
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.1)

    async def until_runs(self) -> None:
        """Until it takes connections, or for a few seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SEEN_RUNNING_S):
                while self.down or self._starting.locked():  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

    async def kill(self) -> bool:
        return await self._end(signal.SIGKILL)

    async def stop(self) -> bool:
        return await self._end(STOP_SIGNAL)

    async def _end(self, how: signal.Signals) -> bool:
        if self._process is None or self._process.poll() is not None:
            return False
        self._process.send_signal(how)
        await asyncio.to_thread(self._process.wait)
        return True
