"""The images of a first VM: made beside everything else while that starts, and registered once it runs."""

import asyncio
import os
import threading
from pathlib import Path

from rich.console import Console

import nexus
from nexus.local.errors import CannotStart
from nexus.local.images import Image, ImageBuildError, build
from nexus.local.images.bar import Bar


def guest_init() -> Path:
    """The guest's binary: NEXUS_GUEST_INIT, else what `make build` made in this checkout. Raises CannotStart."""
    given = os.environ.get("NEXUS_GUEST_INIT")
    path = Path(given) if given else Path(nexus.__file__).parents[2] / ".build" / "guest" / "init"
    if not path.is_file():
        raise CannotStart(f"the guest's binary {path} is not there; run `make build`, or set NEXUS_GUEST_INIT")
    return path


def start_build(root: Path, *, cache: Path, console: Console) -> "asyncio.Future[tuple[Image, ...]]":
    """Begin to make what is missing in `root`; the future ends with all images, or with ImageBuildError.

    A daemon thread does it, so that Ctrl-C need not wait for a download; a build may be cut off anywhere.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[tuple[Image, ...]] = loop.create_future()
    init = guest_init()

    def finish(result: tuple[Image, ...] | ImageBuildError) -> None:
        if future.done():
            return
        if isinstance(result, ImageBuildError):
            future.set_exception(result)
        else:
            future.set_result(result)

    def work() -> None:
        result = _make(root, init, cache=cache, console=console)
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, result)

    threading.Thread(target=work, name="images", daemon=True).start()
    return future


def _make(root: Path, init: Path, *, cache: Path, console: Console) -> tuple[Image, ...] | ImageBuildError:
    try:
        with Bar(console) as bar:
            return build(out=root, cache=cache, guest_init=init, progress=bar).images
    except ImageBuildError as failed:
        return failed
    except OSError as failed:
        return ImageBuildError(str(failed), advice=f"Look at the space and the rights in {root} and {cache}.")
