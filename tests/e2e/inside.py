"""What a person does inside of a guest beyond shell and exec: terminals, files, ports, the serial console."""

import asyncio
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import httpx
import pytest
from websockets.asyncio.client import ClientConnection

from nexus.cli.vm.forwarding import Forwarding
from nexus.cli.vm.packing import push
from nexus.cli.vm.unpacking import unpack
from nexus.client.api import Client
from nexus.client.errors import ApiError
from nexus.client.sessions import Ended, Output, Session, open_console, open_shell
from nexus.client.transport import Transport

PATIENCE_S = 90


class Place(Protocol):
    """A manager that runs."""

    @property
    def api(self) -> httpx.AsyncClient: ...

    @property
    def base(self) -> str: ...

    @property
    def token(self) -> str: ...


async def until_said(session: Session, wanted: bytes) -> bytes:
    said = b""
    async with asyncio.timeout(PATIENCE_S):
        async for event in session.events():
            if isinstance(event, Output):
                said += event.data
            assert not isinstance(event, Ended), said
            if wanted in said:
                return said
    raise AssertionError(said)


async def terminals_live_on_by_themselves(transport: Transport, client: Client, vm_id: UUID) -> None:
    opened = [await asyncio.to_thread(client.terminals.open, vm_id, cols=100 + n, rows=40) for n in range(5)]
    for n, terminal in enumerate(opened):
        async with open_shell(transport, vm_id, cols=80, rows=24, session=terminal.id) as session:
            await session.send_input(b"stty size; echo said-$((%d+1))\n" % n)
            said = await until_said(session, b"said-%d" % (n + 1))
            assert b"40 %d" % (100 + n) in said
    listed = await asyncio.to_thread(client.terminals.list, vm_id)
    assert {one.id for one in listed} == {one.id for one in opened}
    assert {(one.opened_by, one.username, one.exit_code) for one in listed} == {("root", "root", None)}
    async with open_shell(transport, vm_id, cols=80, rows=24, session=opened[0].id) as session:
        assert b"said-1" in await until_said(session, b"said-1"), "what it said before is shown again"
        there = await asyncio.to_thread(client.terminals.get, vm_id, opened[0].id)
        assert there.is_attached
    for terminal in opened:
        await asyncio.to_thread(client.terminals.close, vm_id, terminal.id)
    with pytest.raises(ApiError, match="no such terminal"):
        await asyncio.to_thread(client.terminals.get, vm_id, opened[0].id)


async def files_go_both_ways(transport: Transport, vm_id: UUID, home: Path) -> None:
    tree = home / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "big").write_bytes(os.urandom(3_000_000))
    (tree / "deep" / "run.sh").write_text("#!/bin/sh\n")
    (tree / "deep" / "run.sh").chmod(0o751)
    (tree / "link").symlink_to("deep/run.sh")
    moved: list[int] = []
    done = await push(transport, vm_id, tree, path="/srv/app", username=None, moved=moved.append)
    assert (done.files, done.bytes) == (5, 3_000_010)
    assert sum(moved) > done.bytes

    def pull() -> int:
        with transport.download(f"/v1/vms/{vm_id}/files", query={"path": "/srv/app"}) as chunks:
            return unpack(chunks, home / "back")

    assert await asyncio.to_thread(pull) == done.bytes
    assert (home / "back" / "big").read_bytes() == (tree / "big").read_bytes()
    assert (home / "back" / "deep" / "run.sh").stat().st_mode & 0o777 == 0o751
    assert (home / "back" / "link").readlink() == Path("deep/run.sh")
    with pytest.raises(ApiError, match="there is no directory /nowhere/") as refused:
        await push(transport, vm_id, tree, path="/nowhere/x", username=None, moved=moved.append)
    assert refused.value.problem.status == 409
    with pytest.raises(ApiError, match="big: no space left on device"):
        await push(transport, vm_id, tree / "big", path="/small/", username=None, moved=moved.append)


async def ports_are_reached(transport: Transport, vm_id: UUID) -> None:
    told: list[str] = []
    forwarding = Forwarding(transport=transport, vm_id=vm_id, vm="walker", say=told.append)
    running = asyncio.create_task(forwarding.run([(0, 7070), (0, 7071)], bind="127.0.0.1"))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while len(told) < 2:  # noqa: ASYNC110 - it tells nobody but its user
                await asyncio.sleep(0.01)
            places = [int(re.findall(r":(\d+)\. ", line)[0]) for line in told]
            answers = await asyncio.gather(*(_echoed(places[0], b"%d" % n * 20_000) for n in range(20)))
            assert all(answers)
            reader, writer = await asyncio.open_connection("127.0.0.1", places[1])
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
        assert "nothing in the guest listens on port 7071" in told[2]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _echoed(port: int, said: bytes) -> bool:
    """Half-closed: the answer comes when all has been said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    writer.write_eof()
    heard = await reader.read()
    writer.close()
    return heard == said


async def the_console_can_be_typed_on(transport: Transport, client: Client, vm_id: UUID, connection: Any) -> None:
    size = (await asyncio.to_thread(client.vms.console, vm_id, offset=2**53)).size_bytes
    async with open_console(transport, vm_id, offset=size) as session:
        await session.send_input(b"\r")
        said = await until_said(session, b"login: ")
    reached = size + len(said)
    async with open_console(transport, vm_id, offset=reached) as session:
        await session.send_input(b"nobody-here\r")
        await until_said(session, b"assword: ")
    assert json.loads(await connection.recv())["type"] == "session"


ECHO = """
import socket, threading
listening = socket.create_server(("127.0.0.1", 7070), backlog=64)
def echo(peer):
    said = b""
    while part := peer.recv(65536):
        said += part
    peer.sendall(said)
    peer.close()
while True:
    threading.Thread(target=echo, args=(listening.accept()[0],)).start()
"""


async def work_inside(place: Place, vm_id: str, home: Path, console: ClientConnection) -> None:
    """All of it, on one VM; `console` is another watcher of its console."""
    transport = Transport(url=place.base, token=place.token)
    prepared = "mkdir -p /small && mount -t tmpfs -o size=1m small /small"
    for argv in (["sh", "-c", prepared], ["sh", "-c", f"python3 -c '{ECHO}' >/dev/null 2>&1 &"]):
        answer = await place.api.post(f"/v1/vms/{vm_id}/exec", json={"argv": argv})
        assert answer.json()["exit_code"] == 0, answer.text
    await _until_listening(place, vm_id)
    vm, client = UUID(vm_id), Client(transport)
    await terminals_live_on_by_themselves(transport, client, vm)
    await files_go_both_ways(transport, vm, home)
    await ports_are_reached(transport, vm)
    await the_console_can_be_typed_on(transport, client, vm, console)
    transport.close()


async def _until_listening(place: Place, vm_id: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            asked = {"argv": ["grep", "-c", ":1B9E", "/proc/net/tcp"]}
            if (await place.api.post(f"/v1/vms/{vm_id}/exec", json=asked)).json()["exit_code"] == 0:
                return
