"""One question to a guest that may answer anything."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.agent.guest.asking import MAX_ANSWER_BYTES, ask
from nexus.protocol.guest import TimeRequest
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


async def test_a_guest_that_says_nothing_is_given_up() -> None:
    with pytest.raises(Retryable, match="in time"):
        await ask(TimeRequest, Stream(hangs=True), "/v1/time", timeout_s=0.05)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_whatever_it_says_only_a_trouble_comes_of_it(pieces: list[bytes]) -> None:
    async def hear() -> None:
        with pytest.raises(Retryable):
            await answer(*(piece for piece in pieces if piece))

    asyncio.run(hear())
