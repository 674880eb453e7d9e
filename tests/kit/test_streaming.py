"""Long answers: their end and their break are told apart, and nothing stays open behind them."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.requests import Request

from nexus.kit.incoming import EndedEarly
from nexus.kit.streaming import ByteStream, StreamBroken, arriving

SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/long"}


class Reader:
    """Whoever asked: takes pieces until it has had enough, or goes."""

    def __init__(self, *, most: int = 100, goes_after: int | None = None) -> None:
        self.taken: list[dict[str, Any]] = []
        self._most = most
        self._goes_after = goes_after
        self._gone = asyncio.Event()
        self._stuck = asyncio.Event()

    async def send(self, message: dict[str, Any]) -> None:
        self.taken.append(message)
        if self._goes_after is not None and len(self.taken) > self._goes_after:
            self._gone.set()
            await self._stuck.wait()
        if len(self.taken) > self._most:
            await self._stuck.wait()

    async def receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.taken if message["type"] == "http.response.body"]

    @property
    def is_told_the_end(self) -> bool:
        return self.taken[-1].get("more_body") is None and self.taken[-1]["type"] == "http.response.body"


class Source:
    def __init__(self, *, breaks: bool = False) -> None:
        self._breaks = breaks
        self.is_closed = False
        self.ended: str | None = None

    async def pieces(self) -> AsyncGenerator[bytes]:
        try:
            for _ in range(10):
                yield b"abc"
            if self._breaks:
                raise StreamBroken("the disk is gone")
        finally:
            self.ended = "ended"

    async def close(self) -> None:
        self.is_closed = True

    def stream(self, *, stalled_s: float = 60) -> ByteStream:
        return ByteStream(
            self.pieces(), length=30, close=self.close, media_type="application/x-tar", stalled_s=stalled_s
        )


async def _answered(source: Source, reader: Reader, *, stalled_s: float = 60) -> None:
    async with asyncio.timeout(60):
        await source.stream(stalled_s=stalled_s)(SCOPE, reader.receive, reader.send)  # pyright: ignore[reportArgumentType]
    assert source.is_closed
    assert source.ended


async def test_all_of_it_is_sent_and_its_length_told() -> None:
    source, reader = Source(), Reader()
    await _answered(source, reader)
    assert b"".join(reader.bodies) == b"abc" * 10
    assert (b"content-length", b"30") in reader.taken[0]["headers"]
    assert reader.is_told_the_end


async def test_what_breaks_has_no_end() -> None:
    source, reader = Source(breaks=True), Reader()
    await _answered(source, reader)
    assert b"".join(reader.bodies) == b"abc" * 10
    assert not reader.is_told_the_end


async def test_nothing_is_held_for_who_has_gone() -> None:
    source, reader = Source(), Reader(goes_after=3)
    await _answered(source, reader)
    assert len(reader.bodies) == 3


async def test_nothing_is_held_for_who_takes_nothing() -> None:
    source, reader = Source(), Reader(most=3)
    await _answered(source, reader, stalled_s=0.05)
    assert not reader.is_told_the_end


async def test_a_bug_is_not_taken_for_a_break() -> None:
    source = Source()

    async def wrong() -> AsyncGenerator[bytes]:
        yield b"abc"
        raise LookupError

    stream = ByteStream(wrong(), length=30, close=source.close, media_type="a/b")
    reader = Reader()
    with pytest.raises(LookupError):
        await stream(SCOPE, reader.receive, reader.send)  # pyright: ignore[reportArgumentType]
    assert source.is_closed


def _request(*coming: dict[str, Any]) -> Request:
    left = list(coming)

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    return Request(SCOPE, receive)


async def test_a_request_that_breaks_off_is_told_from_one_that_ends() -> None:
    more = {"type": "http.request", "body": b"abc", "more_body": True}
    whole = _request(more, {"type": "http.request", "body": b"de", "more_body": False})
    assert b"".join([piece async for piece in arriving(whole)]) == b"abcde"
    broken = arriving(_request(more, {"type": "http.disconnect"}))
    assert await anext(broken) == b"abc"
    with pytest.raises(EndedEarly, match="after 3 bytes"):
        await anext(broken)


async def test_a_request_that_stands_still_is_ended() -> None:
    async def nothing() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(EndedEarly, match="after 0 bytes"):
        await anext(arriving(Request(SCOPE, nothing), stalled_s=0.01))
