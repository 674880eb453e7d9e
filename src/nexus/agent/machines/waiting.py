"""Waiting for machines: whoever asked for something may be answered with what came of it, rather than be told later."""

import asyncio
import contextlib
from collections.abc import Callable, Generator
from uuid import UUID

from nexus.protocol.machines import GuestPhase, MachineSeen, Power, PowerWish


class Waiting:
    """Those who wait for news of machines."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, set[asyncio.Event]] = {}

    def tell(self, machine: UUID) -> bool:
        """There is news of this machine; the answer: whether somebody waited for it."""
        waiting = self._waiting.get(machine, ())
        for event in waiting:
            event.set()
        return bool(waiting)

    @contextlib.contextmanager
    def joined(self, machine: UUID) -> Generator[asyncio.Event]:
        """Wait for news of this machine until the end of the block; the event is set by each."""
        news = asyncio.Event()
        self._waiting.setdefault(machine, set()).add(news)
        try:
            yield news
        finally:
            self._waiting[machine].discard(news)
            if not self._waiting[machine]:
                del self._waiting[machine]


async def until(is_so: Callable[[], bool], news: asyncio.Event, *, seconds: float) -> None:
    """Return when it is so, which only news can change, or when `seconds` are over."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not is_so():
                await news.wait()
                news.clear()


def has_come_true(wish: PowerWish, seen: MachineSeen) -> bool:
    """Whether nothing more is to be waited for: the machine is as wished and rests, or cannot come to be it. Pure."""
    if seen.power is Power.ABSENT or seen.fault:
        return True
    if seen.stage or seen.is_applying:
        return False
    if wish.power is Power.OFF:
        return seen.power is Power.OFF
    if seen.boot < wish.boot:
        return False
    if seen.power is Power.OFF:
        return seen.exit is not None and seen.exit.boot >= wish.boot
    return seen.power is wish.power and seen.guest is not GuestPhase.BOOTING
