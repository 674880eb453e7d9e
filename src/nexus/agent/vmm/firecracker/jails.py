"""Firecracker processes in their jails: made, found again, and removed with everything that the jailer leaves behind
(facts 6, 10: it removes nothing).

A jail is known by its id, which is never used again, nor is its directory. Whatever of it is on the host can be found
from the id and the uid alone, so that a driver killed at any point leaves nothing that the next cannot remove.
"""

import asyncio
import contextlib
import os
import select
import shutil
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from nexus.agent.vmm import logs
from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.firecracker import places
from nexus.agent.vmm.firecracker.api import FirecrackerApi
from nexus.agent.vmm.firecracker.connection import ApiConnection, ApiTrouble
from nexus.agent.vmm.firecracker.exits import last_line
from nexus.agent.vmm.firecracker.jailer import Cell, Programs, jailed_command, unjailed_command
from nexus.agent.vmm.firecracker.memories import Memories
from nexus.agent.vmm.firecracker.netns import Namespace
from nexus.agent.vmm.firecracker.parenthood import expecting_orphans
from nexus.agent.vmm.firecracker.places import API_SOCKET, Places
from nexus.agent.vmm.firecracker.uids import Uids
from nexus.agent.vmm.port import VmmTrouble
from nexus.agent.vmm.process import KILL_DEADLINE_S, ProcessId, Watch, find_by_argument, launch, start_ticks
from nexus.agent.vmm.serial_input import make_fifo
from nexus.kit import log
from nexus.kit.ids import new_id

_log = log.get("nexus.agent.vmm.firecracker")

START_DEADLINE_S = 30.0
ANSWER_PATIENCE_S = 10.0
"""For one request; those that take long say so."""
LOOK_AGAIN_S = (0.005, 0.1)


@dataclass
class Jailed:
    """A Firecracker process that answers. `namespace`: None without one, and after a restart of the agent, when the
    process alone keeps it."""

    id: UUID
    uid: int
    process: ProcessId
    api: FirecrackerApi
    namespace: Namespace | None

    async def let_go(self) -> None:
        """Close what we hold of it; it runs on."""
        await self.api.connection.close()
        if self.namespace is not None:
            self.namespace.close()
            self.namespace = None


class Jails:
    """`programs.jailer` None: without jails, which is for development only (see `unjailed_command`)."""

    def __init__(self, *, programs: Programs, places: Places, uids: Uids, cgroups: Cgroups) -> None:
        self.places = places
        self.uids = uids
        self.cgroups = cgroups
        self.memories = Memories(places.memories)
        self._programs = programs

    @property
    def is_jailed(self) -> bool:
        return self._programs.jailer is not None

    async def make(self, *, ports: int) -> Jailed:
        """A process that waits to be told what to be, with `ports` TAP devices. Raises VmmTrouble; then nothing is
        left of it."""
        if self.is_jailed and (why_not := self.cgroups.missing()) is not None:
            raise VmmTrouble(f"the group that its limits would be in cannot be used: {why_not}")
        jail = new_id()
        uid = self.uids.take()
        namespace: Namespace | None = None
        try:
            if self.is_jailed:
                namespace = await asyncio.to_thread(Namespace.make, jail=jail, uid=uid, ports=ports)
            return await self._launch(jail, uid, namespace)
        except BaseException as failed:
            if namespace is not None:
                namespace.close()
            await self.remove(jail, uid)
            if isinstance(failed, OSError):
                raise VmmTrouble(f"Firecracker could not be started: {failed.strerror or failed}") from failed
            raise

    def reach(self, jail: UUID, uid: int, process: ProcessId) -> Jailed:
        """A process that was there before us, whether it answers or not."""
        return Jailed(jail, uid, process, self._api(jail, uid), None)

    async def remove(self, jail: UUID, uid: int, *, has_ended: bool = False) -> None:
        """Leave nothing of it: no process, directory, group or uid. Absent is success. `has_ended`: there is no process
        to look for."""
        await asyncio.to_thread(self._remove, jail, uid, has_ended=has_ended)
        await self.memories.sweep()
        self.uids.give_back(uid)

    async def remove_others(self, known: Iterable[UUID]) -> int:
        """Remove what jails there are beside these: nobody's, left behind by an agent that was killed. How many."""
        removed = await asyncio.to_thread(self._remove_others, set(known))
        await self.memories.sweep()
        return removed

    # making

    async def _launch(self, jail: UUID, uid: int, namespace: Namespace | None) -> Jailed:
        root = self.places.root(jail)
        cell = Cell(jail, uid, self.places.jails, namespace.path if namespace is not None else None)
        self.places.jail_parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.is_jailed:
            command = jailed_command(self._programs, cell)
        else:
            root.mkdir(parents=True)
            command = unjailed_command(self._programs, cell, uid=None)
        with expecting_orphans():
            begun = self._spawn(jail, command, cwd=Path("/") if self.is_jailed else root)
            process = await self._through_jailer(jail, begun) if self.is_jailed else begun
        made = Jailed(jail, uid, process, self._api(jail, uid), namespace)
        try:
            await self._until_it_answers(made)
        except BaseException:
            await made.api.connection.close()
            raise
        return made

    def _spawn(self, jail: UUID, command: list[str], *, cwd: Path) -> ProcessId:
        keys = make_fifo(self.places.keys(jail))
        try:
            with self.places.output(jail).open("ab", buffering=0) as out, self.places.errors(jail).open("ab") as err:
                return launch(command, fds=(), out=out, err=err, stdin=keys, cwd=cwd)
        finally:
            os.close(keys)

    async def _through_jailer(self, jail: UUID, jailer: ProcessId) -> ProcessId:
        """The process that the jailer became the parent of before it ended."""
        watch = Watch(jailer, lambda: None)
        try:
            async with asyncio.timeout(START_DEADLINE_S):
                await watch.ended.wait()
        except TimeoutError as late:
            raise VmmTrouble(f"the jailer did not end within {START_DEADLINE_S:g} s") from late
        finally:
            if not watch.ended.is_set():
                await watch.kill()
            watch.close()
        said = places.tail(self.places.root(jail), f"{self.places.exec_name}.pid", limit=32).strip()
        if watch.status or not said.isdigit():
            raise VmmTrouble(f"the jailer refused: {self._words(jail) or f'status {watch.status}'}")
        pid = int(said)
        return ProcessId(pid, start_ticks(pid) or 0)

    async def _until_it_answers(self, made: Jailed) -> None:
        pause, longest = LOOK_AGAIN_S
        why: Exception | None = None
        try:
            async with asyncio.timeout(START_DEADLINE_S):
                while made.process.is_alive():
                    try:
                        about = await made.api.describe()
                    except ApiTrouble as silent:
                        why = silent
                        await asyncio.sleep(pause)
                        pause = min(2 * pause, longest)
                        continue
                    if about.id != str(made.id):
                        raise VmmTrouble("another Firecracker answers in its place")
                    return
        except TimeoutError as late:
            raise VmmTrouble(f"Firecracker did not answer within {START_DEADLINE_S:g} s: {why}") from late
        raise VmmTrouble(f"Firecracker did not start: {self._words(made.id) or 'it said nothing'}")

    def _api(self, jail: UUID, uid: int) -> FirecrackerApi:
        root = self.places.root(jail)
        dialling = ApiConnection(lambda: places.dial(root, API_SOCKET, uid=uid), patience_s=ANSWER_PATIENCE_S)
        return FirecrackerApi(dialling)

    def _words(self, jail: UUID) -> str:
        return last_line(logs.tail(self.places.errors(jail))) or last_line(
            places.tail(self.places.root(jail), places.LOG)
        )

    # removing

    def _remove(self, jail: UUID, uid: int, *, has_ended: bool) -> None:
        for process in () if has_ended else self._processes(jail, uid):
            _kill(process)
        shutil.rmtree(self.places.jail(jail), ignore_errors=True)
        for path in (self.places.output(jail), self.places.errors(jail), self.places.keys(jail)):
            path.unlink(missing_ok=True)
        try:
            self.cgroups.discard(jail)
        except OSError as busy:  # its last thread is on its way out; whoever looks for leftovers comes by again
            _log.warning("cgroup_not_removed", jail=str(jail), why=str(busy))

    def _processes(self, jail: UUID, uid: int) -> list[ProcessId]:
        """Of that uid, if it is one of ours, and whoever has the jail's id on its command line: a jailer at work."""
        found = _of_uid(uid) if uid in self.uids else []
        at_work = find_by_argument(str(jail), uid=os.geteuid())
        return [*found, *([at_work] if at_work is not None else [])]

    def _remove_others(self, known: set[UUID]) -> int:
        removed = 0
        for jail in self._there() - known:
            root = self.places.root(jail)
            uid = root.lstat().st_uid if root.exists() else os.geteuid()
            self._remove(jail, uid, has_ended=False)
            removed += 1
        for jail in known & self._there():
            with contextlib.suppress(FileNotFoundError):
                self.uids.hold(self.places.root(jail).lstat().st_uid)
        return removed

    def _there(self) -> set[UUID]:
        """Every jail that something is left of."""
        names = [path.name for path in _listed(self.places.jail_parent)]
        names += [path.stem for path in _listed(self.places.jails) if path.suffix in (".console", ".err", ".keys")]
        found: set[UUID] = set()
        for name in names:
            with contextlib.suppress(ValueError):
                found.add(UUID(name))
        return found


def _listed(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []


def _of_uid(uid: int) -> list[ProcessId]:
    """Every process of that uid; slow, for recovery only."""
    wanted = f"\nUid:\t{uid}\t"
    found: list[ProcessId] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (entry / "status").read_text() and (ticks := start_ticks(int(entry.name))) is not None:
                    found.append(ProcessId(int(entry.name), ticks))
    return found


def _kill(process: ProcessId) -> None:
    """End it, and wait until it has ended."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, signal.SIGKILL)
            ended = select.poll()
            ended.register(fd, select.POLLIN)
            ended.poll(KILL_DEADLINE_S * 1000)
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PIDFD, fd, os.WEXITED | os.WNOHANG)
    finally:
        os.close(fd)
