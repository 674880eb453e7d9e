"""Ports and files of a real guest, over its channel."""

import asyncio
import hashlib
import io
import os
import tarfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import pytest
from tests.agent.guest.conftest import Guest, gather, holds

from nexus.agent.guest.pipe import PipeStream, open_pipe
from nexus.protocol.guest import ERROR_RECORD, Pipe, SessionKind, SessionRequest, Unpacked
from nexus.protocol.trouble import Refused, Retryable

pytestmark = pytest.mark.vm

SERVER = """
import socketserver, sys
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        heard = b""
        while data := self.request.recv(65536):
            if data == b"cut me":
                import socket, struct
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.request.close()
                return
            heard += data
        self.request.sendall(b"heard " + heard)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128
    def shutdown_request(self, request):
        self.close_request(request)
Server(("127.0.0.1", 7007), Handler).serve_forever()
"""
"""Answers when its client has ended its direction, and not before."""


@asynccontextmanager
async def pipe(guest: Guest, which: Pipe, **asked: object) -> AsyncGenerator[PipeStream]:
    async with asyncio.timeout(90), open_pipe(guest.channel.stream(), which, query=urlencode(asked)) as stream:
        yield stream


async def rest_of(stream: PipeStream) -> bytes:
    got = bytearray()
    while data := await stream.receive():
        got += data
    return bytes(got)


async def served(guest: Guest) -> None:
    """A server in the guest, on port 7007."""
    running = [s for s in await guest.client.sessions() if s.argv[:2] == ("python3", "-c") and s.exit is None]
    if not running:
        await guest.client.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("python3", "-c", SERVER)))

    async def listens() -> bool:
        return b":1B5F" in (await guest.run("cat", "/proc/net/tcp")).out

    await holds(listens, within_s=60)


async def test_each_direction_of_a_connection_ends_by_itself(guest: Guest) -> None:
    await served(guest)
    async with pipe(guest, Pipe.PORT, port=7007) as stream:
        assert await stream.send(b"this")
        stream.end()
        assert await rest_of(stream) == b"heard this"


async def test_many_connections_at_once_keep_their_bytes_apart(guest: Guest) -> None:
    await served(guest)

    async def converse(number: int) -> None:
        said = hashlib.sha256(str(number).encode()).digest() * 4096  # 128 KiB
        async with pipe(guest, Pipe.PORT, port=7007) as stream:
            await stream.send(said)
            stream.end()
            assert await rest_of(stream) == b"heard " + said

    await asyncio.gather(*(converse(number) for number in range(40)))


async def test_a_connection_that_is_cut_does_not_look_ended(guest: Guest) -> None:
    await served(guest)
    async with pipe(guest, Pipe.PORT, port=7007) as stream:
        await stream.send(b"cut me")
        with pytest.raises(Retryable, match="cut"):
            await rest_of(stream)


async def test_a_port_where_nothing_listens_is_refused(guest: Guest) -> None:
    with pytest.raises(Refused, match="nothing in the guest listens on port 9"):
        async with pipe(guest, Pipe.PORT, port=9):
            pass
    for wrong in ("0", "65536", "-1", "http", ""):
        with pytest.raises(Refused, match="1 to 65535"):
            async with pipe(guest, Pipe.PORT, port=wrong):
                pass


def archive(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.replace("__", "/"))
            entry.size, entry.mode = len(content), 0o751
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


async def pushed(guest: Guest, content: bytes, **asked: object) -> Unpacked:
    async with pipe(guest, Pipe.PUSH, **asked) as stream:
        await stream.send(content)
        stream.end()
        return Unpacked.model_validate_json(await rest_of(stream))


async def test_files_go_in_and_come_out_as_they_were(guest: Guest) -> None:
    big = os.urandom(5_000_000)
    done = await pushed(guest, archive(big=big, sub__small=b"x"), path="/tmp")
    assert (done.files, done.bytes, done.error) == (2, len(big) + 1, None)
    ran = await guest.run("sh", "-c", "sha256sum < /tmp/big; stat -c '%a %U' /tmp/sub/small")
    assert ran.out.decode().split() == [hashlib.sha256(big).hexdigest(), "-", "751", "root"]
    async with pipe(guest, Pipe.PULL, path="/tmp/big") as stream:
        stream.end()
        packed = await rest_of(stream)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        [entry] = tar.getmembers()
        content = tar.extractfile(entry)
        assert content is not None
        assert (entry.name, entry.mode, content.read() == big) == ("big", 0o751, True)


async def test_files_belong_to_whom_they_are_meant_for(guest: Guest) -> None:
    await guest.add_user("carol", 2003)
    assert (await pushed(guest, archive(hers=b"x"), path="/home/carol", user="carol")).error is None
    assert (await guest.run("stat", "-c", "%U %G", "/home/carol/hers")).out.split()[0] == b"carol"
    with pytest.raises(Refused, match="no user"):
        await pushed(guest, b"", path="/tmp", user="nobody-here")


async def test_a_full_disk_is_said_and_leaves_no_half_file(guest: Guest) -> None:
    assert (await guest.run("sh", "-c", "mkdir -p /small; mount -t tmpfs -o size=1m t /small")).exit.code == 0
    done = await pushed(guest, archive(a=b"x", b=bytes(3_000_000)), path="/small")
    assert done.error == "b: no space left on device"
    assert (await guest.run("ls", "-A", "/small")).out.split() == [b"a"]


async def test_what_would_lead_out_is_refused(guest: Guest) -> None:
    await guest.run("sh", "-c", "mkdir -p /tmp/in; ln -sfn /etc /tmp/in/etc")
    for name in ("../out", "/tmp/out", "etc/out"):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.addfile(tarfile.TarInfo(name))
        assert (await pushed(guest, packed.getvalue(), path="/tmp/in")).error, name
    assert (await guest.run("ls", "/etc/out", "/tmp/out")).exit.code != 0
    for which, path, why in (
        (Pipe.PUSH, "/nowhere/x", "no directory"),
        (Pipe.PUSH, "relative", "absolute"),
        (Pipe.PULL, "/nowhere", "no such file"),
        (Pipe.PULL, "/dev/null", "neither"),
    ):
        with pytest.raises(Refused, match=why):
            async with pipe(guest, which, path=path):
                pass


async def test_what_cannot_be_read_is_said_in_the_archive(guest: Guest) -> None:
    await guest.run("truncate", "-s", "50M", "/tmp/shrinking")
    async with pipe(guest, Pipe.PULL, path="/tmp/shrinking") as stream:
        packed = await stream.receive()
        await guest.run("truncate", "-s", "0", "/tmp/shrinking")
        packed += await rest_of(stream)
    assert not packed.endswith(bytes(1024))
    assert ERROR_RECORD.encode() in packed
    assert b"/tmp/shrinking: it became shorter while it was read" in packed


async def test_a_terminal_nobody_uses_is_hung_up(guest: Guest) -> None:
    request = SessionRequest(kind=SessionKind.PTY, argv=("cat",), opened_by="erin", unwatched_ms=300)
    session = await guest.client.open_session(request)

    async def has_ended() -> bool:
        [seen] = [s for s in await guest.client.sessions() if s.id == session]
        assert seen.opened_by == "erin"
        return seen.exit is not None

    await holds(has_ended, within_s=60)
    async with guest.client.stream(session) as stream:
        ran = await gather(stream)
    assert (ran.exit.signal, ran.exit.timed_out) == (1, True)


async def test_a_terminal_somebody_watches_has_longer(guest: Guest) -> None:
    request = SessionRequest(kind=SessionKind.PTY, argv=("cat",), idle_ms=600_000, unwatched_ms=600)
    watched, left = [await guest.client.open_session(request) for _ in range(2)]

    async def ended() -> set[str]:
        return {s.id for s in await guest.client.sessions() if s.exit is not None}

    async def left_has_ended() -> bool:
        return left in await ended()

    async with guest.client.stream(watched):
        await holds(left_has_ended, within_s=60)
        assert watched not in await ended()
    await guest.client.delete_session(watched)
