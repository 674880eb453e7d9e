"""Terminals in guests: any number on a VM, each of which outlives whoever looks at it.

They live in the guest and nowhere else, so what a list says is what is there. Who opened one is told to the guest with
it, and is on record here.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from nexus.kit.envelopes import Item
from nexus.kit.fields import RequestBody
from nexus.kit.http import problems, provided
from nexus.kit.problems import NotFound
from nexus.manager.access import Actor, Operator
from nexus.manager.agents.troubles import PASSED_ON
from nexus.manager.labels import UserName
from nexus.manager.operations import Done
from nexus.manager.settings import ManagerSettings
from nexus.manager.vms.commands import Word
from nexus.manager.vms.errors import VmLost, VmNotFound, VmStateConflict
from nexus.manager.vms.guest import Guests, Reached, told
from nexus.manager.vms.lifecycle import Verb, wording
from nexus.protocol.guest import SessionKind, SessionRequest, SessionSeen, TerminalSize

router = APIRouter(prefix="/v1/vms/{vm_id}/terminals", tags=["terminals"])

TerminalId = Annotated[str, Path(pattern=r"^[A-Za-z0-9]{1,64}$", description="The terminal's id")]
_REACHED = problems(VmNotFound, VmLost, VmStateConflict, *PASSED_ON)


class TerminalNotFound(NotFound):
    code = "terminal_not_found"

    def __init__(self, vm: str) -> None:
        super().__init__(
            f"There is no such terminal on {vm}; it may have ended.", suggestion="List them: GET …/terminals."
        )


class OpenTerminal(RequestBody):
    """What a new terminal should be; without anything a login shell of the VM's user."""

    argv: list[Word] = Field(default=[], max_length=1024, description="A program to run instead of a login shell")
    username: UserName | None = Field(default=None, description="Run as; without it the VM's user")
    cols: int = Field(default=80, ge=1, le=1000, description="Its width in characters")
    rows: int = Field(default=24, ge=1, le=1000, description="Its height in lines")


class TerminalBody(BaseModel):
    """A terminal in a VM's guest."""

    id: str = Field(description="Its id, by which shell/ws goes on with it")
    argv: list[str] = Field(description="What runs in it; a login shell begins with a hyphen")
    username: str = Field(description="The guest's user it runs as")
    opened_by: str = Field(description="Who opened it; empty where that is not known")
    opened_at: datetime = Field(description="When")
    idle_s: int = Field(description="Nothing was typed or printed for so many seconds")
    is_attached: bool = Field(description="Whether somebody is connected to it")
    first_offset: int = Field(description="The first byte of its output that is still kept")
    end_offset: int = Field(description="How many bytes of output there were")
    exit_code: int | None = Field(description="How its program ended, as a shell gives it; null while it runs")


class TerminalList(BaseModel):
    """Every terminal of a VM."""

    items: list[TerminalBody] = Field(description="The newest first")


class TerminalItem(Item[TerminalBody]):
    """One terminal."""


class TerminalOpened(BaseModel):
    """A new terminal."""

    id: str = Field(description="Its id")


class Terminals:
    def __init__(self, guests: Guests, settings: ManagerSettings) -> None:
        self._guests = guests
        self._idle_ms = settings.terminal_idle_s * 1000
        self._unwatched_ms = settings.terminal_unwatched_s * 1000

    async def open(self, actor: Actor, reached: Reached, wanted: OpenTerminal) -> str:
        """Open a terminal, on record, under the limits of our settings; the answer is its id. Raises as_problem's."""
        request = SessionRequest(
            kind=SessionKind.PTY,
            argv=tuple(wanted.argv),
            user=wanted.username,
            size=TerminalSize(cols=wanted.cols, rows=wanted.rows),
            opened_by=actor.username[:128],
            idle_ms=self._idle_ms,
            unwatched_ms=self._unwatched_ms,
        )
        async with told(wording(Verb.SHELL, reached.vm.name)):
            return await self._guests.open_session(actor, reached, Verb.SHELL, request)

    async def list(self, actor: Actor, vm_id: UUID) -> Sequence[TerminalBody]:
        reached = await self._guests.reach(actor, vm_id, verb=Verb.SHELL)
        return sorted(await self._seen(reached), key=lambda terminal: terminal.opened_at, reverse=True)

    async def get(self, actor: Actor, vm_id: UUID, terminal_id: str) -> TerminalBody:
        reached = await self._guests.reach(actor, vm_id, verb=Verb.SHELL)
        return await self._the(reached, terminal_id)

    async def close(self, actor: Actor, vm_id: UUID, terminal_id: str) -> None:
        """Kill what runs in a terminal and forget it, on record."""
        reached = await self._guests.reach(actor, vm_id, verb=Verb.SHELL)
        await self._the(reached, terminal_id)
        await self._guests.record(actor, reached.vm, "close_terminal", {"terminal": terminal_id})
        async with told(f"close a terminal on {reached.vm.name}"):
            await reached.agent.discard_session(reached.vm.machine.id, terminal_id)

    async def _the(self, reached: Reached, terminal_id: str) -> TerminalBody:
        for terminal in await self._seen(reached):
            if terminal.id == terminal_id:
                return terminal
        raise TerminalNotFound(reached.vm.name)

    async def _seen(self, reached: Reached) -> Sequence[TerminalBody]:
        async with told(f"list the terminals of {reached.vm.name}"):
            sessions = await reached.agent.list_sessions(reached.vm.machine.id)
        now = datetime.now(UTC)
        return [_body(session, now) for session in sessions if session.kind is SessionKind.PTY]


def _body(seen: SessionSeen, now: datetime) -> TerminalBody:
    return TerminalBody(
        id=seen.id,
        argv=list(seen.argv),
        username=seen.user,
        opened_by=seen.opened_by,
        opened_at=(now - timedelta(milliseconds=seen.age_ms)).replace(microsecond=0),
        idle_s=seen.quiet_ms // 1000,
        is_attached=seen.watched,
        first_offset=seen.first_offset,
        end_offset=seen.end_offset,
        exit_code=None if seen.exit is None else seen.exit.code,
    )


Service = Annotated[Terminals, provided(Terminals)]
GuestService = Annotated[Guests, provided(Guests)]


@router.get("", responses=_REACHED)
async def list_terminals(vm_id: UUID, actor: Operator, terminals: Service) -> TerminalList:
    """List a VM's terminals, those that have just ended included: what they said last can still be read."""
    return TerminalList(items=[*await terminals.list(actor, vm_id)])


@router.post("", responses=_REACHED)
async def open_terminal(
    vm_id: UUID, actor: Operator, guests: GuestService, terminals: Service, wanted: OpenTerminal | None = None
) -> TerminalOpened:
    """Open a terminal. It runs in the guest, with or without anybody connected: see shell/ws, with `session`."""
    reached = await guests.reach(actor, vm_id, verb=Verb.SHELL)
    return TerminalOpened(id=await terminals.open(actor, reached, wanted or OpenTerminal()))


_OF_ONE = problems(VmNotFound, TerminalNotFound, VmLost, VmStateConflict, *PASSED_ON)


@router.get("/{terminal_id}", responses=_OF_ONE)
async def get_terminal(vm_id: UUID, terminal_id: TerminalId, actor: Operator, terminals: Service) -> TerminalItem:
    """One terminal."""
    return TerminalItem(item=await terminals.get(actor, vm_id, terminal_id))


@router.delete("/{terminal_id}", responses=_OF_ONE)
async def close_terminal(vm_id: UUID, terminal_id: TerminalId, actor: Operator, terminals: Service) -> Done:
    """Close a terminal: what runs in it is killed."""
    await terminals.close(actor, vm_id, terminal_id)
    return Done()
