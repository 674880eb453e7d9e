"""Work in a thread has ended when it is said to have been broken off."""

import asyncio
import threading

import pytest

from nexus.agent.storage.breaking_off import in_thread
from nexus.agent.storage.files import Step


async def test_work_that_is_broken_off_twice_has_ended_all_the_same() -> None:
    begun, may_end, has_ended = asyncio.Event(), threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work(_step: Step) -> None:
        loop.call_soon_threadsafe(begun.set)
        may_end.wait()
        has_ended.set()

    task = asyncio.create_task(in_thread(work))
    await begun.wait()
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert has_ended.is_set()
