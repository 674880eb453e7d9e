"""HTTP for VMs."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field
from starlette.responses import StreamingResponse

from nexus.kit.envelopes import Json
from nexus.kit.http import problems, provided
from nexus.kit.paging import Page, SortField, Sorts, page
from nexus.kit.versions import IfMatch, IfNoneMatch
from nexus.manager.access import Operator, Viewer
from nexus.manager.agents.troubles import PASSED_ON
from nexus.manager.following import followed
from nexus.manager.hosts.errors import NoRoom
from nexus.manager.images.errors import ImageNotFound, NoDefaultImage
from nexus.manager.metrics.models import CPU_KEY, MEMORY_KEY
from nexus.manager.networks.errors import NoAddressLeft
from nexus.manager.operations import Created, Done, Operations, Wait
from nexus.manager.operations.errors import Superseded
from nexus.manager.ssh_keys.errors import PublicKeyRefused, SshKeyNotFound
from nexus.manager.templates.errors import TemplateNotFound
from nexus.manager.vms import commands
from nexus.manager.vms.commands import ExecBody, ExecResult
from nexus.manager.vms.creation import VmCreation
from nexus.manager.vms.errors import DiskTooSmall, VmFaulted, VmNameTaken, VmNotFound, VmOverdue, VmStateConflict
from nexus.manager.vms.guest import Guests, told
from nexus.manager.vms.lifecycle import State
from nexus.manager.vms.listing import Wanted
from nexus.manager.vms.schemas import CreateVm, PatchVm, ShellItem, StopVm, TriedOut, VmItem, VmList
from nexus.manager.vms.service import Vms
from nexus.protocol.base import Message
from nexus.protocol.metrics import MachineMetrics

router = APIRouter(prefix="/v1/vms", tags=["vms"])

_SORTS = Sorts(
    {
        "name": SortField("v.name"),
        "state": SortField("v.state"),
        "vcpu": SortField("m.vcpus", int),
        "mem_mib": SortField("m.memory_mib", int),
        "cpu": SortField(CPU_KEY, float),
        "memory": SortField(MEMORY_KEY, int),
        "created_at": SortField("v.created_at", datetime),
        "updated_at": SortField("greatest(v.updated_at, m.updated_at)", datetime),
    },
    tie="v.id",
    default="-created_at",
)
Service = Annotated[Vms, provided(Vms)]
Creation = Annotated[VmCreation, provided(VmCreation)]
GuestService = Annotated[Guests, provided(Guests)]
Promises = Annotated[Operations, provided(Operations)]
_WAITED = (VmFaulted, VmOverdue, Superseded)
"""How an operation may end for who waits for it."""
_VERB_PROBLEMS = problems(VmNotFound, VmStateConflict, *_WAITED)


class MetricsItem(Message):
    item: MachineMetrics = Field(description="The sample")


@router.get("", response_model=VmList)
async def list_vms(
    actor: Viewer,
    vms: Service,
    page: Annotated[Page, page(_SORTS)],
    q: Annotated[str | None, Query(max_length=100, description="Only with this in name or description")] = None,
    name: Annotated[str | None, Query(max_length=63, description="Only the VM of this name")] = None,
    state: Annotated[list[State] | None, Query(max_length=10, description="Only in this state; repeatable")] = None,
    tag: Annotated[
        list[str] | None, Query(max_length=32, description="Only with this tag; repeated, with all of them")
    ] = None,
    host: Annotated[str | None, Query(max_length=63, description="Only on the host of this name or id")] = None,
) -> Response:
    """List the VMs that you may see."""
    wanted = Wanted(q=q, name=name, states=state or (), tags=tag or (), host=host)
    return Json(await vms.list(actor, page, wanted))


@router.post(
    "",
    responses=problems(
        *(VmNameTaken, PublicKeyRefused, SshKeyNotFound, ImageNotFound, NoDefaultImage, DiskTooSmall),
        *(TemplateNotFound, NoRoom, NoAddressLeft, *_WAITED),
    ),
)
async def create_vm(
    wanted: CreateVm,
    actor: Operator,
    creation: Creation,
    operations: Promises,
    wait: Wait = None,
    dry_run: Annotated[bool, Query(description="Make nothing: say which host it would go to, or why to none")] = False,
) -> Created | TriedOut:
    """Create a VM and start it, unless `start` is false. With `template`, what is left out is as there.

    It is admitted or refused at once; then follow the operation, which is done when the agent in its guest answers.
    With `dry_run` nothing is made: the answer names the host it would go to, and of every other says why not. What is
    wrong with the request itself (a name that is taken, an image that is not there) is refused as without it."""
    if dry_run:
        return TriedOut.of(await creation.try_out(actor, wanted))
    vm_id, operation = await creation.create(actor, wanted)
    return await operations.created(vm_id, operation, wait=wait)


@router.get("/{vm_id}", response_model=VmItem, responses=problems(VmNotFound))
async def get_vm(vm_id: UUID, actor: Viewer, vms: Service, known: IfNoneMatch) -> Response:
    """One VM."""
    return known.answer(await vms.get(actor, vm_id))


@router.patch("/{vm_id}", responses=problems(VmNotFound, VmNameTaken))
async def edit_vm(vm_id: UUID, changes: PatchVm, actor: Operator, vms: Service, expected: IfMatch) -> Done:
    """Change name, description, tags, environment, owner or restart policy. From the next boot on, a new name is also
    the guest's host name."""
    await vms.edit(actor, vm_id, changes, expected=expected)
    return Done()


@router.delete("/{vm_id}", responses=problems(VmNotFound, *_WAITED))
async def delete_vm(
    vm_id: UUID, actor: Operator, vms: Service, operations: Promises, expected: IfMatch, wait: Wait = None
) -> Done:
    """Remove a VM and its disks, in whatever state it is. Again while that is under way: the same operation."""
    return await operations.done(await vms.delete(actor, vm_id, expected=expected), wait=wait)


@router.post("/{vm_id}/start", responses={**_VERB_PROBLEMS, **problems(NoRoom)})
async def start_vm(
    vm_id: UUID, actor: Operator, vms: Service, operations: Promises, expected: IfMatch, wait: Wait = None
) -> Done:
    """Start a VM that is off or has failed. Done when the agent in its guest answers."""
    return await operations.done(await vms.start(actor, vm_id, expected=expected), wait=wait)


@router.post("/{vm_id}/stop", responses=_VERB_PROBLEMS)
async def stop_vm(
    vm_id: UUID,
    actor: Operator,
    vms: Service,
    operations: Promises,
    expected: IfMatch,
    how: StopVm | None = None,
    wait: Wait = None,
) -> Done:
    """Shut a VM down; its power is cut if the guest has not gone after `grace_s` seconds."""
    operation = await vms.stop(actor, vm_id, grace_s=(how or StopVm()).grace_s, expected=expected)
    return await operations.done(operation, wait=wait)


@router.post("/{vm_id}/pause", responses=_VERB_PROBLEMS)
async def pause_vm(
    vm_id: UUID, actor: Operator, vms: Service, operations: Promises, expected: IfMatch, wait: Wait = None
) -> Done:
    """Freeze a running VM; it keeps its memory."""
    return await operations.done(await vms.pause(actor, vm_id, expected=expected), wait=wait)


@router.post("/{vm_id}/resume", responses=_VERB_PROBLEMS)
async def resume_vm(
    vm_id: UUID, actor: Operator, vms: Service, operations: Promises, expected: IfMatch, wait: Wait = None
) -> Done:
    """Let a paused VM go on. Its clock is set."""
    return await operations.done(await vms.resume(actor, vm_id, expected=expected), wait=wait)


@router.post("/{vm_id}/reboot", responses={**_VERB_PROBLEMS, **problems(NoRoom)})
async def reboot_vm(
    vm_id: UUID, actor: Operator, vms: Service, operations: Promises, expected: IfMatch, wait: Wait = None
) -> Done:
    """Shut a VM down and start it again. Done when the agent in its guest answers."""
    return await operations.done(await vms.reboot(actor, vm_id, expected=expected), wait=wait)


@router.post("/{vm_id}/ctrl-alt-del", responses=problems(VmNotFound, VmStateConflict, *PASSED_ON))
async def ctrl_alt_del_vm(vm_id: UUID, actor: Operator, guests: GuestService) -> Done:
    """Press Ctrl+Alt+Del; what comes of it is the guest's decision."""
    await guests.send_ctrl_alt_del(actor, vm_id)
    return Done()


@router.get("/{vm_id}/shell", responses=problems(VmNotFound))
async def get_shell(vm_id: UUID, actor: Operator, vms: Service) -> ShellItem:
    """Who may log in to the guest, with the password. That you asked is on record."""
    return ShellItem(item=await vms.credentials(actor, vm_id))


@router.post("/{vm_id}/exec", responses=problems(VmNotFound, VmStateConflict, *PASSED_ON))
async def exec_vm(vm_id: UUID, body: ExecBody, actor: Operator, guests: GuestService) -> ExecResult:
    """Run a command in the guest and answer when it has ended. For longer ones, and to talk to it, use exec/ws."""
    return await commands.run(guests, actor, vm_id, body)


@router.get("/{vm_id}/metrics", responses=problems(VmNotFound, VmStateConflict, *PASSED_ON))
async def get_metrics(vm_id: UUID, actor: Viewer, guests: GuestService) -> MetricsItem:
    """One sample, taken now; metrics/ws has one a second."""
    return MetricsItem(item=await guests.metrics(actor, vm_id))


@router.get(
    "/{vm_id}/console",
    response_class=Response,
    responses={
        **problems(VmNotFound, *PASSED_ON),
        200: {
            "description": "`Nexus-Offset`: where this begins; `Nexus-Size`: how long the whole log is",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
    },
)
async def get_console(
    vm_id: UUID,
    actor: Viewer,
    guests: GuestService,
    offset: Annotated[int, Query(ge=0, le=2**62, description="The first byte wanted")] = 0,
    follow: Annotated[bool, Query(description="Go on with what comes, for at most an hour")] = False,
) -> Response:
    """The serial console's log from byte `offset` on, as much as the host gives at once; ask again from its end, or
    follow it. To type on it, use console/ws."""
    console = await guests.console(actor, vm_id)
    async with told("read the console"):
        part = await console.read(offset)
    headers = {"Nexus-Offset": str(part.offset), "Nexus-Size": str(part.size), "Cache-Control": "no-store"}
    if follow:
        return StreamingResponse(followed(console, part), media_type="application/octet-stream", headers=headers)
    return Response(part.content, media_type="application/octet-stream", headers=headers)
