"""Memory of guests as files that are on no disk: made before there is a VMM, and kept for a moment after one has ended.

Pages cost most when they are used first and when they are given back. Nobody who waits for a VMM's end waits for that;
and a machine that goes back to a snapshot of itself gets the memory that it had, with other content.

Must stay true: memory passes from a machine to itself alone, when the process that had it is gone; and what it is to
hold replaces all that it held.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from nexus.agent.storage.files import Step, copy_range, count_nothing, stored
from nexus.agent.storage.holes import punch_hole

MEMORY_NAME = "memory-backend-memfd"
MEMORY_LINK = f"/memfd:{MEMORY_NAME}"
"""What /proc/PID/fd says of the descriptor that a guest's memory is."""
KEPT_S = 0.25
"""How long a machine's memory is kept for it: enough to begin its next boot."""


def empty_memory(size_bytes: int) -> int:
    """A descriptor of memory as QEMU makes it for a guest (`memory-backend-memfd`), so that it can be written before
    there is a QEMU."""
    fd = os.memfd_create(MEMORY_NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, size_bytes)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    except OSError:
        os.close(fd)
        raise
    return fd


def memory_of(pid: int) -> Path:
    """A way to the memory of the guest of this process. Raises OSError."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if str(link.readlink()).startswith(MEMORY_LINK):
                return link
    raise FileNotFoundError(f"process {pid} has no memory of a guest")


def overwrite(read: int, write: int, *, step: Step = count_nothing) -> None:
    """Have in memory of the same size what a file holds, and nothing where that has holes. Raises OSError."""
    end = 0
    for start, stop in stored(read):
        if start > end:
            punch_hole(write, end, start - end)
        copy_range(read, write, at=start, to=start, length=stop - start, step=step)
        end = stop
    if (size := os.fstat(read).st_size) > end:
        punch_hole(write, end, size - end)


class Outlived:
    """Memory of machines whose VMMs have just ended."""

    def __init__(self) -> None:
        self._kept: dict[UUID, _Kept] = {}

    @contextlib.contextmanager
    def keeping(self, machine: UUID, pid: int | None) -> Generator[None]:
        """Within the block the machine's VMM ends. Its memory is kept for KEPT_S from then on, and given back by a
        thread."""
        fd: int | None = None
        with contextlib.suppress(OSError):
            fd = os.open(memory_of(pid), os.O_RDWR | os.O_CLOEXEC) if pid is not None else None
        try:
            yield
        except BaseException:
            if fd is not None:
                os.close(fd)  # the process may be there still
            raise
        if fd is not None:
            self._give_back(machine)
            until = asyncio.get_running_loop().call_later(KEPT_S, self._give_back, machine)
            self._kept[machine] = _Kept(fd, until)

    def take(self, machine: UUID, *, size_bytes: int) -> int | None:
        """What is kept of the machine, to be overwritten and closed by who takes it, if it is of this size."""
        kept = self._kept.get(machine)
        if kept is None or os.fstat(kept.fd).st_size != size_bytes:
            return None
        kept.until.cancel()
        del self._kept[machine]
        return kept.fd

    def _give_back(self, machine: UUID) -> None:
        if (kept := self._kept.pop(machine, None)) is not None:
            kept.until.cancel()
            asyncio.get_running_loop().run_in_executor(None, os.close, kept.fd)


@dataclass(frozen=True)
class _Kept:
    fd: int
    until: asyncio.TimerHandle
