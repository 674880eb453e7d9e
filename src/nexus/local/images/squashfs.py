"""Packs a tar stream as a squashfs file: needs neither root nor a mount, and equal input gives equal bytes.

lz4, because a guest under emulation reads it fastest. Needs sqfstar (squashfs-tools 4.5 or later).
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from nexus.local.images.errors import ImageBuildError


def pack(write_tar: Callable[[IO[bytes]], None], out: Path, *, newest: int, is_all_root: bool) -> None:
    """Make `out` from what `write_tar` writes to the stream it is given; `newest` (Unix seconds) dates the file system.

    With `is_all_root` every file belongs to root, else to whom the stream says. Raises ImageBuildError if sqfstar is
    missing or fails.
    """
    program = shutil.which("sqfstar")
    if program is None:
        raise ImageBuildError(
            "sqfstar is not installed; it packs root file systems",
            advice="Install the package squashfs-tools (version 4.5 or later).",
        )
    out.unlink(missing_ok=True)  # sqfstar would append to a file that exists
    command = [program, "-comp", "lz4", "-root-mode", "755", "-quiet", "-no-progress", out]
    command = [program, "-all-root", *command[1:]] if is_all_root else [*_as_root(), *command]
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(newest)},
        ) as process:
            assert process.stdin is not None
            try:
                with process.stdin as stream:
                    write_tar(stream)
            except BrokenPipeError:
                pass  # its exit status says more
        if process.returncode:
            errors.seek(0)
            raise ImageBuildError(
                f"sqfstar failed: {errors.read().strip()}", advice="Check the free space on this disk and try again."
            )


def _as_root() -> list[str]:
    """What makes a program believe that root runs it.

    sqfstar 4.5 gives the image's root directory to whoever runs it, and its option -root-uid does nothing. What made
    the stream for an ordinary user (see mmdebstrap.py) needed one of the two as well.
    """
    if os.geteuid() == 0:
        return []
    if fakeroot := shutil.which("fakeroot"):
        return [fakeroot]
    return ["unshare", "--map-root-user"]
