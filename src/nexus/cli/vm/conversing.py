"""What `exec` and `shell` share: helpers beside the conversation, signals as values, the terminal's size."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from nexus.client.errors import ClientError


@asynccontextmanager
async def beside(*helpers: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Run `helpers` while the block runs; one that fails ends the block with its error.

    A helper that meets a lost connection is silent: whoever reads from the connection meets it too, and knows why.
    """
    block = asyncio.current_task()
    tasks = [asyncio.ensure_future(helper) for helper in helpers]
    failures: list[BaseException] = []

    def stop_block(task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ClientError):
            failures.append(error)
            if block is not None:
                block.cancel()

    for task in tasks:
        task.add_done_callback(stop_block)
    try:
        yield
    except asyncio.CancelledError:
        if not failures:
            raise
        raise failures[0] from None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def signals(*numbers: signal.Signals) -> Generator["asyncio.Queue[signal.Signals]"]:
    """Deliver these signals as values while the block runs, instead of what they do otherwise."""
    caught: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in numbers:
        loop.add_signal_handler(number, caught.put_nowait, number)
    try:
        yield caught
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def terminal_size() -> tuple[int, int]:
    """Columns and rows of the terminal we are on; 80 by 24 where there is none, or it does not know."""
    for fd in (0, 1, 2):
        try:
            size = os.get_terminal_size(fd)
        except OSError:
            continue
        if size.columns and size.lines:
            return size.columns, size.lines
    return 80, 24
