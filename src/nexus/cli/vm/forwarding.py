"""Connections to this machine, each carried to a port of a guest."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from uuid import UUID

from nexus.cli.failures import CliFailure
from nexus.client.errors import ApiError, ClientError
from nexus.client.pipes import CHUNK_BYTES, Pipe, open_forward
from nexus.client.transport import Transport


@dataclass(kw_only=True)
class Forwarding:
    """Ports of one VM."""

    transport: Transport
    vm_id: UUID
    vm: str
    say: Callable[[str], None]
    _told: dict[int, str] = field(default_factory=dict[int, str])

    async def run(self, ports: Sequence[tuple[int, int]], *, bind: str) -> None:
        """Listen on each (port here, port in the guest) until cancelled. Raises CliFailure for one that is taken."""
        async with AsyncExitStack() as stack:
            for here, there in ports:
                server = await stack.enter_async_context(await self._listen(bind, here, there))
                place = server.sockets[0].getsockname()
                self.say(f"{self.vm}:{there} is at {_place(place[0], place[1])}. Ctrl-C ends it.")
            await asyncio.Event().wait()

    async def _listen(self, bind: str, here: int, there: int) -> asyncio.Server:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await self._carry(reader, writer, port=there)
            finally:
                writer.transport.abort()  # nothing is left unsent where both directions have ended

        try:
            return await asyncio.start_server(serve, bind, here, limit=CHUNK_BYTES)
        except (OSError, UnicodeError) as refused:
            reason = (refused.strerror if isinstance(refused, OSError) else None) or str(refused)
            raise CliFailure(f"Cannot listen on {_place(bind, here)}: {reason.lower()}.") from refused

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, port: int) -> None:
        """One connection, from its first byte to the end of both directions; one that breaks is broken here too."""
        try:
            async with open_forward(self.transport, self.vm_id, port=port) as pipe:
                await _both_ways(reader, writer, pipe)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        except ConnectionError:
            return  # whoever connected here has gone
        except ClientError as lost:
            self._tell(port, lost.problem.error if isinstance(lost, ApiError) else str(lost))
            _reset(writer)
        else:
            self._told.pop(port, None)

    def _tell(self, port: int, words: str) -> None:
        """Say it, but not again for every connection of a browser."""
        if self._told.get(port) != words:
            self._told[port] = words
            self.say(f"{self.vm}:{port}: {words}")


async def _both_ways(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pipe: Pipe) -> None:
    there, back = asyncio.create_task(_to_guest(reader, pipe)), asyncio.create_task(_from_guest(pipe, writer))
    try:
        done, _ = await asyncio.wait({there, back}, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in (there, back):
            task.cancel()
        await asyncio.gather(there, back, return_exceptions=True)


async def _to_guest(reader: asyncio.StreamReader, pipe: Pipe) -> None:
    while data := await reader.read(CHUNK_BYTES):
        await pipe.send(data)
    await pipe.end()


async def _from_guest(pipe: Pipe, writer: asyncio.StreamWriter) -> None:
    while data := await pipe.receive():
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side sees a broken connection, not an end."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
