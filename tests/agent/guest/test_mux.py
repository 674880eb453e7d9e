"""The host's multiplexer against a guest that does everything wrong."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.agent.guest.peer import Peer, port

from nexus.agent.guest.frames import MAX_PAYLOAD_BYTES, U32, WINDOW_BYTES, EchoFinder, FrameType, MuxFrame, encode
from nexus.agent.guest.mux import MuxTransport
from nexus.agent.guest.transport import ByteStream


class Host:
    """A transport that runs, and what it said."""

    def __init__(self, socket: Path) -> None:
        self.transport = MuxTransport(socket, ping_interval_s=0.2, ping_patience_s=0.2, hello_pause_s=(0.1, 0.2))
        self.said: asyncio.Queue[str] = asyncio.Queue()
        self.task = asyncio.create_task(
            self.transport.run(on_ready=lambda: self.said.put_nowait("ready"), on_lost=self.said.put_nowait)
        )

    async def next(self) -> str:
        async with asyncio.timeout(60):
            return await self.said.get()


@pytest.fixture
async def peers(short_tmp: Path) -> AsyncIterator[asyncio.Queue[Peer]]:
    async with port(short_tmp / "mux") as connections:
        yield connections


@pytest.fixture
async def host(short_tmp: Path, peers: asyncio.Queue[Peer]) -> AsyncIterator[Host]:
    running = Host(short_tmp / "mux")
    yield running
    running.task.cancel()
    await asyncio.gather(running.task, return_exceptions=True)


@pytest.fixture
async def peer(host: Host, peers: asyncio.Queue[Peer]) -> Peer:
    """A guest that has answered HELLO."""
    guest = await peers.get()
    await guest.greet()
    assert await host.next() == "ready"
    return guest


async def opened(host: Host, peer: Peer) -> ByteStream:
    stream = await host.transport.open()
    assert (await next_of(peer, FrameType.OPEN)).type is FrameType.OPEN
    return stream


async def next_of(peer: Peer, kind: FrameType) -> MuxFrame:
    """The next frame of a type; pings may come in between."""
    while (frame := await peer.next()).type is FrameType.PING:
        peer.send(FrameType.PING, 0)
    assert frame.type is kind, frame
    return frame


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_echo_is_found_behind_stale_bytes_however_they_are_cut(size: int) -> None:
    nonce = b"n" * 16
    stale = encode(FrameType.DATA, 1, b"old") + encode(FrameType.HELLO, 0, b"o" * 16)
    stale += encode(FrameType.HELLO, 0, nonce)[:9]
    data = stale + encode(FrameType.HELLO, 0, nonce) + b"rest"
    finder = EchoFinder(nonce)
    for at in range(0, len(data), size):
        if (rest := finder.feed(data[at : at + size])) is not None:
            assert rest + data[at + size :] == b"rest"
            break
    assert finder.discarded_bytes == len(stale)


async def test_a_stream_is_not_possible_before_the_echo(host: Host, peers: asyncio.Queue[Peer]) -> None:
    guest = await peers.get()
    await guest.hello()
    guest.send(FrameType.HELLO, 0, b"x" * 16)
    with pytest.raises(ConnectionResetError):
        await host.transport.open()
    assert not host.transport.is_ready


async def test_bytes_of_the_session_before_reach_nobody(host: Host, peer: Peer, peers: asyncio.Queue[Peer]) -> None:
    old = await opened(host, peer)
    peer.drop()
    assert "closed" in await host.next()
    with pytest.raises(ConnectionResetError):
        await old.read()
    guest = await peers.get()
    nonce = await guest.hello()
    guest.send(FrameType.DATA, 1, b"stale")
    guest.send_bytes(encode(FrameType.DATA, 1, b"cut short")[:-4])
    guest.send(FrameType.HELLO, 0, nonce)
    assert await host.next() == "ready"
    stream = await opened(host, guest)
    guest.send(FrameType.DATA, 1, b"fresh")
    assert await stream.read() == b"fresh"


async def test_each_direction_ends_by_itself(host: Host, peer: Peer) -> None:
    stream = await opened(host, peer)
    await stream.write(b"question")
    stream.write_eof()
    assert (await next_of(peer, FrameType.DATA)).payload == b"question"
    await next_of(peer, FrameType.FIN)
    peer.send(FrameType.DATA, 1, b"answer")
    peer.send(FrameType.FIN, 1)
    assert [await stream.read(3), await stream.read(), await stream.read()] == [b"ans", b"wer", b""]


async def test_what_came_before_a_fin_survives_the_reset_behind_it(host: Host, peer: Peer) -> None:
    stream = await opened(host, peer)
    peer.send(FrameType.DATA, 1, b"last words")
    peer.send(FrameType.FIN, 1)
    peer.send(FrameType.RST, 1)
    assert await stream.read() == b"last words"
    assert await stream.read() == b""
    with pytest.raises(ConnectionResetError):
        await stream.write(b"more")


async def test_abort_resets_and_a_reset_raises(host: Host, peer: Peer) -> None:
    mine, theirs = await opened(host, peer), await opened(host, peer)
    mine.abort()
    assert (await next_of(peer, FrameType.RST)).stream == 1
    peer.send(FrameType.RST, 2)
    with pytest.raises(ConnectionResetError):
        await theirs.read()


async def test_a_writer_stops_at_the_window_and_others_do_not(host: Host, peer: Peer) -> None:
    slow, other = await opened(host, peer), await opened(host, peer)
    writing = asyncio.create_task(slow.write(bytes(WINDOW_BYTES + 5)))
    got = 0
    while got < WINDOW_BYTES:
        got += len((await next_of(peer, FrameType.DATA)).payload)
    await other.write(b"x")
    assert (await next_of(peer, FrameType.DATA)).stream == 2
    assert not writing.done()
    peer.send(FrameType.WINDOW, 1, U32.pack(5))
    assert len((await next_of(peer, FrameType.DATA)).payload) == 5
    await writing


async def test_reading_gives_the_guest_new_credit_and_not_reading_does_not(host: Host, peer: Peer) -> None:
    stream = await opened(host, peer)
    for _ in range(WINDOW_BYTES // MAX_PAYLOAD_BYTES):
        peer.send(FrameType.DATA, 1, bytes(MAX_PAYLOAD_BYTES))
    got = 0
    while got < WINDOW_BYTES // 2:
        got += len(await stream.read())
    assert U32.unpack((await next_of(peer, FrameType.WINDOW)).payload)[0] == WINDOW_BYTES // 2


async def test_a_guest_that_ignores_the_window_loses_the_stream(host: Host, peer: Peer) -> None:
    stream = await opened(host, peer)
    for _ in range(WINDOW_BYTES // MAX_PAYLOAD_BYTES + 1):
        peer.send(FrameType.DATA, 1, bytes(MAX_PAYLOAD_BYTES))
    await next_of(peer, FrameType.RST)
    with pytest.raises(ConnectionResetError):
        await stream.read()


@pytest.mark.parametrize(
    "wrong",
    [
        b"garbage, no frame",
        encode(FrameType.RST, 0),
        encode(FrameType.HELLO, 0, b"x" * 16),
        encode(FrameType.DATA, 1, b"no trailer")[:-1] + b"x",
    ],
)
async def test_a_session_that_makes_no_sense_is_begun_anew(host: Host, peer: Peer, wrong: bytes) -> None:
    stream = await opened(host, peer)
    peer.send_bytes(wrong)
    assert await host.next() != "ready"
    with pytest.raises(ConnectionResetError):
        await stream.read()
    await peer.greet()
    assert await host.next() == "ready"


async def test_a_silent_guest_is_asked_then_lost_then_greeted(host: Host, peer: Peer) -> None:
    assert (await peer.next()).type is FrameType.PING
    peer.send(FrameType.PING, 0)
    assert (await peer.next()).type is FrameType.PING
    assert "no answer" in await host.next()
    await peer.greet()
    assert await host.next() == "ready"


async def test_a_guest_that_took_a_hello_and_said_nothing_gets_another_with_a_new_nonce(
    host: Host, peers: asyncio.Queue[Peer]
) -> None:
    guest = await peers.get()
    first = await guest.hello()
    second = await guest.hello()
    assert first != second
    guest.send(FrameType.HELLO, 0, first)
    guest.send(FrameType.HELLO, 0, second)
    assert await host.next() == "ready"


async def test_a_guest_that_has_not_opened_its_port_finds_exactly_one_hello(short_tmp: Path) -> None:
    """Nobody reads the socket for many times the pause between HELLOs, as QEMU does until the guest opens its port."""
    async with port(short_tmp / "mux", is_open=False) as peers:
        host = Host(short_tmp / "mux")
        guest = await peers.get()
        await asyncio.wait({host.task}, timeout=1.5)
        guest.start_reading()
        guest.send(FrameType.HELLO, 0, await guest.hello())
        assert await host.next() == "ready"
        host.task.cancel()
        await asyncio.gather(host.task, return_exceptions=True)


async def test_it_connects_whenever_the_socket_appears_and_reappears(short_tmp: Path) -> None:
    host = Host(short_tmp / "mux")
    for _ in range(3):
        async with port(short_tmp / "mux") as peers:
            async with asyncio.timeout(60):
                guest = await peers.get()
            await guest.greet()
            assert await host.next() == "ready"
        assert await host.next() != "ready"
    host.task.cancel()
    await asyncio.gather(host.task, return_exceptions=True)
