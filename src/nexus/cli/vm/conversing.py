"""What `exec` and `shell` share: output to here, helpers beside it, signals as values."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from nexus.cli.vm import keyboard
from nexus.client.errors import ClientError
from nexus.client.sessions import Ended, Opened, Output, Session


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


async def print_until_end(session: Session) -> int:
    """Write output where it belongs; the exit code. Raises ApiError, Unreachable, BrokenPipeError."""
    async for event in session.events():
        match event:
            case Output():
                await keyboard.write(2 if event.is_error else 1, event.data)
            case Ended():
                return event.code
            case Opened():
                pass
    raise AssertionError("events() ends with Ended or an error")


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
