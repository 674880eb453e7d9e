"""Everything but guests and logs: the host, its machines, their power and metrics."""

import asyncio
import re
from pathlib import Path
from uuid import UUID

from pydantic import TypeAdapter
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response

from nexus.agent.machines.registry import Machines
from nexus.agent.metrics.reader import MetricsReader
from nexus.agent.storage.host_files import HostFiles
from nexus.agent.vmm.port import Balloon, CtrlAltDel, Vmm
from nexus.kit import log
from nexus.kit.json_text import parse_json
from nexus.protocol.base import Message
from nexus.protocol.hosts import HostFacts, HostFile
from nexus.protocol.machines import HostPath, MachineOrder, MachineSpec, PowerWish
from nexus.protocol.trouble import Refused

_PATH: TypeAdapter[str] = TypeAdapter(HostPath)
_OFFSET = re.compile("[0-9]{1,18}")


class Routes:
    def __init__(
        self,
        *,
        facts: HostFacts,
        machines: Machines,
        vmm: Vmm,
        metrics: MetricsReader,
        host_files: HostFiles,
    ) -> None:
        self._facts = facts
        self._machines = machines
        self._vmm = vmm
        self._metrics = metrics
        self._host_files = host_files

    async def host(self, _request: Request) -> Response:
        return answer(self._facts)

    async def host_file(self, request: Request) -> Response:
        """What is at the query's `path`, if a drive may be there."""
        path = _PATH.validate_python(request.query_params.get("path", ""))
        return answer(await asyncio.to_thread(self._host_files.find, Path(path)))

    async def make_host_file(self, request: Request) -> Response:
        """Have an empty file where there is none."""
        wanted = HostFile.model_validate_json(await json_body(request))
        if wanted.size_bytes is None:
            raise Refused("a file that is to be made needs a size")
        path, size_bytes = Path(wanted.path), wanted.size_bytes
        return answer(await asyncio.to_thread(self._host_files.create, path, size_bytes=size_bytes))

    async def machines(self, _request: Request) -> Response:
        return JSONResponse({"items": [seen.model_dump(mode="json") for seen in self._machines.list()]})

    async def see(self, request: Request) -> Response:
        return answer(self._machines.seen(machine_id(request)))

    async def define(self, request: Request) -> Response:
        body = await json_body(request)
        spec, order = MachineSpec.model_validate_json(body), MachineOrder.model_validate_json(body)
        if spec.id != machine_id(request):
            raise Refused("the definition is another machine's")
        return answer(await self._machines.define(spec, order.wish, patience_s=order.patience_ms / 1000))

    async def power(self, request: Request) -> Response:
        wish = PowerWish.model_validate_json(await json_body(request))
        return answer(await self._machines.wish(machine_id(request), wish))

    async def discard(self, request: Request) -> Response:
        return answer(await self._machines.discard(machine_id(request)))

    async def ctrl_alt_del(self, request: Request) -> Response:
        if not isinstance(self._vmm, CtrlAltDel):
            raise Refused("this host's hypervisor has no keyboard")
        machine = self._machines.get(machine_id(request))
        await self._vmm.ctrl_alt_del(machine.id)
        return JSONResponse({"ok": True})

    async def metrics(self, request: Request) -> Response:
        machine = self._machines.get(machine_id(request))
        return answer(await self._metrics.live(machine))

    async def balloon(self, request: Request) -> Response:
        if not isinstance(self._vmm, Balloon):
            raise Refused("this host's hypervisor has no balloon")
        return answer(await self._vmm.balloon(self._machines.get(machine_id(request)).id))


def machine_id(request: Request) -> UUID:
    """The machine of the path, on every log line of this request too."""
    machine: UUID = request.path_params["machine"]
    log.bind(machine_id=str(machine))
    return machine


def byte_offset(connection: HTTPConnection) -> int:
    """The query's `offset`, from 0 as if that had been given. Raises Refused."""
    given = connection.query_params.get("offset", "0")
    if not _OFFSET.fullmatch(given):
        raise Refused("offset must be a number of bytes")
    return int(given)


async def json_body(request: Request) -> bytes:
    """A request's body, not validated yet. Raises Malformed for one that is no JSON, or that parsers would read
    differently."""
    body = await request.body()
    parse_json(body)
    return body


def answer(message: Message) -> Response:
    """The message, in its JSON form."""
    return Response(message.model_dump_json(), media_type="application/json")
