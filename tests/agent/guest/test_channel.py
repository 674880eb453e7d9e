"""guest.sock and the client on it, over a carrier in this process."""

import asyncio
import gzip
import json
import stat
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from nexus.agent.guest.channel import GuestChannel
from nexus.agent.guest.client import MAX_ANSWER_BYTES, GuestClient
from nexus.agent.guest.transport import ByteStream
from nexus.protocol.guest import Frame, GuestMetrics, SessionKind, SessionRequest
from nexus.protocol.trouble import Gone, Refused, Retryable


class Pipe:
    """A stream whose other end the test holds."""

    def __init__(self) -> None:
        self.to_guest = asyncio.Queue[bytes]()
        self.from_guest = asyncio.Queue[bytes | None]()
        self.is_aborted = asyncio.Event()

    async def read(self, limit: int = 65536) -> bytes:
        data = await self.from_guest.get()
        if data is None:
            raise ConnectionResetError("reset")
        assert len(data) <= limit
        return data

    async def write(self, data: bytes) -> None:
        self.to_guest.put_nowait(data)

    def write_eof(self) -> None:
        self.to_guest.put_nowait(b"")

    def abort(self) -> None:
        self.is_aborted.set()


class Carrier:
    """A `Transport` that is ready when the test says so."""

    def __init__(self) -> None:
        self.is_ready = False
        self.streams = asyncio.Queue[Pipe]()
        self.signs = asyncio.Queue[str | None]()

    async def run(self, *, on_ready: Callable[[], None], on_lost: Callable[[str], None]) -> None:
        while True:
            why = await self.signs.get()
            self.is_ready = why is None
            if why is None:
                on_ready()
            else:
                on_lost(why)

    async def open(self) -> ByteStream:
        if not self.is_ready:
            raise ConnectionResetError("not ready")
        stream = Pipe()
        self.streams.put_nowait(stream)
        return stream


@pytest.fixture
async def carrier() -> Carrier:
    return Carrier()


@pytest.fixture
async def channel(carrier: Carrier, short_tmp: Path) -> AsyncIterator[GuestChannel]:
    async with GuestChannel(carrier, socket=short_tmp / "guest.sock") as running:
        carrier.signs.put_nowait(None)
        assert await running.wait_ready(5)
        yield running


@pytest.fixture
async def client(channel: GuestChannel) -> AsyncIterator[GuestClient]:
    async with GuestClient(channel.socket, timeout_s=0.5) as talking:
        yield talking


async def answering(carrier: Carrier, answer: bytes) -> bytes:
    """Play a guest that answers the next request; returns the request."""
    stream = await carrier.streams.get()
    request = await stream.to_guest.get()
    stream.from_guest.put_nowait(answer)
    stream.from_guest.put_nowait(b"")
    return request


def http(status: str, body: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", body]
    return "\r\n".join(lines).encode()


async def test_the_socket_is_ours_alone_and_goes_with_the_channel(carrier: Carrier, short_tmp: Path) -> None:
    path = short_tmp / "guest.sock"
    path.write_text("left over")
    async with GuestChannel(carrier, socket=path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_readiness_comes_and_goes_with_the_carrier(carrier: Carrier, short_tmp: Path) -> None:
    said = asyncio.Queue[str]()
    channel = GuestChannel(
        carrier, socket=short_tmp / "g", on_ready=lambda: said.put_nowait("ready"), on_lost=said.put_nowait
    )
    async with channel:
        assert not await channel.wait_ready(0.01)
        for sign, wanted in ((None, "ready"), ("gone", "gone"), (None, "ready")):
            carrier.signs.put_nowait(sign)
            assert await said.get() == wanted
            assert channel.is_ready is (sign is None)


async def test_a_connection_while_the_guest_is_away_is_closed_at_once(
    carrier: Carrier, channel: GuestChannel, client: GuestClient
) -> None:
    carrier.is_ready = False
    with pytest.raises(Retryable, match="not there"):
        await client.health()
    with pytest.raises(Retryable, match="not there"):
        async with client.stream("abc"):
            pass


async def test_half_closed_connections_still_get_their_answer(carrier: Carrier, channel: GuestChannel) -> None:
    reader, writer = await asyncio.open_unix_connection(str(channel.socket))
    writer.write(b"question")
    writer.write_eof()
    stream = await carrier.streams.get()
    assert await stream.to_guest.get() == b"question"
    assert await stream.to_guest.get() == b""
    for part in (b"a" * 65536, b"b" * 65536, b""):
        stream.from_guest.put_nowait(part)
    assert await reader.read(-1) == b"a" * 65536 + b"b" * 65536
    writer.close()


async def test_a_client_that_leaves_ends_its_stream(carrier: Carrier, channel: GuestChannel) -> None:
    _, writer = await asyncio.open_unix_connection(str(channel.socket))
    stream = await carrier.streams.get()
    writer.transport.abort()
    async with asyncio.timeout(60):
        assert await stream.to_guest.get() == b""
        stream.from_guest.put_nowait(b"")
        await stream.is_aborted.wait()


async def test_a_stream_that_is_reset_closes_its_connection(carrier: Carrier, channel: GuestChannel) -> None:
    reader, writer = await asyncio.open_unix_connection(str(channel.socket))
    stream = await carrier.streams.get()
    stream.from_guest.put_nowait(None)
    async with asyncio.timeout(60):
        assert await reader.read(-1) == b""
    writer.close()


async def test_close_ends_every_connection(carrier: Carrier, short_tmp: Path) -> None:
    channel = GuestChannel(carrier, socket=short_tmp / "g")
    await channel.start()
    carrier.signs.put_nowait(None)
    assert await channel.wait_ready(5)
    reader, writer = await asyncio.open_unix_connection(str(channel.socket))
    stream = await carrier.streams.get()
    await channel.close()
    assert stream.is_aborted.is_set()
    assert await reader.read(-1) == b""
    writer.close()
    await channel.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("404 Not Found", Gone),
        ("400 Bad Request", Refused),
        ("409 Conflict", Refused),
        ("422 Unprocessable", Refused),
        ("500 Internal", Retryable),
    ],
)
async def test_errors_become_troubles_with_the_guests_words(
    carrier: Carrier, client: GuestClient, status: str, kind: type[Exception]
) -> None:
    guest = asyncio.create_task(answering(carrier, http(status, '{"error": "the reason"}')))
    with pytest.raises(kind, match="the reason"):
        await client.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("true",)))
    assert (await guest).startswith(b"POST /v1/sessions HTTP/1.1\r\n")
    guest = asyncio.create_task(answering(carrier, http(status, '{"error": "the reason"}')))
    with pytest.raises(kind, match="the reason"):
        async with client.stream("abc", offset=3):
            pass
    assert (await guest).startswith(b"GET /v1/sessions/abc/stream?offset=3 HTTP/1.1\r\n")


async def test_an_answer_that_does_not_come_or_fit_is_retryable(carrier: Carrier, client: GuestClient) -> None:
    with pytest.raises(Retryable, match="in time"):
        await client.health()
    with pytest.raises(Retryable, match="in time"):
        async with client.stream("abc"):
            pass
    while not carrier.streams.empty():
        carrier.streams.get_nowait()
    guest = asyncio.create_task(answering(carrier, http("200 OK", '{"unexpected": 1}')))
    with pytest.raises(Retryable, match="something else"):
        await client.health()
    await guest


async def test_an_answer_without_end_is_given_up(carrier: Carrier, client: GuestClient) -> None:
    """Whoever is root in the guest may answer for its agent: the host must not hold all it sends."""

    async def flood() -> int:
        stream = await carrier.streams.get()
        await stream.to_guest.get()
        stream.from_guest.put_nowait(b"HTTP/1.1 200 OK\r\n\r\n")
        sent = 0
        while not stream.is_aborted.is_set():
            if stream.from_guest.qsize() < 4:
                stream.from_guest.put_nowait(bytes(65536))
                sent += 65536
            await asyncio.sleep(0)
        return sent

    flooding = asyncio.create_task(flood())
    with pytest.raises(Retryable, match="more than 4 MiB"):
        await client.request("GET", "/v1/health", timeout_s=30)
    assert await asyncio.wait_for(flooding, 10) < 2 * MAX_ANSWER_BYTES


async def test_an_answer_is_not_unpacked(carrier: Carrier, client: GuestClient) -> None:
    packed = gzip.compress(bytes(1 << 20))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    guest = asyncio.create_task(answering(carrier, head + packed))
    assert (await client.request("GET", "/v1/health")).content == packed
    await guest


@pytest.mark.parametrize("load", ["NaN", "Infinity", "1e999"])
async def test_metrics_that_json_cannot_say_are_not_passed_on(carrier: Carrier, client: GuestClient, load: str) -> None:
    """The manager could not read the answer they are in: the host's side of the metrics would be lost with them."""
    numbers = {name: 1 for name, field in GuestMetrics.model_fields.items() if field.is_required()}
    honest = json.dumps(numbers)
    guest = asyncio.create_task(answering(carrier, http("200 OK", honest)))
    assert (await client.metrics()).load_1 == 1
    await guest
    guest = asyncio.create_task(answering(carrier, http("200 OK", honest.replace('"load_1": 1', f'"load_1": {load}'))))
    with pytest.raises(Retryable, match="something else"):
        await client.metrics()
    await guest


@pytest.mark.parametrize(
    "head",
    [
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 what\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nNexus-Offset: x\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: many\r\n\r\n",
    ],
)
async def test_a_head_that_makes_no_sense_is_retryable(carrier: Carrier, client: GuestClient, head: str) -> None:
    guest = asyncio.create_task(answering(carrier, head.encode()))
    with pytest.raises(Retryable, match="makes no sense"):
        async with client.stream("abc"):
            pass
    await guest


@pytest.mark.parametrize("session", ["../x", "a b", "a\r\nb", "", "ä"])
async def test_a_session_id_cannot_be_anything_else(client: GuestClient, session: str) -> None:
    with pytest.raises(Gone):
        await client.signal(session, 15)
    with pytest.raises(Gone):
        async with client.stream(session):
            pass


async def test_session_frames_go_both_ways(carrier: Carrier, client: GuestClient) -> None:
    async def guest() -> bytes:
        stream = await carrier.streams.get()
        await stream.to_guest.get()
        frames = struct.pack(">BI", 1, 3) + b"out" + struct.pack(">BI", 2, 3) + b"err"
        head = b"HTTP/1.1 101 Switching Protocols\r\nNexus-Offset: 42\r\n\r\n"
        stream.from_guest.put_nowait(head + frames[:7])
        stream.from_guest.put_nowait(frames[7:])
        got = b""
        while len(got) < 5 + 65536 + 5 + 1:
            got += await stream.to_guest.get()
        stream.from_guest.put_nowait(b"")
        return got

    playing = asyncio.create_task(guest())
    async with client.stream("abc", offset=40) as stream:
        assert stream.offset == 42
        await stream.send(Frame.INPUT, b"x" * 65537)
        assert [item async for item in stream] == [(Frame.OUTPUT, b"out"), (Frame.ERROR_OUTPUT, b"err")]
    assert await playing == struct.pack(">BI", 0, 65536) + b"x" * 65536 + struct.pack(">BI", 0, 1) + b"x"


async def test_a_session_stream_that_is_cut_is_retryable(carrier: Carrier, client: GuestClient) -> None:
    head = b"HTTP/1.1 101 Switching Protocols\r\nNexus-Offset: 0\r\n\r\n"
    guest = asyncio.create_task(answering(carrier, head + struct.pack(">BI", 1, 3) + b"o"))
    async with client.stream("abc") as stream:
        with pytest.raises(Retryable):
            await stream.receive()
    await guest
