"""The images of a first VM: made beside everything else while that starts, and registered once it runs."""

import asyncio
import os
import sys
from pathlib import Path

from pydantic import TypeAdapter

import nexus
from nexus.local.errors import CannotStart
from nexus.local.images import Image

_IMAGES = TypeAdapter(tuple[Image, ...])


class ImagesNotMade(Exception):
    """The build has said why, on standard error."""


def guest_init() -> Path:
    """The guest's binary: NEXUS_GUEST_INIT, else what `make build` made in this checkout. Raises CannotStart."""
    given = os.environ.get("NEXUS_GUEST_INIT")
    path = Path(given) if given else Path(nexus.__file__).parents[2] / ".build" / "guest" / "init"
    if not path.is_file():
        raise CannotStart(f"the guest's binary {path} is not there; run `make build`, or set NEXUS_GUEST_INIT")
    return path


def start_build(root: Path, *, cache: Path) -> "asyncio.Task[tuple[Image, ...]]":
    """Begin to make what is missing in `root`; the task ends with all images, or with ImagesNotMade.

    A process of its own does it, which holds whole file systems in memory and may be ended at any instruction: Ctrl-C
    need not wait for a download, and the supervisor stays small.
    """
    return asyncio.create_task(_build(root, guest_init(), cache=cache))


async def _build(root: Path, init: Path, *, cache: Path) -> tuple[Image, ...]:
    build = [sys.executable, "-m", "nexus.local.images", "build", "--quiet"]
    where = ["--out", str(root), "--cache", str(cache), "--guest-init", str(init)]
    process = await asyncio.create_subprocess_exec(
        *build, *where, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    try:
        made, _ = await process.communicate()
    except asyncio.CancelledError:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        raise
    if process.returncode != 0:
        raise ImagesNotMade
    return _IMAGES.validate_json(made)
