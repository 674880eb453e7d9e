"""`nexus vm shell` on a real terminal: size, exit code, escape, lost connections, and the terminal afterwards."""

import signal
import termios
import time
from collections.abc import Callable, Iterator

import pexpect
import pytest
from tests.cli.guest_shell import GuestShell
from tests.cli.harness import Process, Spawn, vm
from tests.cli.stub_manager import StubManager, uuid_of

PROMPT = rb"guest\$ "


@pytest.fixture
def guest(stub: StubManager) -> Iterator[GuestShell]:
    stub.have(vm(1))
    guest = GuestShell()
    stub.talk(f"/v1/vms/{uuid_of(1)}/shell/ws", guest.talk)
    yield guest
    guest.end()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about in twenty seconds"
        time.sleep(0.01)


def is_raw(terminal: "pexpect.spawn[bytes]") -> bool:
    return not termios.tcgetattr(terminal.child_fd)[3] & termios.ECHO


def ends_with(terminal: "pexpect.spawn[bytes]", code: int) -> None:
    """The process ends with `code`, and the terminal echoes again."""
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == code
    assert not is_raw(terminal)


def test_the_shell_ends_with_its_own_code(spawn: Spawn, guest: GuestShell) -> None:
    terminal = spawn("vm", "shell", "web-1")
    terminal.expect(PROMPT)
    assert is_raw(terminal)
    terminal.sendline(b"exit 7")
    ends_with(terminal, 7)


def test_the_shell_has_the_terminals_size_and_follows_it(spawn: Spawn, guest: GuestShell) -> None:
    terminal = spawn("vm", "shell", "web-1", rows=31, cols=101)
    terminal.expect(PROMPT)
    terminal.sendline(b"stty size")
    terminal.expect(b"31 101")
    terminal.setwinsize(40, 120)  # pyright: ignore[reportUnknownMemberType] - untyped in its stubs
    until(lambda: guest.resizes[-1] == (120, 40))
    terminal.sendline(b"stty size")
    terminal.expect(b"40 120")


def test_keys_reach_the_guest_as_they_are(spawn: Spawn, guest: GuestShell) -> None:
    terminal = spawn("vm", "shell", "web-1")
    terminal.expect(PROMPT)
    terminal.sendline(b"echo beg''un; cat >/dev/null")
    terminal.expect(b"begun\r\n")
    terminal.sendintr()  # an interrupt of the guest's command, not of ours
    terminal.expect(PROMPT)
    terminal.sendline(b"echo $?")
    terminal.expect(b"130")


def test_the_escape_leaves_at_once(spawn: Spawn, guest: GuestShell) -> None:
    terminal = spawn("vm", "shell", "web-1")
    terminal.expect(PROMPT)
    terminal.send(b"\r~.")
    terminal.expect(b"Disconnected")
    ends_with(terminal, 0)
    until(lambda: guest.signals == [signal.SIGHUP])  # no shell is left behind in the guest


def test_a_shell_is_taken_up_again_after_a_lost_connection(spawn: Spawn, guest: GuestShell) -> None:
    terminal = spawn("vm", "shell", "web-1")
    terminal.expect(PROMPT)
    terminal.sendline(b"kept=between; echo one two")
    terminal.expect(b"one two\r\n")
    terminal.expect(PROMPT)
    guest.hang_up()
    terminal.expect(b"connection lost, coming back")
    until(lambda: guest.connections == 2)
    terminal.sendline(b"echo still $kept; exit 5")
    terminal.expect(b"still between")
    assert b"one two" not in (terminal.before or b"")  # nothing is shown twice
    ends_with(terminal, 5)


def test_a_shell_that_is_gone_after_a_lost_connection_ends_with_the_reason(spawn: Spawn, guest: GuestShell) -> None:
    terminal = spawn("vm", "shell", "web-1")
    terminal.expect(PROMPT)
    guest.refuses = True
    guest.hang_up()
    terminal.expect(b"The shell is gone.")
    ends_with(terminal, 125)


def test_the_escape_works_while_there_is_no_connection(spawn: Spawn, stub: StubManager, guest: GuestShell) -> None:
    terminal = spawn("vm", "shell", "web-1")
    terminal.expect(PROMPT)
    stub.drop_all = True
    guest.hang_up()
    terminal.expect(b"connection lost")
    until(lambda: stub.drops > 2)
    terminal.send(b"\r~.")
    ends_with(terminal, 0)


@pytest.mark.parametrize(("signal_name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_the_terminal_comes_back_when_a_signal_ends_it(
    spawn: Spawn, guest: GuestShell, signal_name: str, code: int
) -> None:
    terminal = spawn("vm", "shell", "web-1")
    terminal.expect(PROMPT)
    terminal.kill(signal.Signals[signal_name])
    ends_with(terminal, code)


def test_a_shell_works_in_a_pipe(process: Process, guest: GuestShell) -> None:
    done = process("vm", "shell", "web-1", input=b"echo from-a-$((1+1))-pipe; exit 4\n")
    assert done.returncode == 4
    assert b"from-a-2-pipe" in done.stdout


def test_the_end_of_a_pipe_ends_the_shell(process: Process, guest: GuestShell) -> None:
    assert process("vm", "shell", "web-1", input=b"echo hello\n").returncode == 0


def test_a_refused_shell_is_125(process: Process, guest: GuestShell) -> None:
    guest.refuses = True
    refused = process("vm", "shell", "web-1")
    assert refused.returncode == 125
    assert b"The shell is gone." in refused.stderr
