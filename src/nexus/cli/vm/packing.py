"""A tree of files here, sent into a guest as a tar archive."""

import asyncio
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast
from uuid import UUID

from nexus.cli.failures import REFUSED, CliFailure
from nexus.client.errors import ClientError
from nexus.client.pipes import CHUNK_BYTES, Pipe, Unpacked, open_push
from nexus.client.transport import Transport


async def push(
    transport: Transport,
    vm_id: UUID,
    source: Path,
    *,
    path: str,
    username: str | None,
    moved: Callable[[int], None],
) -> Unpacked:
    """Send `source` to `path` in the guest. Raises ApiError in the guest's words, CliFailure for what cannot be read
    here."""
    async with open_push(transport, vm_id, path=path, username=username) as pipe:
        await asyncio.to_thread(_pack, source, _Sink(pipe, asyncio.get_running_loop(), moved))
        await pipe.end()
        return await pipe.unpacked()


class _Sink:
    """What tarfile writes to, in a thread: waits until the guest can take more.

    What went wrong first goes on being what is wrong: tarfile writes once more on its way out."""

    def __init__(self, pipe: Pipe, loop: asyncio.AbstractEventLoop, moved: Callable[[int], None]) -> None:
        self._pipe = pipe
        self._loop = loop
        self._moved = moved
        self._failure: ClientError | None = None

    def write(self, data: bytes) -> int:
        if self._failure is not None:
            raise self._failure
        try:
            asyncio.run_coroutine_threadsafe(self._pipe.send(data), self._loop).result()
        except ClientError as failure:
            self._failure = failure
            raise
        self._moved(len(data))
        return len(data)


def _pack(source: Path, sink: _Sink) -> None:
    name = source.name or source.resolve().name or "root"
    try:
        with tarfile.open(
            fileobj=cast("IO[bytes]", sink), mode="w|", format=tarfile.PAX_FORMAT, bufsize=CHUNK_BYTES
        ) as archive:
            # resolved: a link that was named is followed, those within the tree are kept
            archive.add(source.resolve(), arcname=name, filter=_anonymous)
    except OSError as unreadable:
        what = f"{unreadable.filename}: " if unreadable.filename else ""
        reason = (unreadable.strerror or str(unreadable)).lower()
        raise CliFailure(f"Cannot read {what}{reason}.", exit_code=REFUSED) from unreadable


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Owners here mean nothing there; what is no content is left out."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry if entry.isreg() or entry.isdir() or entry.issym() or entry.islnk() else None
