"""Children whose supervisor was killed: found by their pid files, and stopped as it would have stopped them."""

import signal
from dataclasses import dataclass
from pathlib import Path

from nexus.local import identity, postgres
from nexus.local.place import Place


@dataclass(frozen=True)
class StopRule:
    """How a child of this name is stopped."""

    name: str
    title: str
    by: signal.Signals = signal.SIGTERM
    patience_s: float = 20
    is_group_ours: bool = False
    """Whether its process group holds only itself and helpers that must go with it. The agent's does not."""


AGENT = StopRule("agent", "the agent")
MANAGER = StopRule("manager", "the manager", is_group_ours=True)
DATABASE = StopRule("postgres", "PostgreSQL", by=postgres.STOP_SIGNAL, patience_s=30)
SUPERVISOR_PATIENCE_S = 90
"""For a supervisor to stop its children, each of which it gives up to half a minute."""


async def stop(place: Place) -> list[str]:
    """Stop what runs without a supervisor, the youngest first; the titles of what that was."""
    stopped = [rule.title for rule in (AGENT, MANAGER, DATABASE) if await stop_one(rule, place.child_pid(rule.name))]
    # its pid file may be lost with the runtime directory; PostgreSQL keeps one of its own
    if server := postgres.running_server(place.data / "postgres"):
        await identity.stop(server, by=DATABASE.by, patience_s=DATABASE.patience_s)
        stopped.append(DATABASE.title)
    return stopped


async def stop_one(rule: StopRule, pid_file: Path) -> bool:
    """Stop the process that the pid file names, if that very one still runs. True when there was one."""
    found = identity.running(pid_file)
    if found is not None:
        await identity.stop(found, by=rule.by, patience_s=rule.patience_s, with_group=rule.is_group_ours)
    identity.forget(pid_file)
    return found is not None


def about_guests(running: int | None) -> str:
    """What to tell somebody who has just stopped everything but the guests."""
    if running is None:
        return "Guests that were running still are; `nexus up` finds them again."
    if running == 0:
        return "No guest is running."
    guests, they = ("1 guest keeps", "it") if running == 1 else (f"{running} guests keep", "them")
    return (
        f"{guests} running: `nexus up` finds {they} again; to stop {they} too, "
        "use `nexus down --stop-guests` while Nexus runs."
    )
