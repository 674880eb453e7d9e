"""HTTP for hosts: for people to look at, and for agents to join and report."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from nexus.kit.http import problems, provided
from nexus.kit.paging import Page, SortField, Sorts, page
from nexus.kit.problems import NotAllowed
from nexus.manager.access import Admin, HostAgent, Public, Viewer
from nexus.manager.hosts.errors import HostNotFound, JoinTokenInvalid
from nexus.manager.hosts.schemas import HostItem, HostList, JoinTokenBody, JoinTokenRequest
from nexus.manager.hosts.service import Hosts
from nexus.protocol.hosts import Heartbeat, HeartbeatAnswer, Registered, RegisterRequest

router = APIRouter(prefix="/v1/hosts", tags=["hosts"])

_SORTS = Sorts(
    {"name": SortField("h.name"), "created_at": SortField("h.created_at", datetime)}, tie="h.id", default="name"
)
Service = Annotated[Hosts, provided(Hosts)]


@router.get("", response_model=HostList)
async def list_hosts(actor: Viewer, hosts: Service, page: Annotated[Page, page(_SORTS)]) -> Response:
    """List the hosts that run VMs."""
    return Response(await hosts.list(page), media_type="application/json")


@router.post("/join-tokens")
async def create_join_token(wanted: JoinTokenRequest, actor: Admin, hosts: Service) -> JoinTokenBody:
    """Make a token with which one host can join. It is shown once."""
    return await hosts.make_join_token(actor, life=timedelta(seconds=wanted.expires_in_s))


@router.post("/register", responses=problems(JoinTokenInvalid))
async def register_host(request: RegisterRequest, rule: Public, hosts: Service) -> Registered:
    """For agents: join with a one-time token; the answer holds the host's own credential."""
    return await hosts.register(request)


@router.get("/{host_id}", responses=problems(HostNotFound))
async def get_host(host_id: UUID, actor: Viewer, hosts: Service) -> HostItem:
    """One host, with what it can give and what is reserved."""
    return HostItem(item=await hosts.get(host_id))


@router.post("/{host_id}/heartbeat", responses=problems(NotAllowed))
async def heartbeat(host_id: UUID, report: Heartbeat, host: HostAgent, hosts: Service) -> HeartbeatAnswer:
    """For agents: report what is, learn which machines to discard."""
    if host != host_id:
        raise NotAllowed("This credential belongs to another host.")
    return await hosts.heartbeat(host_id, report)
