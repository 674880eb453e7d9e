"""HTTP for hosts: for people to look at, and for agents to join and report."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from nexus.kit.envelopes import Json
from nexus.kit.http import problems, provided
from nexus.kit.paging import Page, SortField, Sorts, page
from nexus.kit.problems import NotAllowed
from nexus.kit.versions import IfNoneMatch
from nexus.manager.access import Admin, HostAgent, Public, Viewer
from nexus.manager.hosts.errors import (
    HostInUse,
    HostIsAbandoned,
    HostIsSilent,
    HostNameTaken,
    HostNotDrained,
    HostNotFound,
    HostReports,
    JoinTokenInvalid,
)
from nexus.manager.hosts.joining import HostJoining
from nexus.manager.hosts.leaving import HostLeaving
from nexus.manager.hosts.models import HostState
from nexus.manager.hosts.schemas import (
    Abandoned,
    AbandonHost,
    DrainHost,
    HostItem,
    HostList,
    JoinTokenBody,
    JoinTokenRequest,
)
from nexus.manager.hosts.service import Hosts
from nexus.manager.operations import Done, Operations, Wait
from nexus.manager.operations.errors import Superseded
from nexus.protocol.hosts import (
    CertificateRequest,
    Heartbeat,
    HeartbeatAnswer,
    HostIdentity,
    Registered,
    RegisterRequest,
)

router = APIRouter(prefix="/v1/hosts", tags=["hosts"])

_SORTS = Sorts(
    {"name": SortField("h.name"), "created_at": SortField("h.created_at", datetime)}, tie="h.id", default="name"
)
Service = Annotated[Hosts, provided(Hosts)]
Joining = Annotated[HostJoining, provided(HostJoining)]
Leaving = Annotated[HostLeaving, provided(HostLeaving)]
Promises = Annotated[Operations, provided(Operations)]


@router.get("", response_model=HostList)
async def list_hosts(
    actor: Viewer,
    hosts: Service,
    page: Annotated[Page, page(_SORTS)],
    state: Annotated[HostState | None, Query(description="Only in this state")] = None,
    name: Annotated[str | None, Query(max_length=63, description="Only the host of this name")] = None,
    q: Annotated[str | None, Query(max_length=100, description="Only with this in name or address")] = None,
) -> Response:
    """List the hosts that run VMs."""
    return Json(await hosts.list(page, state=state, name=name, q=q))


@router.post("/join-tokens")
async def create_join_token(wanted: JoinTokenRequest, actor: Admin, joining: Joining) -> JoinTokenBody:
    """Make a token with which one host can join. It is shown once."""
    return await joining.make_join_token(actor, life=timedelta(seconds=wanted.expires_in_s))


@router.post("/register", responses=problems(JoinTokenInvalid, HostNameTaken, HostIsAbandoned))
async def register_host(request: RegisterRequest, rule: Public, joining: Joining) -> Registered:
    """For agents: join with a one-time token; the answer holds the host's own credential and, for an agent on TCP, its
    certificate. A host that joins again under its name is the same host; what it held before opens nothing any more."""
    return await joining.register(request)


@router.get("/{host_id}", response_model=HostItem, responses=problems(HostNotFound))
async def get_host(host_id: UUID, actor: Viewer, hosts: Service, known: IfNoneMatch) -> Response:
    """One host, with what it can give and what is reserved."""
    return known.answer(HostItem(item=await hosts.get(host_id)).model_dump_json().encode())


@router.delete("/{host_id}", responses=problems(HostNotFound, HostInUse))
async def delete_host(host_id: UUID, actor: Admin, leaving: Leaving) -> Done:
    """Remove a host on which no machine is left. Its credential and certificate open nothing from then on."""
    await leaving.remove(actor, host_id)
    return Done()


@router.post("/{host_id}/cordon", responses=problems(HostNotFound, HostIsAbandoned))
async def cordon_host(host_id: UUID, actor: Admin, leaving: Leaving) -> Done:
    """Let a host take no new VMs, nor start those that are off; what runs on it runs on."""
    await leaving.cordon(actor, host_id)
    return Done()


@router.post("/{host_id}/uncordon", responses=problems(HostNotFound, HostIsAbandoned))
async def uncordon_host(host_id: UUID, actor: Admin, leaving: Leaving) -> Done:
    """Let a cordoned host take VMs again. A drain that is under way ends; VMs that are off by then stay off."""
    await leaving.uncordon(actor, host_id)
    return Done()


@router.post(
    "/{host_id}/drain",
    responses=problems(HostNotFound, HostIsAbandoned, HostIsSilent, HostNotDrained, Superseded),
)
async def drain_host(
    host_id: UUID, how: DrainHost, actor: Admin, leaving: Leaving, operations: Promises, wait: Wait = None
) -> Done:
    """Cordon a host and stop every VM on it, each as its user would. The operation's `result` says what became of each
    VM; it fails when some could not be stopped. They stay off until somebody starts them, which the host refuses while
    it is cordoned. Again while that is under way: the same operation."""
    return await operations.done(await leaving.drain(actor, host_id, grace_s=how.grace_s), wait=wait)


@router.post("/{host_id}/abandon", responses=problems(HostNotFound, HostReports))
async def abandon_host(host_id: UUID, given_up: AbandonHost, actor: Admin, leaving: Leaving) -> Abandoned:
    """Give up a silent host that is lost for good, with every VM on it and their disks. It cannot be taken back.

    From then on the host is refused whatever it says, and its VMs are in state `error` and can only be deleted, which
    needs the host no more. That its VMs do not go on running there, unseen, nobody can promise from here: cut its power
    or its network first. When its VMs are deleted, so can be the host, and a machine of that name may join again."""
    return Abandoned(vms=await leaving.abandon(actor, host_id, name=given_up.name))


@router.post("/{host_id}/heartbeat", responses=problems(NotAllowed))
async def heartbeat(host_id: UUID, report: Heartbeat, host: HostAgent, hosts: Service) -> HeartbeatAnswer:
    """For agents: report what is, learn which machines to discard."""
    _require_own(host, host_id)
    return await hosts.heartbeat(host_id, report)


@router.post("/{host_id}/certificate", responses=problems(NotAllowed))
async def certify_host(host_id: UUID, request: CertificateRequest, host: HostAgent, joining: Joining) -> HostIdentity:
    """For agents on TCP: get the next certificate, and say where the agent is now."""
    _require_own(host, host_id)
    return await joining.certify(host_id, request)


def _require_own(host: UUID, host_id: UUID) -> None:
    if host != host_id:
        raise NotAllowed("This credential belongs to another host.")
