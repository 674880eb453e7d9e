"""Logs: what machines say on their serial consoles, what their hypervisors say, and this agent's own.

Each from byte `offset`, or from the oldest kept: at most 256 KiB, so ask again from where it ended; with `follow=1` all
of it and then what comes, for at most an hour. One request, however long somebody follows: were it many, whoever
followed the agent's own log would fill it.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from nexus.agent.api.routes import byte_offset, machine_id
from nexus.agent.machines.registry import Machines
from nexus.agent.vmm import logs
from nexus.agent.vmm.port import Vmm
from nexus.kit import logtail
from nexus.protocol.trouble import Gone, Refused

LIMIT_BYTES: Final = 256 * 1024
LOOK_EVERY_S: Final = 0.25
FOLLOW_AT_MOST_S: Final = 3600.0

Read = Callable[[int], tuple[int, int, bytes]]
"""From a byte on: where it starts, how long the log is in all, and the bytes."""


class LogRoutes:
    def __init__(self, machines: Machines, vmm: Vmm, *, own: Path | None) -> None:
        self._machines = machines
        self._vmm = vmm
        self._own = own

    async def console(self, request: Request) -> Response:
        return self._of_machine(request, self._vmm.console)

    async def vmm_log(self, request: Request) -> Response:
        return self._of_machine(request, self._vmm.log)

    async def own(self, request: Request) -> Response:
        file = self._own
        if file is None:
            raise Refused("this host's agent does not know of a file that its log is kept in (AGENT_LOG_FILE)")

        def read(offset: int) -> tuple[int, int, bytes]:
            part = logtail.read(file, offset=offset, limit=LIMIT_BYTES)
            return part.start, part.size, part.data

        return _answer(request, read)

    def _of_machine(self, request: Request, place: Callable[[UUID], Path]) -> Response:
        machine = machine_id(request)

        def read(offset: int) -> tuple[int, int, bytes]:
            part = logs.read(place(self._machines.get(machine).id), offset=offset, limit=LIMIT_BYTES)
            return part.start, part.size, part.data

        return _answer(request, read)


def _answer(request: Request, read: Read) -> Response:
    start, size, data = read(byte_offset(request))
    headers = {"Nexus-Offset": str(start), "Nexus-Size": str(size)}
    if request.query_params.get("follow") != "1":
        return Response(data, media_type="application/octet-stream", headers=headers)
    return StreamingResponse(_follow(read, start, data), media_type="application/octet-stream", headers=headers)


async def _follow(read: Read, start: int, data: bytes) -> AsyncGenerator[bytes]:
    """Ends with its machine, too."""
    ends_at = time.monotonic() + FOLLOW_AT_MOST_S
    while time.monotonic() < ends_at:
        if data:
            yield data
        else:
            await asyncio.sleep(LOOK_EVERY_S)
        try:
            start, _size, data = read(start + len(data))
        except Gone:
            return
