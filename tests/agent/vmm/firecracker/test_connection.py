"""Answers of somebody who has put themselves in Firecracker's place."""

import asyncio
import socket

import pytest

from nexus.agent.vmm.firecracker.connection import ApiConnection, ApiRefused

DEEP = b"[" * 200_000


async def test_a_refusal_nested_too_deeply_is_a_refusal() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=theirs)
    connection = ApiConnection(lambda: ours, patience_s=60)

    async def answer() -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 400 Bad\r\nContent-Length: %d\r\n\r\n%b" % (len(DEEP), DEEP))
        await writer.drain()

    answering = asyncio.create_task(answer())
    with pytest.raises(ApiRefused, match="status 400"):
        await connection.request("GET", "/", None, patience_s=None)
    await answering
    await connection.close()
    writer.close()
