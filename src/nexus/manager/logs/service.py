"""Which logs there are, and how each is read.

A name leads to a file that the platform itself writes; nothing that comes with a request becomes part of a path.
"""

from enum import StrEnum
from uuid import UUID

from nexus.manager import following
from nexus.manager.access import Actor
from nexus.manager.agents.client import ConsoleLog
from nexus.manager.agents.pool import Agents
from nexus.manager.following import FileLog, Log
from nexus.manager.hosts.service import Hosts
from nexus.manager.logs.errors import LogNotKept, LogSubjectMissing
from nexus.manager.settings import ManagerSettings
from nexus.manager.vms.guest import Guests, told

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

    async def open(self, actor: Actor, name: LogName, *, host: UUID | None, vm: UUID | None) -> Log:
        """The log of this name. Raises LogSubjectMissing, LogNotKept, HostNotFound, VmNotFound, VmLost."""
        if name is LogName.MANAGER:
            if self._file is None:
                raise LogNotKept
            return FileLog(self._file)
        if name is LogName.AGENT:
            if host is None:
                raise LogSubjectMissing("host: which host's agent's log is wanted?")
            return self._agents.of(await self._hosts.ref(host)).own_log()
        if vm is None:
            raise LogSubjectMissing(f"vm: which VM's {name} log is wanted?")
        reached = await self._guests.reach(actor, vm)
        machine, agent = reached.vm.machine.id, reached.agent
        return agent.console_log(machine) if name is LogName.CONSOLE else agent.vmm_log(machine)

    async def tail(self, log: Log, *, lines: int) -> ConsoleLog:
        """The last so many lines. Raises as_problem's."""
        async with told("read this log"):
            end = await following.last(log, limit=MOST_BYTES)
        kept = b"".join(end.content.splitlines(keepends=True)[-lines:]) if lines else b""
        return ConsoleLog(offset=end.offset + len(end.content) - len(kept), size=end.size, content=kept)
