"""A guest's file systems held still while its disks are copied.

What must stay true: a guest that cannot, or will not, is no obstacle: its disks are then as after a power cut, and
whoever asked is told so; and it is asked to thaw whatever happens meanwhile (should that not reach it, it thaws by
itself).
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from nexus.agent.guest.client import GuestClient
from nexus.kit import log
from nexus.protocol.guest import Capability
from nexus.protocol.trouble import Refused, Trouble

_log = log.get("nexus.agent.guest")

HOLD_MS: Final = 10_000


@dataclass
class Hold:
    """Whether the guest held still: known on entry, and for good after the block."""

    is_consistent: bool = False
    warning: str | None = None
    """Why not; a sentence for a user."""


@asynccontextmanager
async def frozen(client: GuestClient, *, hold_ms: int = HOLD_MS) -> AsyncGenerator[Hold]:
    """Freeze, and thaw at the end of the block. `hold_ms` is of the guest's time: while it is paused, none passes."""
    hold = Hold()
    is_asked = False
    try:
        if Capability.FREEZE not in (await client.health()).capabilities:
            raise Refused("its agent is too old for that")
        is_asked = True
        await client.freeze(hold_ms=hold_ms)
        hold.is_consistent = True
    except Trouble as refused:
        hold.warning = f"The guest's file systems were not frozen: {refused}."
        _log.warning("guest_not_frozen", why=str(refused))
    try:
        yield hold
    finally:
        if is_asked:
            await _thaw(client, hold)


async def _thaw(client: GuestClient, hold: Hold) -> None:
    """Also after a freeze that was not answered: it may have come about."""
    try:
        held = await client.thaw()
    except Trouble as silent:
        held = False
        _log.warning("guest_not_thawed", why=str(silent))
    if hold.is_consistent and not held:
        hold.is_consistent = False
        hold.warning = "The guest's file systems were not frozen to the end: it took too long."
