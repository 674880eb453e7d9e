"""Processes in a real guest: what an exec session promises."""

import asyncio
import hashlib
import time

import pytest
from tests.agent.guest.conftest import KEY, PASSWORD_HASH, Guest, gather, holds

from nexus.protocol.guest import Frame, SessionKind, SessionRequest, SessionSeen
from nexus.protocol.trouble import Gone, Refused

pytestmark = pytest.mark.vm
PYTHON = ("python3", "-c")


async def test_the_guest_is_the_machine_of_its_configuration(guest: Guest) -> None:
    health = await guest.client.health()
    assert health.warnings == ()
    assert health.protocol == 1
    ran = await guest.run("sh", "-c", "hostname; cat /etc/hostname /etc/machine-id; grep web-1 /etc/hosts")
    assert ran.out.decode().split() == ["web-1", "web-1", guest.spec.id.hex, "127.0.1.1", "web-1"]
    shadow = await guest.run("sh", "-c", "grep ^root: /etc/shadow; stat -c %a /etc/shadow /root/.ssh/authorized_keys")
    assert shadow.out.decode().splitlines()[0].split(":")[1] == PASSWORD_HASH
    assert not int(shadow.out.decode().splitlines()[1], 8) & 0o007
    assert shadow.out.decode().splitlines()[2] == "600"
    assert (await guest.run("cat", "/root/.ssh/authorized_keys")).out.decode().strip() == KEY
    metrics = await guest.client.metrics()
    assert any(str(a).startswith("10.0.2.15") for nic in metrics.interfaces for a in nic.addresses)


async def test_output_error_output_and_exit_code_come_apart(guest: Guest) -> None:
    ran = await guest.run("sh", "-c", "echo out; echo err >&2; exit 7")
    assert (ran.out, ran.err, ran.exit.code, ran.exit.signal) == (b"out\n", b"err\n", 7, None)


async def test_environment_directory_and_user_are_as_asked(guest: Guest) -> None:
    await guest.add_user("alice", 2001)
    ran = await guest.run("sh", "-c", 'id -un; pwd; echo "$HOME $USER $A"', user="alice", cwd="/tmp", env={"A": "b c"})
    assert ran.out.decode().splitlines() == ["alice", "/tmp", "/home/alice alice b c"]
    ran = await guest.run("pwd")
    assert ran.out == b"/root\n"
    with pytest.raises(Refused, match="no user"):
        await guest.run("true", user="nobody-here")
    with pytest.raises(Refused, match="no directory"):
        await guest.run("true", cwd="/nowhere")


async def test_programs_that_cannot_run_end_as_in_a_shell(guest: Guest) -> None:
    missing = await guest.run("no-such-program")
    assert (missing.exit.code, missing.err) == (127, b"no-such-program: not found\n")
    assert (await guest.run("/etc/hostname")).exit.code == 126


async def test_a_killed_process_ends_with_128_and_its_signal(guest: Guest) -> None:
    session = await guest.client.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("sleep", "600")))
    await guest.client.signal(session, 15)
    async with guest.client.stream(session) as stream:
        ran = await gather(stream)
    assert (ran.exit.code, ran.exit.signal, ran.exit.timed_out) == (143, 15, False)


async def test_a_timeout_kills_the_whole_group(guest: Guest) -> None:
    ran = await guest.run("sh", "-c", "sleep 601 & sleep 602", timeout_ms=300)
    assert (ran.exit.code, ran.exit.timed_out) == (137, True)
    assert (await guest.run("sh", "-c", "ps | grep 'sleep 60[12]' | grep -v grep")).out == b""


async def test_a_child_that_keeps_the_pipes_does_not_hold_back_the_exit(guest: Guest) -> None:
    begun = time.monotonic()
    ran = await guest.run("sh", "-c", "setsid sleep 30 & echo done")
    assert (ran.out, ran.exit.code) == (b"done\n", 0)
    assert time.monotonic() - begun < 10


async def test_large_input_and_output_arrive_byte_for_byte(guest: Guest) -> None:
    data = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(100_000))
    session = await guest.client.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("cat",)))
    async with guest.client.stream(session) as stream, asyncio.timeout(60), asyncio.TaskGroup() as both:

        async def feed() -> None:
            await stream.send(Frame.INPUT, data)
            await stream.send(Frame.END_OF_INPUT)

        both.create_task(feed())
        ran = await gather(stream)
    assert hashlib.sha256(ran.out).digest() == hashlib.sha256(data).digest()


async def test_nothing_is_lost_to_a_watcher_that_comes_late(guest: Guest) -> None:
    script = "import sys\nfor i in range(200000): print(i)"
    session = await guest.client.open_session(SessionRequest(kind=SessionKind.EXEC, argv=(*PYTHON, script)))

    async def is_full() -> bool:
        return (await seen(guest, session)).end_offset == 512 * 1024

    await holds(is_full, within_s=30)
    async with guest.client.stream(session) as stream, asyncio.timeout(60):
        ran = await gather(stream)
    assert ran.out == b"".join(b"%d\n" % n for n in range(200_000))


async def test_a_session_outlives_its_watcher_and_goes_on_at_the_offset(guest: Guest) -> None:
    script = "import sys\nfor line in sys.stdin: print(line.strip().upper(), flush=True)"
    session = await guest.client.open_session(SessionRequest(kind=SessionKind.EXEC, argv=(*PYTHON, script)))
    async with guest.client.stream(session) as first:
        await first.send(Frame.INPUT, b"one\n")
        assert await first.receive() == (Frame.OUTPUT, b"ONE\n")
    async with guest.client.stream(session, offset=4) as second:
        assert second.offset == 4
        await second.send(Frame.INPUT, b"two\n")
        assert await second.receive() == (Frame.OUTPUT, b"TWO\n")
        async with guest.client.stream(session, offset=0) as third:
            assert await third.receive() == (Frame.OUTPUT, b"ONE\nTWO\n")
            assert await second.receive() is None
            await third.send(Frame.END_OF_INPUT)
            assert (await gather(third)).exit.code == 0
    with pytest.raises(Refused, match="beyond"):
        async with guest.client.stream(await sleeper(guest), offset=1):
            pass


async def test_a_finished_session_is_forgotten_once_delivered(guest: Guest) -> None:
    session = await guest.client.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("true",)))
    async with guest.client.stream(session) as stream:
        await gather(stream)
        assert await stream.receive() is None

    async def is_forgotten() -> bool:
        return session not in {s.id for s in await guest.client.sessions()}

    await holds(is_forgotten)
    with pytest.raises(Gone):
        await guest.client.signal(session, 15)


async def test_delete_kills_and_forgets(guest: Guest) -> None:
    session = await sleeper(guest)
    pid = (await seen(guest, session)).pid
    await guest.client.delete_session(session)
    with pytest.raises(Gone):
        await guest.client.delete_session(session)

    async def has_gone() -> bool:
        return (await guest.run("test", "-d", f"/proc/{pid}")).exit.code != 0

    await holds(has_gone)


async def test_a_process_that_does_not_read_does_not_hold_up_its_next_watcher(guest: Guest) -> None:
    session = await sleeper(guest)
    async with guest.client.stream(session) as first:
        stuck = asyncio.create_task(first.send(Frame.INPUT, bytes(4 << 20)))
        async with asyncio.timeout(20), guest.client.stream(session):
            assert (await guest.run("echo", "alive")).out == b"alive\n"
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)
    await guest.client.delete_session(session)


async def test_the_clock_is_set(guest: Guest) -> None:
    await guest.client.set_time(2_000_000_000_000)
    shown = int((await guest.run("date", "+%s")).out)
    await guest.client.set_time(time.time_ns() // 1_000_000)
    assert 2_000_000_000 <= shown < 2_000_000_060


async def test_the_agent_is_small_and_leaves_nothing_behind_after_many_sessions(guest: Guest) -> None:
    for _ in range(100):
        assert (await guest.run("true")).exit.code == 0
    for _ in range(3):
        ran = await asyncio.gather(*(guest.run("head", "-c", "2000000", "/dev/zero") for _ in range(10)))
        assert all(len(r.out) == 2_000_000 for r in ran)

    async def is_small() -> bool:
        status = (await guest.run("sh", "-c", "cat /proc/$(pidof nexus-agent)/status")).out.decode()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        print(resident)  # half of the bound, a second or two after the last burst
        return int(resident.split()[1]) <= 10 * 1024

    async def is_clean() -> bool:
        descriptors = (await guest.run("sh", "-c", "ls /proc/$(pidof nexus-agent)/fd | wc -l")).out
        return int(descriptors) < 30 and {s.argv[0] for s in await guest.client.sessions()} <= {"sh", "sleep"}

    await holds(is_small, within_s=60)
    await holds(is_clean, within_s=60)


async def test_what_many_short_commands_said_is_there_for_whoever_comes_later(guest: Guest) -> None:
    request = SessionRequest(kind=SessionKind.EXEC, argv=("echo", "here"))
    sessions = [await guest.client.open_session(request) for _ in range(80)]

    async def have_ended() -> bool:
        return all(s.exit is not None for s in await guest.client.sessions() if s.id in sessions)

    await holds(have_ended, within_s=60)
    for session in sessions:
        async with guest.client.stream(session) as stream:
            assert (await gather(stream)).out == b"here\n"


async def sleeper(guest: Guest) -> str:
    return await guest.client.open_session(SessionRequest(kind=SessionKind.EXEC, argv=("sleep", "600")))


async def seen(guest: Guest, session: str) -> SessionSeen:
    return next(s for s in await guest.client.sessions() if s.id == session)
