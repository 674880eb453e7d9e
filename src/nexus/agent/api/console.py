"""A machine's serial console over a WebSocket: what it says from a byte of its log on, and what is typed on it.

The messages are those of a guest session's stream, a frame's type byte and its payload, so that whoever shows a session
can show a console. Output comes from the log, so a connection that was lost goes on at its byte; several may watch.
Closed with 1013 when the log has moved on past a watcher: come again.
"""

import asyncio
import time
from pathlib import Path
from typing import Final
from uuid import UUID

from starlette.websockets import WebSocket, WebSocketDisconnect

from nexus.agent.api.guest_proxy import TRY_AGAIN_LATER, refuse
from nexus.agent.api.routes import byte_offset
from nexus.agent.machines.registry import Machines
from nexus.agent.vmm import logs
from nexus.agent.vmm.port import ConsoleInput, Vmm
from nexus.agent.vmm.serial_input import type_into
from nexus.kit import log
from nexus.protocol.guest import FRAME_TYPES, MAX_FRAME_BYTES, Frame
from nexus.protocol.trouble import Refused, Trouble

_log = log.get("agent.console")

LOOK_EVERY_S: Final = 0.1
MACHINE_LOOK_EVERY_S: Final = 2.0
_INPUT = FRAME_TYPES[Frame.INPUT]
_OUTPUT = bytes((FRAME_TYPES[Frame.OUTPUT],))


class Consoles:
    def __init__(self, machines: Machines, vmm: Vmm) -> None:
        self._machines = machines
        self._vmm = vmm

    async def serve(self, socket: WebSocket) -> None:
        machine: UUID = socket.path_params["machine"]
        log.bind(machine_id=str(machine))
        try:
            offset = byte_offset(socket)
            path = self._vmm.console(self._machines.get(machine).id)
            part = logs.read(path, offset=offset, limit=0)
            if offset > part.size:
                raise Refused("the offset is beyond what was written")
            await socket.accept(headers=[(b"nexus-offset", str(part.start).encode())])
            await self._relay(socket, machine, path, part.start)
        except Trouble as trouble:
            await refuse(socket, trouble)

    async def _relay(self, socket: WebSocket, machine: UUID, path: Path, offset: int) -> None:
        hearing = asyncio.create_task(self._hear(socket, machine))
        telling = asyncio.create_task(self._tell(socket, machine, path, offset))
        try:
            done, _ = await asyncio.wait({hearing, telling}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except (WebSocketDisconnect, RuntimeError):
            return
        finally:
            for task in (hearing, telling):
                task.cancel()
            await asyncio.gather(hearing, telling, return_exceptions=True)

    async def _tell(self, socket: WebSocket, machine: UUID, path: Path, offset: int) -> None:
        """Follow the log until the machine is no more. Raises Gone then."""
        look_at = 0.0
        while True:
            part = logs.read(path, offset=offset, limit=MAX_FRAME_BYTES)
            if part.data and part.start > offset:
                await socket.close(TRY_AGAIN_LATER, "the log has moved on")
                return
            if part.data:
                await socket.send_bytes(_OUTPUT + part.data)
                offset += len(part.data)
                continue
            if time.monotonic() >= look_at:
                self._machines.get(machine)
                look_at = time.monotonic() + MACHINE_LOOK_EVERY_S
            await asyncio.sleep(LOOK_EVERY_S)

    async def _hear(self, socket: WebSocket, machine: UUID) -> None:
        while True:
            message = await socket.receive_bytes()
            if not message or message[0] != _INPUT or not isinstance(self._vmm, ConsoleInput):
                continue
            try:
                await type_into(self._vmm.console_input(machine), message[1:])
            except Refused as off:
                _log.debug("keys_dropped", why=str(off))  # as with any serial line to a machine that is off
