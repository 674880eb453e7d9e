"""One supervisor per installation: a newer `up` takes over from one that runs other code, in order.

What would keep the newer one from starting is found out before the older one is stopped: its settings, the database's
cluster, and whether this code can go on with the schema that is there. Guests belong to neither; shells and commands
that are open in them are found again by whoever watches.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from nexus.local import identity, leftovers, lock
from nexus.local.errors import CannotStart
from nexus.local.place import Place

_NAME_PATIENCE_S = 20
"""For one that has just taken the lock to write down who it is, or to end."""


class RunsAlready(Exception):
    """A supervisor runs the same code for this installation; the message is its URL."""


@dataclass(frozen=True, kw_only=True)
class Newcomer:
    """Who wants to supervise. `code`: `version.digest`; `why_not` raises CannotStart where it could not go on."""

    code: str
    why_not: Callable[[], Awaitable[None]]
    say: Callable[[str], None]


@contextmanager
def sole(where: Place, newcomer: Newcomer) -> Generator[None]:
    """Be the installation's only supervisor for the block, after one of other code has been ended.

    Raises RunsAlready, and CannotStart where the newcomer could not go on; then nothing was touched.
    """
    deadline = time.monotonic() + leftovers.SUPERVISOR_PATIENCE_S + _NAME_PATIENCE_S
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(lock.hold(where.runtime / "up.lock"))
                break
            except lock.AlreadyHeld:
                if time.monotonic() > deadline:
                    raise CannotStart("another `nexus up` is about to start; wait for it, or end it") from None
            asyncio.run(_make_room(where, newcomer))
        yield


async def _make_room(where: Place, newcomer: Newcomer) -> None:
    found = identity.read(where.supervisor_pid)
    if found is None or not found[0].is_running:  # it begins or ends just now
        await asyncio.sleep(0.1)
        return
    supervisor, told = found
    if told.get("code") == newcomer.code:
        raise RunsAlready(str(told.get("url", "")))
    place = told.get("checkout")
    newcomer.say(
        f"Nexus runs already{f', from {place}' if place else ''}, with other code than this. Taking over: "
        "guests keep running, and open shells come back by themselves."
    )
    try:
        await newcomer.why_not()
    except CannotStart as refused:
        raise CannotStart(f"{refused}\nNothing was stopped: what ran goes on running.") from refused
    await identity.stop(supervisor, by=signal.SIGTERM, patience_s=leftovers.SUPERVISOR_PATIENCE_S)


async def require_known_schema(environment: Mapping[str, str], arguments: list[str]) -> None:
    """Raise CannotStart if this code's manager would refuse the database; both are the manager's own."""
    command = [sys.executable, "-m", "nexus.manager", *arguments, "check-database"]
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    if process.returncode != 0:
        raise CannotStart(said.decode(errors="replace").strip().rpartition("\n")[2])


def sign(where: Place, *, code: str, checkout: Path, url: str, ready: bool) -> None:
    """Write down that this process supervises, and what it runs; `nexus down` and the next `up` read it."""
    me = identity.find(os.getpid())
    assert me is not None, "we run"
    identity.write(where.supervisor_pid, me, url=url, ready=ready, code=code, checkout=str(checkout))
