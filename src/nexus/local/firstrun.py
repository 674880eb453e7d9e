"""The images of a first VM: made beside everything else while that starts, and registered once it runs."""

import asyncio
import os
import threading
from pathlib import Path

from rich.console import Console

import nexus
from nexus.local.errors import CannotStart
from nexus.local.images import Built, ImageBuildError, build
from nexus.local.images.bar import Bar
from nexus.local.place import Place


def guest_init() -> Path:
    """The guest's binary: NEXUS_GUEST_INIT, else what `make build` made in this checkout. Raises CannotStart."""
    given = os.environ.get("NEXUS_GUEST_INIT")
    path = Path(given) if given else Path(nexus.__file__).parents[2] / ".build" / "guest" / "init"
    if not path.is_file():
        raise CannotStart(f"the guest's binary {path} is not there; run `make build`, or set NEXUS_GUEST_INIT")
    return path


def start_build(place: Place, *, console: Console) -> "asyncio.Future[Built]":
    """Begin to make what is missing; the future ends with it, or with CannotStart.

    A daemon thread does it, so that Ctrl-C need not wait for a download; a build may be cut off anywhere.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Built] = loop.create_future()
    init = guest_init()

    def finish(built: Built | None, failed: CannotStart | None) -> None:
        if future.done():
            return
        if built is not None:
            future.set_result(built)
        elif failed is not None:
            future.set_exception(failed)

    def work() -> None:
        built, failed = None, None
        try:
            with Bar(console) as bar:
                built = build(out=place.images, cache=place.cache, guest_init=init, progress=bar)
        except ImageBuildError as error:
            failed = CannotStart(f"cannot make the images for a first VM: {error}. {error.advice}")
        except OSError as error:
            failed = CannotStart(f"cannot make the images for a first VM: {error}")
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, built, failed)

    threading.Thread(target=work, name="images", daemon=True).start()
    return future
