"""`nexus down`: stops the supervisor of this installation, or what one that was killed left behind."""

import asyncio
import signal

from rich.console import Console

from nexus.local import identity, leftovers, place
from nexus.local.api import ManagerApi, running_machines
from nexus.local.errors import CannotStart
from nexus.local.place import Place
from nexus.local.session import contexts_file, signed_in
from nexus.local.talk import say, tell


def run(*, console: Console, stop_guests: bool = False) -> int:
    """Stop everything but the guests, which are stopped only if asked for. 0 also when nothing was running."""
    try:
        return asyncio.run(_down(place.here(), console=console, stop_guests=stop_guests))
    except CannotStart as refused:
        tell(refused, console)
        return 1


async def _down(where: Place, *, console: Console, stop_guests: bool) -> int:
    found = identity.read(where.supervisor_pid)
    supervisor = found[0] if found and found[0].is_running else None
    if stop_guests:
        if supervisor is None or found is None:
            raise CannotStart("guests can only be stopped while Nexus runs; start it with `nexus up` first")
        await _stop_guests(str(found[1]["url"]), console=console)
    running = await running_machines(where.agent_socket)
    if supervisor is not None:
        await identity.stop(supervisor, by=signal.SIGTERM, patience_s=leftovers.SUPERVISOR_PATIENCE_S)
        where.supervisor_pid.unlink(missing_ok=True)
    stopped = await leftovers.stop(where)
    if supervisor is None and not stopped:
        say(console, "Nexus was not running.")
        return 0
    say(console, f"Nexus is stopped. {leftovers.about_guests(running)}")
    return 0


async def _stop_guests(url: str, *, console: Console) -> None:
    names = await ManagerApi(url, signed_in(url, path=contexts_file())).stop_vms()
    say(console, f"Stopped {', '.join(names)}." if names else "No guest was running.")
