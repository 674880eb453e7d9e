"""Keys for a machine's serial console: a FIFO that its VMM has as standard input.

The VMM holds it open for both directions, so that it never sees an end. What must stay true: nobody can write to it
while no VMM runs, and one that does not read holds up nobody but whoever types.
"""

import asyncio
import errno
import os
from pathlib import Path

from nexus.protocol.trouble import Refused


def make_fifo(path: Path) -> int:
    """A FIFO without what was typed for an earlier boot; the descriptor that the VMM is to have. Raises OSError."""
    path.unlink(missing_ok=True)
    os.mkfifo(path, 0o600)
    return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)


async def type_into(path: Path, keys: bytes) -> None:
    """Write all of `keys`, waiting while the VMM does not read. Raises Refused when none runs."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as absent:
        if absent.errno not in (errno.ENXIO, errno.ENOENT):
            raise
        raise Refused(
            "nobody reads the serial console: the machine is off, or was started by an older agent"
        ) from absent
    try:
        while keys:
            keys = keys[await _write_some(fd, keys) :]
    except BrokenPipeError as ended:
        raise Refused("nobody reads the serial console: the machine is off") from ended
    finally:
        os.close(fd)


async def _write_some(fd: int, keys: bytes) -> int:
    try:
        return os.write(fd, keys)
    except BlockingIOError:
        loop, writable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(fd, writable.set)
        try:
            await writable.wait()
        finally:
            loop.remove_writer(fd)
        return 0
