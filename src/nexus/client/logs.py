"""The platform's own logs."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Literal
from uuid import UUID

from nexus.client.models import LogTail
from nexus.client.transport import Transport

Name = Literal["manager", "agent", "console", "vmm"]


class Logs:
    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def tail(self, name: Name, *, host: UUID | None = None, vm: UUID | None = None, lines: int = 100) -> LogTail:
        """The last lines of a log; `host` with agent, `vm` with console and vmm."""
        query = {"name": name, "host": host, "vm": vm, "lines": lines}
        return self._http.model(LogTail, "GET", "/v1/logs/tail", query=query)

    def follow(
        self, name: Name, *, host: UUID | None = None, vm: UUID | None = None, lines: int = 100
    ) -> AbstractContextManager[Iterator[bytes]]:
        """The same, and then what comes."""
        query = {"name": name, "host": host, "vm": vm, "lines": lines, "follow": True}
        return self._http.download("/v1/logs/tail", query=query, is_patient=True)
