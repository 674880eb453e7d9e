"""WebSockets of VMs: shell, exec and metrics. What is wrong with a request is told as `{"type":"error", …}` after the
handshake, because a browser cannot read what comes instead of one."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from pydantic import Field, TypeAdapter

from nexus.kit.http import provided
from nexus.kit.problems import InvalidField, Problem
from nexus.kit.sockets import say, until_closed
from nexus.manager.access import Actor, Operator, Viewer
from nexus.manager.vms.commands import CommandBody
from nexus.manager.vms.guest import Guests, Reached, told
from nexus.manager.vms.lifecycle import Verb, wording
from nexus.manager.vms.offering import require as require_offers
from nexus.manager.vms.relay import Framing, Relay, read, refuse
from nexus.manager.vms.sampling import Sampler
from nexus.manager.vms.terminals import OpenTerminal, Terminals
from nexus.protocol.guest import SessionKind, SessionRequest, TerminalSize
from nexus.protocol.hosts import Offer
from nexus.protocol.metrics import MachineMetrics

router = APIRouter(prefix="/v1/vms", tags=["vms"])

FIRST_MESSAGE_WITHIN_S = 30

GuestService = Annotated[Guests, provided(Guests)]
Sampling = Annotated[Sampler, provided(Sampler)]
Cols = Annotated[int, Query(ge=1, le=1000, description="Width of the terminal")]
Rows = Annotated[int, Query(ge=1, le=1000, description="Height of the terminal")]
SessionId = Annotated[
    str | None, Query(pattern=r"^[A-Za-z0-9]{1,64}$", description="Go on with this session instead of a new one")
]
Offset = Annotated[int, Query(ge=0, le=2**62, description="With `session`: the first byte of output wanted")]


class ExecStart(CommandBody):
    """The first message on exec/ws."""

    timeout_s: float | None = Field(default=None, gt=0, le=86400)
    tty: bool = False
    cols: int = Field(default=80, ge=1, le=1000)
    rows: int = Field(default=24, ge=1, le=1000)

    @property
    def session(self) -> SessionRequest:
        size = TerminalSize(cols=self.cols, rows=self.rows) if self.tty else None
        kind = SessionKind.PTY if self.tty else SessionKind.EXEC
        return self.request(kind=kind, timeout_s=self.timeout_s, size=size)


_EXEC_START = TypeAdapter(ExecStart)


@router.websocket("/{vm_id}/shell/ws")
async def shell_ws(
    socket: WebSocket,
    vm_id: UUID,
    actor: Operator,
    guests: GuestService,
    terminals: Annotated[Terminals, provided(Terminals)],
    cols: Cols = 80,
    rows: Rows = 24,
    session: SessionId = None,
    offset: Offset = 0,
    framing: Framing = Framing.JSON,
) -> None:
    """A terminal with the login shell of the VM's user; see `relay` for what is said on it."""
    await socket.accept()
    try:
        reached = await guests.reach(actor, vm_id, verb=Verb.SHELL)
        session_id = session or await terminals.open(actor, reached, OpenTerminal(cols=cols, rows=rows))
        await _relay(socket, reached, session_id, verb=Verb.SHELL, framing=framing, offset=offset)
    except Problem as problem:
        await refuse(socket, problem)


@router.websocket("/{vm_id}/exec/ws")
async def exec_ws(
    socket: WebSocket,
    vm_id: UUID,
    actor: Operator,
    guests: GuestService,
    session: SessionId = None,
    offset: Offset = 0,
    framing: Framing = Framing.JSON,
) -> None:
    """A command with its streams; the first message (`ExecStart`) says what to run, unless `session` names one."""
    await socket.accept()
    try:
        reached = await guests.reach(actor, vm_id, verb=Verb.EXEC)
        session_id = session
        if session_id is None:
            wanted = await _first_message(socket)
            session_id = await _open(guests, actor, reached, Verb.EXEC, wanted.session)
        await _relay(socket, reached, session_id, verb=Verb.EXEC, framing=framing, offset=offset)
    except Problem as problem:
        await refuse(socket, problem)
    except WebSocketDisconnect:
        return


@router.websocket("/{vm_id}/console/ws")
async def console_ws(
    socket: WebSocket,
    vm_id: UUID,
    actor: Operator,
    guests: GuestService,
    offset: Offset = 0,
    framing: Framing = Framing.JSON,
) -> None:
    """The serial console, as a terminal: what it says from byte `offset` of its log on, and what is typed on it. Any
    number may be connected; keys that nobody in the guest reads are lost, as on any serial line."""
    await socket.accept()
    try:
        reached = await guests.reach(actor, vm_id, verb=Verb.CONSOLE)
        wish = wording(Verb.CONSOLE, reached.vm.name)
        require_offers(reached.vm, wish, (Offer.CONSOLE_INPUT,))
        await guests.record(actor, reached.vm, Verb.CONSOLE, {})
        relay = Relay(
            socket=socket,
            opening=reached.agent.console(reached.vm.machine.id, offset=offset),
            session_id="console",
            framing=framing,
            tells_streams=False,
            wish=wish,
        )
        await relay.run()
    except Problem as problem:
        await refuse(socket, problem)


@router.websocket("/{vm_id}/metrics/ws")
async def metrics_ws(socket: WebSocket, vm_id: UUID, actor: Viewer, guests: GuestService, sampler: Sampling) -> None:
    """One sample a second (`MachineMetrics`), while the VM runs; nothing while it does not."""
    await socket.accept()
    try:
        reached = await guests.reach(actor, vm_id)
        await _stream_metrics(socket, reached, sampler)
    except Problem as problem:
        await refuse(socket, problem)


async def _relay(
    socket: WebSocket, reached: Reached, session_id: str, *, verb: Verb, framing: Framing, offset: int
) -> None:
    machine, agent = reached.vm.machine.id, reached.agent
    relay = Relay(
        socket=socket,
        opening=agent.session(machine, session_id, offset=offset),
        session_id=session_id,
        framing=framing,
        tells_streams=verb is Verb.EXEC,
        wish=wording(verb, reached.vm.name),
        signal=lambda number: agent.signal_session(machine, session_id, number),
    )
    await relay.run()


async def _open(guests: Guests, actor: Actor, reached: Reached, verb: Verb, wanted: SessionRequest) -> str:
    async with told(wording(verb, reached.vm.name)):
        return await guests.open_session(actor, reached, verb, wanted)


async def _first_message(socket: WebSocket) -> ExecStart:
    try:
        async with asyncio.timeout(FIRST_MESSAGE_WITHIN_S):
            message = await socket.receive()
    except TimeoutError as late:
        raise InvalidField("The first message must say what to run; none came.") from late
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    if message.get("text") is None:
        raise InvalidField("The first message must say what to run, as JSON text.")
    started: ExecStart = read(_EXEC_START, message["text"])
    return started


async def _stream_metrics(socket: WebSocket, reached: Reached, sampler: Sampler) -> None:
    async with sampler.watching(reached.agent, reached.vm.machine.id) as seat:
        leaving = asyncio.create_task(until_closed(socket))
        try:
            while True:
                getting = asyncio.create_task(seat.get())
                await asyncio.wait({getting, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if not getting.done():
                    getting.cancel()
                    return
                news = getting.result()
                if not isinstance(news, MachineMetrics):
                    async with told(f"read the metrics of {reached.vm.name}"):
                        raise news
                await say(socket, news.model_dump_json())
        except WebSocketDisconnect:
            return
        finally:
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
