"""One question to a guest that may answer anything."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.agent.guest.asking import MAX_ANSWER_BYTES, ask
from nexus.protocol.guest import MOST_DEVICES, GuestMetrics, TimeRequest
from nexus.protocol.trouble import Retryable

GOOD = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n{"time_unix_ms":7}'


class Stream:
    """A guest that says these pieces, and then nothing more or (`hangs`) nothing at all."""

    def __init__(self, *pieces: bytes, hangs: bool = False) -> None:
        self._pieces = list(pieces)
        self._hangs = hangs
        self.asked = b""

    async def read(self, limit: int = 65536) -> bytes:
        if self._pieces:
            return self._pieces.pop(0)
        if self._hangs:
            await asyncio.Event().wait()
        return b""

    async def write(self, data: bytes) -> None:
        self.asked += data

    def write_eof(self) -> None:
        return

    def abort(self) -> None:
        return


async def answer(*pieces: bytes, hangs: bool = False) -> int:
    return (await ask(TimeRequest, Stream(*pieces, hangs=hangs), "/v1/time", timeout_s=5)).time_unix_ms


async def test_an_answer_is_read_however_it_is_cut() -> None:
    assert await answer(GOOD, hangs=True) == 7
    assert await answer(*(GOOD[place : place + 1] for place in range(len(GOOD))), hangs=True) == 7
    assert await answer(GOOD + b"more than was said") == 7


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 500 Oh\r\nContent-Length: 18\r\n\r\n" + GOOD[-18:],
        b"HTTP/1.1\r\n\r\n",
        b"\r\n\r\n",
        b"x" * (MAX_ANSWER_BYTES + 1),
        GOOD[:-18] + b'{"time_unix_ms":"x"}',
    ],
)
async def test_what_is_no_answer_is_a_trouble(said: bytes) -> None:
    with pytest.raises(Retryable):
        await answer(said)


PLAIN = {
    **dict.fromkeys(("uptime_s", "cpu_percent", "cpu_seconds", "load_1", "load_5", "load_15"), 0.5),
    **dict.fromkeys(
        ("memory_total_kib", "memory_available_kib", "processes", "root_total_bytes", "root_free_bytes"), 5
    ),
}
INTERFACE = {"name": "eth0", "mac": "", "received_bytes": 1, "sent_bytes": 1}
DISK = {"name": "vda", "read_bytes": 1, "written_bytes": 1}


async def measured(figures: dict[str, object]) -> GuestMetrics:
    body = json.dumps(PLAIN | figures).encode()
    said = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    return await ask(GuestMetrics, Stream(said), "/v1/metrics", timeout_s=5)


@pytest.mark.parametrize("devices", [0, 1, MOST_DEVICES])
async def test_figures_that_a_machine_can_have_are_taken(devices: int) -> None:
    told = await measured({"interfaces": [INTERFACE] * devices, "disks": [DISK] * devices, "memory_total_kib": 2**50})
    assert (len(told.interfaces), len(told.disks), told.memory_total_kib) == (devices, devices, 2**50)


@pytest.mark.parametrize(
    "figures",
    [
        *({name: value} for name in PLAIN for value in (-1, 2**50 + 1)),
        {"interfaces": [INTERFACE | {"received_bytes": 2**63}]},
        {"interfaces": [INTERFACE | {"sent_bytes": -1}]},
        {"disks": [DISK | {"read_bytes": 2**63}]},
        {"interfaces": [INTERFACE] * (MOST_DEVICES + 1)},
        {"disks": [DISK] * (MOST_DEVICES + 1)},
    ],
)
async def test_figures_that_no_machine_has_are_no_answer(figures: dict[str, object]) -> None:
    with pytest.raises(Retryable):
        await measured(figures)


async def test_a_guest_that_says_nothing_is_given_up() -> None:
    with pytest.raises(Retryable, match="in time"):
        await ask(TimeRequest, Stream(hangs=True), "/v1/time", timeout_s=0.05)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_whatever_it_says_only_a_trouble_comes_of_it(pieces: list[bytes]) -> None:
    async def hear() -> None:
        with pytest.raises(Retryable):
            await answer(*(piece for piece in pieces if piece))

    asyncio.run(hear())
