"""Slowing down whoever guesses passwords.

Failures are counted per (user name, address), and per address in all. Past a handful the door stays shut for a while
that doubles with each further failure. Kept in memory: every manager counts for itself, and a restart forgives.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE_FAILURES = 5
FREE_FAILURES_OF_ADDRESS = 25
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 900.0
FORGET_AFTER_S = 1800.0
MOST_KEYS = 10_000


@dataclass
class _Tally:
    failures: int
    last_at: float


class Throttle:
    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._tallies: OrderedDict[tuple[str, str], _Tally] = OrderedDict()

    def seconds_left(self, username: str, address: str) -> float:
        """How long this pair must wait before the next attempt; 0 when it may try now."""
        return max(
            self._left((username, address), FREE_FAILURES), self._left(("", address), FREE_FAILURES_OF_ADDRESS), 0.0
        )

    def failed(self, username: str, address: str) -> None:
        for key in ((username, address), ("", address)):
            tally = self._tallies.pop(key, _Tally(0, 0.0))
            failures = tally.failures + 1 if self._monotonic() - tally.last_at < FORGET_AFTER_S else 1
            self._tallies[key] = _Tally(failures, self._monotonic())
        while len(self._tallies) > MOST_KEYS:
            self._tallies.popitem(last=False)

    def succeeded(self, username: str, address: str) -> None:
        self._tallies.pop((username, address), None)

    def _left(self, key: tuple[str, str], free: int) -> float:
        tally = self._tallies.get(key)
        if tally is None or tally.failures < free:
            return 0.0
        pause = min(FIRST_PAUSE_S * 2.0 ** min(tally.failures - free, 20), LONGEST_PAUSE_S)
        return tally.last_at + pause - self._monotonic()
