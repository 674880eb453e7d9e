"""The walk of the README, with a real guest: what a person types, and what comes back."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
from tests.cli.installation import Installation, installed

from nexus.local.images import Store

pytestmark = pytest.mark.vm

PROMPT = rb"root@web-1:.*# "


@pytest.fixture(scope="module")
def site(session_tmp: Path, built_images: Store) -> Iterator[Installation]:
    """An installation with one VM, web-1, made at a terminal."""
    home = session_tmp / "cliwalk"
    home.mkdir(mode=0o711)
    with installed(home, built_images, AGENT_VMM="qemu") as site:
        terminal = site.on_terminal("vm", "create", "web-1")
        terminal.expect(b"Creating web-1")
        terminal.expect(b"web-1 is running")
        terminal.expect(pexpect.EOF)
        terminal.wait()
        assert terminal.exitstatus == 0
        yield site


def test_exec_is_as_if_the_command_ran_here(site: Installation) -> None:
    assert site.done("vm", "exec", "web-1", "--", "uname", "-a").startswith("Linux web-1 ")
    run = site.nexus("vm", "exec", "web-1", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (run.returncode, run.stdout, run.stderr) == (3, b"out\n", b"err\n")
    assert site.nexus("vm", "exec", "web-1", "--", "no-such-command").returncode == 127
    assert site.nexus("vm", "exec", "web-1", "--", "/etc/passwd").returncode == 126
    data = os.urandom(1_000_000)
    run = site.nexus("vm", "exec", "web-1", "--", "cat", input=data)
    assert (run.returncode, run.stderr, len(run.stdout)) == (0, b"", len(data))
    assert run.stdout == data
    options = ("--env", "A=1 2", "--cwd", "/tmp")
    assert site.done("vm", "exec", *options, "web-1", "--", "sh", "-c", 'echo "$A $PWD"') == "1 2 /tmp\n"
    assert site.nexus("vm", "exec", "--timeout", "0.2", "web-1", "--", "sleep", "60").returncode == 137


def test_a_shell_has_our_size_our_keys_and_its_own_code(site: Installation) -> None:
    terminal = site.on_terminal("vm", "shell", "web-1", rows=31, cols=97)
    terminal.expect(PROMPT)
    terminal.sendline(b"stty size; whoami")
    terminal.expect(b"31 97\r\nroot")
    terminal.setwinsize(44, 133)  # pyright: ignore[reportUnknownMemberType] - untyped in its stubs
    until(lambda: asked(terminal, b"stty size", rb"(\d+ \d+)\r\n") == b"44 133")
    terminal.sendline(b"exit 9")
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 9


def test_a_shell_outlives_the_manager(site: Installation) -> None:
    terminal = site.on_terminal("vm", "shell", "web-1")
    terminal.expect(PROMPT)
    terminal.sendline(b"kept=between")
    terminal.expect(PROMPT)
    os.kill(site.pid_of("manager"), signal.SIGKILL)
    terminal.expect(b"coming back")
    terminal.sendline(b"echo still $kept; exit 5")
    terminal.expect(b"still between\r\n")
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 5


def test_a_command_outlives_the_manager(site: Installation) -> None:
    script = "echo one; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo two; exit 4"
    running = site.on_terminal("vm", "exec", "web-1", "--", "sh", "-c", script)
    running.expect(b"one\r\n")
    os.kill(site.pid_of("manager"), signal.SIGKILL)
    running.expect(b"coming back")
    until(lambda: site.nexus("vm", "exec", "web-1", "--", "touch", "/tmp/go").returncode == 0)
    running.expect(b"two\r\n")
    running.expect(pexpect.EOF)
    running.wait()
    assert running.exitstatus == 4


def test_leaving_a_shell_ends_it(site: Installation) -> None:
    terminal = site.on_terminal("vm", "shell", "web-1")
    terminal.expect(PROMPT)
    pid = asked(terminal, b"echo $$", rb"\n.*?(\d+)\r\n").decode()
    terminal.send(b"\r~.")
    terminal.expect(b"Disconnected")
    until(lambda: site.nexus("vm", "exec", "web-1", "--", "test", "-d", f"/proc/{pid}").returncode == 1)


def test_stop_start_and_delete(site: Installation) -> None:
    site.done("vm", "stop", "web-1")
    refused = site.nexus("vm", "exec", "web-1", "--", "true")
    assert refused.returncode == 125
    assert b"it is off" in refused.stderr
    site.done("vm", "start", "web-1")
    assert "running" in site.done("vm", "list")
    site.done("vm", "delete", "web-1")
    assert site.done("vm", "list", "-o", "json") == "[]\n"


def asked(terminal: "pexpect.spawn[bytes]", question: bytes, answer: bytes) -> bytes:
    terminal.sendline(question)
    terminal.expect(answer)
    assert isinstance(terminal.match, re.Match)
    return bytes(terminal.match[1])


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about in twenty seconds"
        time.sleep(0.1)
