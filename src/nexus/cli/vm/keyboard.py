"""The person's side of a session: raw terminal mode, the escape `~.`, and standard input of any kind.

Whatever ends a shell, the terminal comes back as it was: `raw_mode` restores it on return, error and cancellation, and
`shell` turns every signal it can catch into a cancellation.
"""

import asyncio
import os
import select
import termios
import threading
import tty
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum

CHUNK_BYTES = 64 * 1024
_WAITING_CHUNKS = 16


@contextmanager
def raw_mode(fd: int) -> Generator[None]:
    """Keys reach us one by one and unechoed while the block runs; nothing changes where `fd` is no terminal."""
    if not os.isatty(fd):
        yield
        return
    before = termios.tcgetattr(fd)
    tty.setraw(fd, termios.TCSANOW)
    try:
        yield
    finally:
        # TCSADRAIN, not TCSAFLUSH: what was typed ahead belongs to the shell that comes next
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


class Leave(StrEnum):
    """How a person leaves a terminal."""

    HANG_UP = "."
    DETACH = "d"


class Escape:
    """Finds `~.` and `~d` at the start of a line, as ssh does. `~~` there sends one tilde; a lone one waits for the
    next key."""

    def __init__(self) -> None:
        self._at_line_start = True
        self._holds_tilde = False

    def feed(self, data: bytes) -> tuple[bytes, Leave | None]:
        """What of `data` is to be sent, and how the person wants to leave, if so."""
        passed = bytearray()
        for byte in data:
            key = bytes((byte,))
            if self._holds_tilde:
                self._holds_tilde = False
                if key in (b".", b"d"):
                    return bytes(passed), Leave(key.decode())
                passed += b"~" if key == b"~" else b"~" + key
            elif self._at_line_start and key == b"~":
                self._holds_tilde = True
                continue
            else:
                passed += key
            self._at_line_start = key in b"\r\n"
        return bytes(passed), None


@asynccontextmanager
async def input_of(fd: int) -> AsyncGenerator["asyncio.Queue[bytes]"]:
    """Chunks of what can be read from `fd`, then an empty one at its end.

    A thread reads, because a terminal, a pipe and a regular file can be waited for in the same way only there. It ends
    with the block and takes nothing from `fd` afterwards.
    """
    chunks: asyncio.Queue[bytes] = asyncio.Queue(_WAITING_CHUNKS)
    loop = asyncio.get_running_loop()
    is_over, end_it = os.pipe()

    def read_on() -> None:
        while data := _read(fd, is_over):
            asyncio.run_coroutine_threadsafe(chunks.put(data), loop).result()
        if data is not None:
            asyncio.run_coroutine_threadsafe(chunks.put(b""), loop)

    reader = threading.Thread(target=read_on, name="stdin", daemon=True)
    reader.start()
    try:
        yield chunks
    finally:
        os.write(end_it, b"x")


def _read(fd: int, is_over: int) -> bytes | None:
    """Some bytes; none at the end of the input or where there is no input at all; None when reading is over."""
    try:
        ready, _, _ = select.select([fd, is_over], [], [])
        return None if is_over in ready else os.read(fd, CHUNK_BYTES)
    except OSError:  # closed before we began, or a terminal that hung up
        return b""


async def write(fd: int, data: bytes) -> None:
    """Write all of `data` without holding up the loop, however slow the reader. Raises BrokenPipeError."""
    await asyncio.to_thread(_write_all, fd, data)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # somebody left our terminal non-blocking
            select.select([], [fd], [])
