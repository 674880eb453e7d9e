"""`nexus vm exec` as a process: streams apart and unchanged, input, signals, exit codes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from starlette.websockets import WebSocket
from tests.cli.guest_shell import GuestExec
from tests.cli.harness import Process, Spawn, vm
from tests.cli.stub_manager import StubManager, problem, uuid_of


@pytest.fixture
def guest(stub: StubManager) -> GuestExec:
    stub.have(vm(1))
    guest = GuestExec()
    stub.talk(f"/v1/vms/{uuid_of(1)}/exec/ws", guest.talk)
    return guest


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about in twenty seconds"
        time.sleep(0.01)


def test_the_exit_code_is_the_commands(process: Process, guest: GuestExec) -> None:
    assert process("vm", "exec", "web-1", "--", "sh", "-c", "exit 3").returncode == 3
    assert process("vm", "exec", "web-1", "--", "no-such-command").returncode == 127
    assert process("vm", "exec", "web-1", "--", "sh", "-c", "kill -9 $$").returncode == 137


def test_standard_output_and_error_stay_apart_and_unchanged(process: Process, guest: GuestExec) -> None:
    done = process("vm", "exec", "web-1", "--", "sh", "-c", r"printf '\000\377\r\n'; printf 'err\033[0m' >&2")
    assert done.stdout == b"\x00\xff\r\n"
    assert done.stderr == b"err\x1b[0m"


def test_input_goes_through_whole_and_ends(process: Process, guest: GuestExec) -> None:
    data = os.urandom(3_000_000)
    assert process("vm", "exec", "web-1", "--", "cat", input=data).stdout == data


def test_a_terminal_is_not_passed_as_input_unless_wanted(spawn: Spawn, guest: GuestExec) -> None:
    terminal = spawn("vm", "exec", "web-1", "--", "sh", "-c", "cat; echo input ended")
    terminal.expect(b"input ended")
    wanted = spawn("vm", "exec", "-i", "web-1", "--", "head", "-n", "1")
    wanted.sendline(b"typed here")
    wanted.expect(b"typed here\r\ntyped here")  # the terminal's echo, then the command's output


def test_the_request_carries_what_was_asked_for(process: Process, guest: GuestExec) -> None:
    options = ("--user", "ann", "--cwd", "/srv", "-e", "A=1", "-e", "B=x=y", "--timeout", "2.5")
    process("vm", "exec", *options, "web-1", "--", "true", "-x")
    assert guest.requests[0] == {
        "argv": ["true", "-x"],
        "user": "ann",
        "cwd": "/srv",
        "env": {"A": "1", "B": "x=y"},
        "timeout_s": 2.5,
        "tty": False,
    }


@pytest.mark.parametrize(
    "words",
    [
        ("web-1", "ls", "-l", "--user"),
        ("web-1", "--", "ls", "-l", "--user"),
        ("web-1", "-w", "/", "--", "ls", "-l", "--user"),
    ],
)
def test_a_commands_own_options_are_left_alone(process: Process, guest: GuestExec, words: tuple[str, ...]) -> None:
    process("vm", "exec", *words)
    assert guest.requests[0]["argv"] == ["ls", "-l", "--user"]


def test_an_interrupt_reaches_the_command(environment: dict[str, str], guest: GuestExec) -> None:
    script = "trap 'echo caught; exit 42' INT; echo ready; while :; do sleep 0.05; done"
    words = [sys.executable, "-m", "nexus.cli", "vm", "exec", "web-1", "--", "sh", "-c", script]
    with subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as running:
        assert running.stdout
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(signal.SIGINT)
        assert running.stdout.read() == b"caught\n"
        assert running.wait(10) == 42
    assert guest.signals == [signal.SIGINT]


def test_a_reader_that_leaves_ends_it_quietly(environment: dict[str, str], guest: GuestExec) -> None:
    words = [sys.executable, "-m", "nexus.cli", "vm", "exec", "web-1", "--", "yes"]
    with subprocess.Popen(
        words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout
        assert running.stderr
        assert running.stdout.read(2) == b"y\n"
        running.stdout.close()
        assert running.wait(10) == 141
        assert running.stderr.read() == b""
    assert guest.signals == [signal.SIGHUP]  # or it would wait for ever to be read


def test_a_command_without_input_is_taken_up_again_after_a_lost_connection(spawn: Spawn, stub: StubManager) -> None:
    stub.have(vm(1))
    visits: list[dict[str, str]] = []

    async def drop_once(socket: WebSocket) -> None:
        visits.append(dict(socket.query_params))
        offset = int(socket.query_params.get("offset", 0))
        if len(visits) == 1:
            assert (await socket.receive_json())["argv"] == ["make"]
        await socket.send_json({"type": "session", "id": "s1", "offset": offset})
        assert await socket.receive_json() == {"type": "eof"}
        if len(visits) == 1:
            await socket.send_bytes(b"\x01one\n")
            await socket.send_bytes(b"\x02two\n")
            return
        await socket.send_bytes(b"\x01three\n")
        await socket.send_json({"type": "exit", "code": 6})

    stub.talk(f"/v1/vms/{uuid_of(1)}/exec/ws", drop_once)
    terminal = spawn("vm", "exec", "web-1", "--", "make")
    terminal.expect(b"one\r\ntwo\r\n.*coming back.*three\r\n")
    terminal.wait()
    assert terminal.exitstatus == 6
    assert visits[1] == {"framing": "binary", "session": "s1", "offset": "8"}


def test_a_lost_connection_is_125_and_says_so(process: Process, stub: StubManager) -> None:
    stub.have(vm(1))

    async def hang_up(socket: WebSocket) -> None:
        return None

    stub.talk(f"/v1/vms/{uuid_of(1)}/exec/ws", hang_up)
    lost = process("vm", "exec", "web-1", "--", "true")
    assert lost.returncode == 125
    assert b"Cannot reach the manager" in lost.stderr


def test_a_refusal_before_the_command_is_125(process: Process, stub: StubManager) -> None:
    stub.have(vm(1, state="stopped"))

    async def refuse(socket: WebSocket) -> None:
        body = problem(409, "Cannot run a command on web-1: it is off.", suggestion="Start it first.").body
        await socket.send_text('{"type": "error", ' + bytes(body).decode()[1:])

    stub.talk(f"/v1/vms/{uuid_of(1)}/exec/ws", refuse)
    refused = process("vm", "exec", "web-1", "--", "true")
    assert refused.returncode == 125
    assert refused.stderr.splitlines()[:2] == [b"Error: Cannot run a command on web-1: it is off.", b"Start it first."]
