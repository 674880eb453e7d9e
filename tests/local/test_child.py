"""The supervisor's care for one child, with shell one-liners for children."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nexus.local import identity, leftovers
from nexus.local.child import Backoff, Child, Program, ending
from nexus.local.errors import CannotStart
from nexus.local.leftovers import StopRule

RULE = StopRule("thing", "the thing", patience_s=1)


def program(tmp: Path, script: str, *, is_ready: Callable[[], Awaitable[bool]] | None = None) -> Program:
    async def never() -> bool:
        return False

    return Program(
        stopping=RULE,
        command=["/bin/sh", "-c", script],
        log=tmp / "thing.log",
        pid_file=tmp / "thing.pid",
        is_ready=is_ready or never,
    )


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited 10 s in vain"
        await asyncio.sleep(0.01)


async def test_a_child_that_dies_is_started_again_and_its_last_words_are_told(tmp_path: Path) -> None:
    said: list[str] = []
    child = Child(
        program(tmp_path, f"echo run >> {tmp_path}/count; echo 'out of luck' >&2; exit 3"),
        say=said.append,
        backoff=Backoff(first_s=0.01),
        tries=1000,
    )
    child.start()
    await until(lambda: len(said) >= 3)
    await child.stop()
    assert said[0] == "the thing ended (status 3), starting it again in 0.01 s: out of luck"
    assert (tmp_path / "count").read_text().count("run") >= 3


async def test_a_child_that_is_killed_is_started_again_and_its_log_named_not_taken_for_the_reason(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    talkative = program(tmp_path, "echo 'GET /v1/vms 200' >&2; kill -KILL $$")
    child = Child(talkative, say=said.append, backoff=Backoff(first_s=0.01), tries=1000)
    child.start()
    await until(lambda: said)
    await child.stop()
    assert said[0] == f"the thing ended (killed by SIGKILL), starting it again in 0.01 s; its log: {talkative.log}"


async def test_waiting_for_a_child_that_cannot_start_ends_with_its_last_words(tmp_path: Path) -> None:
    child = Child(
        program(tmp_path, "echo 'no such setting' >&2; exit 2"), say=lambda _: None, backoff=Backoff(first_s=0.01)
    )
    child.start()
    with pytest.raises(CannotStart, match="the thing does not start: no such setting"):
        await child.wait_ready()
    await child.stop()


async def test_a_child_that_finds_its_settings_wrong_is_not_tried_again(tmp_path: Path) -> None:
    child = Child(program(tmp_path, f"echo run >> {tmp_path}/count; exit 78"), say=lambda _: None)
    child.start()
    with pytest.raises(CannotStart, match="it said nothing"):
        await child.wait_ready()
    await child.stop()
    assert (tmp_path / "count").read_text() == "run\n"


async def test_stopping_leaves_neither_process_nor_pid_file(tmp_path: Path) -> None:
    child = Child(program(tmp_path, "exec sleep 1000"), say=lambda _: None)
    child.start()
    await until((tmp_path / "thing.pid").exists)
    running = identity.running(tmp_path / "thing.pid")
    assert running is not None
    await child.stop()
    assert not running.is_running
    assert not (tmp_path / "thing.pid").exists()


async def test_a_child_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    async def is_deaf() -> bool:
        return (tmp_path / "deaf").exists()

    script = f"trap '' TERM; touch {tmp_path}/deaf; while :; do sleep 0.1; done"
    child = Child(program(tmp_path, script, is_ready=is_deaf), say=lambda _: None)
    child.start()
    await child.wait_ready()
    running = identity.running(tmp_path / "thing.pid")
    assert running is not None
    await child.stop()
    assert not running.is_running


async def test_a_child_survives_its_supervisor_and_the_next_one_stops_it(short_tmp: Path) -> None:
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(short_tmp)])
    pid_file = short_tmp / "agent.pid"
    await until(lambda: identity.running(pid_file))
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    orphan = identity.running(pid_file)
    assert orphan is not None
    assert await leftovers.stop_one(leftovers.AGENT, pid_file)
    assert not orphan.is_running
    assert not pid_file.exists()


SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from nexus.local import leftovers
from nexus.local.child import Child, Program

async def never():
    return False

async def main(folder):
    thing = Program(stopping=leftovers.AGENT, command=["sleep", "1000"], log=folder / "log",
                    pid_file=folder / "agent.pid", is_ready=never)
    Child(thing, say=print).start()
    await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_pid_that_was_given_to_another_process_is_left_alone(tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "1000"])
    try:
        found = identity.find(other.pid)
        assert found is not None
        pid_file = tmp_path / "agent.pid"
        identity.write(pid_file, identity.Identity(pid=found.pid, started=found.started - 1, boot_id=found.boot_id))
        assert not await leftovers.stop_one(leftovers.AGENT, pid_file)
        assert other.poll() is None
        assert not pid_file.exists()
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("text", ["", "garbage", "[]", "{}", '{"pid": 1}'])
def test_a_pid_file_that_cannot_be_read_names_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.pid").write_text(text)
    assert identity.read(tmp_path / "x.pid") is None


def test_delays_double_up_to_a_limit() -> None:
    backoff = Backoff(first_s=0.5, most_s=30)
    assert [backoff.delay_s(deaths) for deaths in (1, 2, 3, 7, 100)] == [0.5, 1, 2, 30, 30]


@pytest.mark.parametrize(("status", "words"), [(3, "status 3"), (-9, "killed by SIGKILL")])
def test_an_ending_is_told_in_words(status: int, words: str) -> None:
    assert ending(status) == words
