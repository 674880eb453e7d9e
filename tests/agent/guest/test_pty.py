"""Terminals in a real guest."""

import asyncio
import re

import pytest
from tests.agent.guest.conftest import Guest, holds

from nexus.agent.guest.session import SessionStream
from nexus.protocol.guest import Frame, SessionExit, SessionKind, SessionRequest, TerminalSize

pytestmark = pytest.mark.vm


async def until(stream: SessionStream, wanted: bytes) -> bytes:
    """Output up to and including the first match of `wanted`."""
    got = bytearray()
    async with asyncio.timeout(20):
        while not re.search(wanted, got):
            item = await stream.receive()
            assert item is not None, bytes(got)
            assert item[0] is Frame.OUTPUT, (item, bytes(got))
            got += item[1]
    return bytes(got)


async def exit_of(stream: SessionStream) -> SessionExit:
    async with asyncio.timeout(20):
        async for frame, payload in stream:
            if frame is Frame.EXIT:
                return SessionExit.model_validate_json(payload)
    raise AssertionError("no exit frame")


async def shell(guest: Guest, *argv: str) -> str:
    request = SessionRequest(
        kind=SessionKind.PTY, argv=argv, size=TerminalSize(cols=91, rows=33), env={"PS1": "ready> "}
    )
    return await guest.client.open_session(request)


async def test_a_login_shell_knows_its_user_and_size_and_returns_its_code(guest: Guest) -> None:
    async with guest.client.stream(await shell(guest)) as stream:
        await stream.send(Frame.INPUT, b"echo $0:$(id -un):$TERM; stty size\n")
        text = await until(stream, rb"33 91")
        assert re.search(rb"-\w*sh:root:xterm-256color", text)
        await stream.send(Frame.RESIZE, TerminalSize(cols=120, rows=40).model_dump_json().encode())
        await stream.send(Frame.INPUT, b"stty size\n")
        await until(stream, rb"40 120")
        await stream.send(Frame.INPUT, b"exit 5\n")
        assert (await exit_of(stream)).code == 5


async def test_ctrl_c_reaches_the_foreground_process(guest: Guest) -> None:
    async with guest.client.stream(await shell(guest, "sh", "-c", "echo go; sleep 600; echo not reached")) as stream:
        await until(stream, b"go")
        await stream.send(Frame.INPUT, b"\x03")
        ended = await exit_of(stream)
    assert (ended.code, ended.signal) == (130, 2)


async def test_end_of_input_is_ctrl_d(guest: Guest) -> None:
    async with guest.client.stream(await shell(guest, "cat")) as stream:
        await stream.send(Frame.END_OF_INPUT)
        assert (await exit_of(stream)).code == 0


async def test_a_terminal_without_a_watcher_keeps_the_newest_output(guest: Guest) -> None:
    script = "seq 1 60000 | sed 's/^/line /'; echo over; sleep 600"
    session = await shell(guest, "sh", "-c", script)

    async def overflows() -> bool:
        return next(s for s in await guest.client.sessions() if s.id == session).first_offset > 0

    await holds(overflows, within_s=60)
    async with guest.client.stream(session) as stream:
        assert stream.offset > 0
        assert b"line 60000\r\nover" in await until(stream, b"over")
    await guest.client.delete_session(session)


async def test_the_terminal_belongs_to_its_user(guest: Guest) -> None:
    await guest.add_user("bob", 2002)
    argv = ("sh", "-c", "stat -c '%U %a' $(tty); echo x>$(tty)")
    request = SessionRequest(kind=SessionKind.PTY, user="bob", argv=argv)
    async with guest.client.stream(await guest.client.open_session(request)) as stream:
        assert b"bob 620" in await until(stream, rb"x\r")
        assert (await exit_of(stream)).code == 0
