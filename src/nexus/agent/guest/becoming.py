"""What a guest is told when it goes on from a snapshot: who it is, something random of its own, and the time.

What must stay true: until `become` has returned, the machine's links are down, for under its old addresses it is
another; and the time is right to within a tenth of a second: where what brought it was not quick enough to be sure of
that (SURE_ROUND_TRIP_S), it comes again, last, on a way that has just been used.
A guest that was just restored is slow at whatever it does for the first time: nothing is asked that it need not answer.
"""

import base64
import os
from time import monotonic
from typing import Final

from nexus.agent.guest.client import GuestClient
from nexus.kit import log
from nexus.kit.clock import Clock
from nexus.protocol.guest import GuestConfig, IdentityReason, IdentityRequest
from nexus.protocol.trouble import Gone, Refused

_log = log.get("nexus.agent.guest")

ENTROPY_BYTES: Final = 64
SURE_ROUND_TRIP_S: Final = 0.08
GOOD_ROUND_TRIP_S: Final = 0.05
MOST_CLOCK_TRIES: Final = 10


async def become(
    client: GuestClient, *, reason: IdentityReason, config: GuestConfig | None, clock: Clock
) -> tuple[str, ...]:
    """Have the guest be the machine of `config` (None: the one it was). Returns its warnings, a stranger's words.

    Raises Refused for a guest that cannot, Retryable when it did not answer: then it may be repeated."""
    entropy = base64.b64encode(os.urandom(ENTROPY_BYTES)).decode()
    begun, now_ms = monotonic(), round(clock.now().timestamp() * 1000)
    request = IdentityRequest(reason=reason, config=config, entropy=entropy, time_unix_ms=now_ms)
    try:
        warnings = (await client.become(request)).warnings
    except Gone as old:  # no such address: it is of the time before there were snapshots
        if reason is IdentityReason.CLONE:
            raise Refused(
                "the agent in the guest is too old to become another machine; boot its disks instead"
            ) from old
        warnings = ("The agent in the guest is too old to be given new randomness, and runs no hooks.",)
    else:
        if monotonic() - begun <= SURE_ROUND_TRIP_S:
            return warnings
    await set_clock(client, clock=clock)
    return warnings


async def set_clock(client: GuestClient, *, clock: Clock) -> None:
    """Set it until that went quickly: it is wrong by what a request takes on its way. Raises Trouble."""
    took_s = 0.0
    for _ in range(MOST_CLOCK_TRIES):
        begun = monotonic()
        await client.set_time(round(clock.now().timestamp() * 1000))
        took_s = monotonic() - begun
        if took_s <= GOOD_ROUND_TRIP_S:
            return
    _log.warning("guest_clock_not_exact", within_s=round(took_s, 3))
