"""Who is told how a jailed VMM ended: the jailer, its parent, ends at once, and the kernel gives the orphan to init,
unless an ancestor has asked for it (PR_SET_CHILD_SUBREAPER, prctl(2)). We do, for just as long as a jailer is at work:
what else becomes an orphan below us is none of ours to wait for.
"""

import contextlib
import ctypes
import os
from collections.abc import Generator
from contextlib import contextmanager

PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)
_at_work = 0


@contextmanager
def expecting_orphans() -> Generator[None]:
    """Whoever loses its parent meanwhile becomes our child. On the event loop's thread only."""
    global _at_work
    _at_work += 1
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        _at_work -= 1
        if not _at_work:
            _libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def reap(pid: int) -> None:
    """Take note of the end of a child that nobody watches; nothing for any other process, or one that still runs."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
