"""The promise that the multiplexer exists for: however abruptly and often the host's end is dropped, no request is
answered with another's bytes, no output is lost or doubled, and no input reaches a process that was never sent."""

import asyncio
import json
import random
import struct
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.agent.guest.conftest import Guest, gather

from nexus.agent.guest.connection import MuxConnection
from nexus.agent.guest.stream import MuxStream
from nexus.protocol.guest import FRAME_TYPES, Frame, SessionKind, SessionRequest

pytestmark = pytest.mark.vm
ROUNDS = 1000
HEADER = struct.Struct(">BI")
COUNTER = """
import struct, sys
n = 0
while True:
    sys.stdout.buffer.write(struct.pack(">8192Q", *range(n, n + 8192)))
    n += 8192
"""
JUDGE = """
import sys
good = bad = 0
while data := sys.stdin.buffer.read1(65536):
    good += data.count(b"x")
    bad += len(data) - data.count(b"x")
print(good, bad)
"""
INPUT_BYTES = 20_000


async def test_a_thousand_abrupt_reconnects_lose_and_mix_nothing(guest: Guest) -> None:
    counter = await open_session(guest, COUNTER)
    judge = await open_session(guest, JUDGE)
    await guest.channel.close()
    chance = random.Random(7)
    recoveries: list[float] = []
    at = discarded = 0
    for _ in range(ROUNDS):
        async with connection(guest) as mux:
            begun = time.perf_counter()
            mux.hello()
            async with asyncio.timeout(60):
                await mux.answered.wait()
            recoveries.append(time.perf_counter() - begun)
            discarded += mux.discarded_bytes
            async with asyncio.timeout(90), asyncio.TaskGroup() as transfers:
                transfers.create_task(ask(mux))
                transfers.create_task(upload(mux, judge, chance))
                reading = transfers.create_task(follow(mux, counter, at, chance.randrange(1, 150_000)))
            at = reading.result()
    guest.channel = guest.make_channel()
    await guest.channel.start()
    assert await guest.channel.wait_ready(60)
    await guest.client.delete_session(counter)
    async with guest.client.stream(judge) as stream:
        await stream.send(Frame.END_OF_INPUT)
        good, bad = (await gather(stream)).out.split()
    assert int(bad) == 0
    assert int(good) > 0
    assert int(good) % INPUT_BYTES == 0
    recoveries.sort()
    print(
        f"\n{ROUNDS} reconnects: p50 {recoveries[ROUNDS // 2] * 1000:.1f} ms, max {recoveries[-1] * 1000:.0f} ms;"
        f" {at} output bytes checked, {int(good)} input bytes, {discarded} stale bytes thrown away"
    )


async def open_session(guest: Guest, script: str) -> str:
    return await guest.client.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("python3", "-c", script)))


@asynccontextmanager
async def connection(guest: Guest) -> AsyncGenerator[MuxConnection]:
    """A connection to QEMU's socket, dropped at the end without a word and without a pause."""
    _, mux = await asyncio.get_running_loop().create_unix_connection(MuxConnection, str(guest.mux_socket))
    try:
        yield mux
    finally:
        mux.abort()


async def ask(mux: MuxConnection) -> None:
    """A request whose answer must be whole and its own."""
    stream = mux.open()
    await stream.write(b"GET /v1/health HTTP/1.1\r\nHost: guest\r\nConnection: close\r\n\r\n")
    answer = b"".join([part async for part in parts(stream)])
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n"), answer
    assert json.loads(body)["protocol"] == 1


async def upload(mux: MuxConnection, session: str, chance: random.Random) -> None:
    """Some input in frames, the last of which is never finished: only whole frames may reach the process."""
    stream = await watch(mux, session, 0)
    frame = HEADER.pack(FRAME_TYPES[Frame.INPUT], INPUT_BYTES) + b"x" * INPUT_BYTES
    await stream.write(frame * chance.randrange(3))
    await stream.write(frame[: chance.randrange(len(frame))])


async def follow(mux: MuxConnection, session: str, at: int, size: int) -> int:
    """Check about `size` bytes of the counter's output from byte `at` on; answers where it left."""
    stream = await watch(mux, session, at)
    pending = bytearray()
    end = at + size
    while at < end:
        pending += await stream.read()
        while len(pending) >= HEADER.size:
            kind, length = HEADER.unpack_from(pending)
            if len(pending) < HEADER.size + length:
                break
            assert kind == FRAME_TYPES[Frame.OUTPUT]
            payload = bytes(pending[HEADER.size : HEADER.size + length])
            del pending[: HEADER.size + length]
            assert payload == expected(at, len(payload))
            at += len(payload)
    return at


def expected(at: int, size: int) -> bytes:
    first, last = at // 8, (at + size) // 8 + 1
    return struct.pack(f">{last - first}Q", *range(first, last))[at % 8 : at % 8 + size]


async def watch(mux: MuxConnection, session: str, offset: int) -> MuxStream:
    stream = mux.open()
    request = f"GET /v1/sessions/{session}/stream?offset={offset} HTTP/1.1\r\nHost: guest\r\n"
    await stream.write(f"{request}Connection: Upgrade\r\nUpgrade: nexus-session\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await stream.read(1)
        assert len(head) < 1000
    assert head.startswith(b"HTTP/1.1 101 "), head
    assert f"Nexus-Offset: {offset}\r\n".encode() in head
    return stream


async def parts(stream: MuxStream) -> AsyncIterator[bytes]:
    while part := await stream.read():
        yield part


async def test_a_terminal_waits_for_a_watcher_that_was_cut_off_and_keeps_what_it_did_not_get(guest: Guest) -> None:
    """What was sent may lie anywhere on the way when a connection dies: only what the watcher says it has is gone."""
    script = "stty raw -echo; printf R; dd bs=1 count=1 of=/dev/null 2>/dev/null; seq -w 100001 220000"  # 840 kB
    request = SessionRequest(kind=SessionKind.PTY, argv=("sh", "-c", script))
    session = await guest.client.open_session(request)
    expected = b"R" + b"".join(b"%06d\n" % n for n in range(100_001, 220_001))
    got = b""
    visits = 0
    while len(got) < len(expected):
        visits += 1
        async with guest.client.stream(session, offset=len(got)) as stream, asyncio.timeout(90):
            assert stream.offset == len(got), "nothing between two visits is lost"
            await stream.send(Frame.ACK, len(got).to_bytes(8, "big"))
            came = bytearray()
            async for frame, payload in stream:
                if frame is not Frame.OUTPUT:
                    break
                if not got and not came:
                    await stream.send(Frame.INPUT, b"!")
                came += payload
                if len(came) > 450_000:
                    break
                await stream.send(Frame.ACK, (len(got) + max(0, len(came) - 250_000)).to_bytes(8, "big"))
        got += (
            came[: len(came) - 150_000] if len(got) + len(came) < len(expected) else came
        )  # the rest was lost on the way
    assert got == expected
    assert visits > 2
