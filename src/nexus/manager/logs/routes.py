"""HTTP for logs."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from nexus.kit.http import problems, provided
from nexus.manager.access import Admin
from nexus.manager.agents.troubles import PASSED_ON
from nexus.manager.following import followed
from nexus.manager.hosts.errors import HostNotFound
from nexus.manager.logs.errors import LogNotKept, LogSubjectMissing
from nexus.manager.logs.service import LogName, Logs
from nexus.manager.vms.errors import VmLost, VmNotFound

router = APIRouter(prefix="/v1/logs", tags=["logs"])


class LogTail(BaseModel):
    """The end of a log."""

    text: str = Field(description="Its last lines; bytes that are no UTF-8 are replaced")
    offset: int = Field(description="The number of the first byte of that")
    size_bytes: int = Field(description="How long the log is in all")


@router.get(
    "/tail",
    response_model=LogTail,
    responses={
        **problems(LogSubjectMissing, LogNotKept, HostNotFound, VmNotFound, VmLost, *PASSED_ON),
        200: {"model": LogTail, "content": {"text/plain": {"schema": {"type": "string"}}}},
    },
)
async def tail_log(
    actor: Admin,
    logs: Annotated[Logs, provided(Logs)],
    name: Annotated[LogName, Query(description="Which log")],
    host: Annotated[UUID | None, Query(description="With `agent`: the host")] = None,
    vm: Annotated[UUID | None, Query(description="With `console` and `vmm`: the VM")] = None,
    lines: Annotated[int, Query(ge=0, le=5000, description="How many lines of its end")] = 100,
    follow: Annotated[bool, Query(description="Go on with what comes, as plain text, for at most an hour")] = False,
) -> Response:
    """The end of a log that the platform itself wrote."""
    log = await logs.open(actor, name, host=host, vm=vm)
    end = await logs.tail(log, lines=lines)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if follow:
        return StreamingResponse(followed(log, end), media_type="text/plain; charset=utf-8", headers=headers)
    tail = LogTail(text=end.content.decode(errors="replace"), offset=end.offset, size_bytes=end.size)
    return Response(tail.model_dump_json(), media_type="application/json", headers=headers)
