"""Long work on files in a thread, which can be broken off.

A thread cannot be ended from outside. Must stay true: whoever is told that the work was broken off can rely on it that
nothing is written any more.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from nexus.agent.storage.files import Step, count_nothing

_T = TypeVar("_T")


class BrokenOff(Exception):
    """Ends the work inside its thread; not seen outside."""


async def in_thread(work: Callable[[Step], _T], *, step: Step = count_nothing) -> _T:
    """Run `work`, which calls the step it is given between its pieces, as `copy_sparsely` does; `step` is told of each
    in the event loop. When cancelled, once or more often, returns only after the thread has ended."""
    is_over = threading.Event()
    loop = asyncio.get_running_loop()

    def between(done: int) -> None:
        if is_over.is_set():
            raise BrokenOff
        loop.call_soon_threadsafe(step, done)

    thread = asyncio.ensure_future(asyncio.to_thread(work, between))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        is_over.set()
        while not thread.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({thread})
        if not thread.cancelled():
            thread.exception()
        raise
