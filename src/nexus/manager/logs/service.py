"""Which logs there are, and how each is read.

A name leads to a file that the platform itself writes; nothing that comes with a request becomes part of a path.
"""

import asyncio
from enum import StrEnum
from uuid import UUID

from nexus.kit import logtail
from nexus.manager import following
from nexus.manager.access import Actor
from nexus.manager.agents.client import ConsoleLog
from nexus.manager.agents.pool import Agents
from nexus.manager.following import Read
from nexus.manager.hosts.service import Hosts
from nexus.manager.logs.errors import LogNotKept, LogSubjectMissing
from nexus.manager.settings import ManagerSettings
from nexus.manager.vms.guest import Guests, told

PART_BYTES = 256 * 1024
MOST_BYTES = 1 << 20
"""Of a log's end, however many lines that is."""


class LogName(StrEnum):
    """The logs that the platform writes."""

    MANAGER = "manager"
    """Of the manager that answers, if there are several."""
    AGENT = "agent"
    """Of a host's agent."""
    CONSOLE = "console"
    """A VM's serial console."""
    VMM = "vmm"
    """What a VM's hypervisor says."""


class Logs:
    def __init__(self, guests: Guests, hosts: Hosts, agents: Agents, settings: ManagerSettings) -> None:
        self._guests = guests
        self._hosts = hosts
        self._agents = agents
        self._file = settings.log_file

    async def open(self, actor: Actor, name: LogName, *, host: UUID | None, vm: UUID | None) -> Read:
        """How to read this log. Raises LogSubjectMissing, LogNotKept, HostNotFound, VmNotFound, VmLost."""
        if name is LogName.MANAGER:
            return self._own()
        if name is LogName.AGENT:
            return await self._agents_own(host)
        if vm is None:
            raise LogSubjectMissing(f"vm: which VM's {name} log is wanted?")
        reached = await self._guests.reach(actor, vm)
        machine, agent = reached.vm.machine.id, reached.agent
        if name is LogName.CONSOLE:
            return lambda offset: agent.read_console(machine, offset=offset)
        return lambda offset: agent.read_vmm_log(machine, offset=offset)

    async def tail(self, read: Read, *, lines: int) -> ConsoleLog:
        """The last so many lines. Raises as_problem's."""
        async with told("read this log"):
            end = await following.last(read, limit=MOST_BYTES)
        kept = b"".join(end.content.splitlines(keepends=True)[-lines:]) if lines else b""
        return ConsoleLog(offset=end.offset + len(end.content) - len(kept), size=end.size, content=kept)

    def _own(self) -> Read:
        file = self._file
        if file is None:
            raise LogNotKept

        async def read(offset: int) -> ConsoleLog:
            part = await asyncio.to_thread(logtail.read, file, offset=offset, limit=PART_BYTES)
            return ConsoleLog(offset=part.start, size=part.size, content=part.data)

        return read

    async def _agents_own(self, host: UUID | None) -> Read:
        if host is None:
            raise LogSubjectMissing("host: which host's agent's log is wanted?")
        agent = self._agents.of(await self._hosts.ref(host))
        return lambda offset: agent.read_log(offset=offset)
