"""Guests whose agent is older than snapshots, or slower than a clock should be set: what the host makes of them."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nexus.agent.guest import becoming
from nexus.agent.guest.answers import LONGEST_WORDS, trouble_of
from nexus.agent.guest.becoming import become, set_clock
from nexus.agent.guest.client import GuestClient
from nexus.agent.guest.snapshotting import frozen
from nexus.protocol.guest import GuestHealth, IdentityReason
from nexus.protocol.trouble import Refused

Answer = Callable[[str], str]


class StoppedClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 2, tzinfo=UTC)


@asynccontextmanager
async def guest_that(answers: Answer, directory: Path) -> AsyncGenerator[tuple[GuestClient, list[str]]]:
    """A client of a guest that answers so, and what it was asked. No words: there is no such address."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if length := re.search(r"(?i)content-length: (\d+)", head):
            await reader.readexactly(int(length[1]))
        asked.append(" ".join(head.split(" ")[:2]))
        body = answers(asked[-1])
        status = "200 OK" if body else "404 Not Found"
        said = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
        writer.write(said.encode())
        writer.close()

    server = await asyncio.start_unix_server(serve, str(directory / "guest.sock"))
    async with server, GuestClient(directory / "guest.sock", timeout_s=20) as client:
        yield client, asked


def old(asked: str) -> str:
    if asked == "POST /v1/identity":
        return ""
    return GuestHealth(version="0", protocol=1, boot_ms=0, capabilities=("metrics",)).model_dump_json()


async def test_an_old_agent_is_not_asked_to_freeze_and_the_snapshot_goes_on(short_tmp: Path) -> None:
    async with guest_that(old, short_tmp) as (client, asked):
        async with frozen(client) as hold:
            assert not hold.is_consistent
        assert hold.warning == "The guest's file systems were not frozen: its agent is too old for that."
    assert asked == ["GET /v1/health"]


async def test_an_old_agent_is_not_made_another_machine_and_says_why(short_tmp: Path) -> None:
    async with guest_that(old, short_tmp) as (client, asked):
        with pytest.raises(Refused, match="too old to become another machine"):
            await become(client, reason=IdentityReason.CLONE, config=None, clock=StoppedClock())
    assert asked == ["POST /v1/identity"]


async def test_an_old_agent_goes_on_as_the_machine_it_was_with_the_time_alone(short_tmp: Path) -> None:
    async with guest_that(old, short_tmp) as (client, asked):
        warnings = await become(client, reason=IdentityReason.ROLLBACK, config=None, clock=StoppedClock())
    assert "too old" in warnings[0]
    assert asked[:2] == ["POST /v1/identity", "PUT /v1/time"]


@pytest.mark.parametrize(
    ("said", "told"),
    [(b'{"error":"a\\u0000b\\u001b[31m"}', "a b [31m"), (b'{"error":"%s"}' % (b"x" * 4096), "x" * LONGEST_WORDS)],
)
def test_the_words_of_a_guest_are_short_and_can_be_printed(said: bytes, told: str) -> None:
    assert str(trouble_of(400, said)) == told


async def test_a_failed_snapshot_is_thawed_and_its_failure_passed_on(short_tmp: Path) -> None:
    def answers(asked: str) -> str:
        if asked.endswith("/health"):
            return GuestHealth(version="0", protocol=1, boot_ms=0, capabilities=("freeze",)).model_dump_json()
        return json.dumps({"frozen": ["/"], "held": True})

    async with guest_that(answers, short_tmp) as (client, asked):
        with pytest.raises(OSError, match="disk full"):
            async with frozen(client):
                raise OSError("disk full")
    assert asked[1:] == ["POST /v1/filesystems/freeze", "POST /v1/filesystems/thaw"]


async def test_the_clock_is_set_again_until_the_way_was_short(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    took = iter([1.0, 0.06, 0.04])
    at = 0.0

    def monotonic() -> float:
        nonlocal at
        calls.append(at)
        at += next(took) if len(calls) % 2 else 0.0
        return calls[-1]

    calls: list[float] = []
    async with guest_that(lambda _asked: "{}", short_tmp) as (client, asked):
        monkeypatch.setattr(becoming, "monotonic", monotonic)
        await set_clock(client, clock=StoppedClock())
    assert asked == ["PUT /v1/time"] * 3


@pytest.mark.parametrize(("took_s", "again"), [(0.08, []), (0.09, ["PUT /v1/time"])])
async def test_a_restored_guest_is_told_the_time_again_unless_it_was_told_quickly(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch, took_s: float, again: list[str]
) -> None:
    moments = iter([0.0, took_s, 1.0, 1.0])
    async with guest_that(lambda _asked: "{}", short_tmp) as (client, asked):
        monkeypatch.setattr(becoming, "monotonic", lambda: next(moments))
        await become(client, reason=IdentityReason.ROLLBACK, config=None, clock=StoppedClock())
    assert asked == ["POST /v1/identity", *again]
