"""The host's store of images: files named by the sha256 of their content, shared by all machines, never written again.

What lacks is taken from the seed directory or fetched from the manager, and is believed only after its digest was
verified. A fetch that broke off goes on where it stopped. Two machines that need one image wait for one fetch.
"""

import asyncio
import contextlib
import hashlib
import os
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import httpx

from nexus.agent.storage.files import clone
from nexus.agent.storage.trouble import StorageTrouble
from nexus.kit import log
from nexus.kit.durable import put_in_place

_log = log.get("nexus.agent.storage")

DIGEST = re.compile(r"[0-9a-f]{64}")
CHUNK_BYTES = 1 << 20
READABLE = 0o644
Progress = Callable[[str], None]
"""Told what is being done, for people."""


class ImageSource:
    """Where images come from: the manager, by its base URL and this host's credential."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        """`http`: with the manager's base URL and the credential set."""
        self._http = http

    async def fetch(self, sha256: str, partial: Path, progress: Progress) -> None:
        """Complete `partial`. Raises StorageTrouble; what has arrived by then stays for the next attempt."""
        have = _size(partial)
        headers = {"Range": f"bytes={have}-"} if have else {}
        try:
            async with self._http.stream("GET", f"/v1/images/content/{sha256}", headers=headers) as answer:
                if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return
                if answer.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                    raise StorageTrouble(f"the manager answered {answer.status_code} for image {sha256[:12]}")
                await _write(answer, partial, have, progress)
        except httpx.HTTPError as broken:
            raise StorageTrouble(
                f"image {sha256[:12]} could not be fetched: {broken or type(broken).__name__}"
            ) from broken


class ImageStore:
    """`root` is world-readable and holds nothing secret: VMMs of any uid map these files."""

    def __init__(self, root: Path, *, seed: Path | None, source: ImageSource | None) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._root = root
        self._seed = seed
        self._source = source
        self._fetches: dict[str, asyncio.Task[Path]] = {}

    def has(self, sha256: str) -> bool:
        """Whether it is here already."""
        return DIGEST.fullmatch(sha256) is not None and _is_there(self._root / sha256)

    async def ensure(self, sha256: str, progress: Progress) -> Path:
        """The image's file, verified. Raises StorageTrouble."""
        if DIGEST.fullmatch(sha256) is None:
            raise StorageTrouble(f"{sha256!r} is not a sha256")
        path = self._root / sha256
        if _is_there(path):
            return path
        running = self._fetches.get(sha256)
        if running is None:
            running = asyncio.create_task(self._bring(sha256, path, progress))
            self._fetches[sha256] = running
            running.add_done_callback(lambda _done: self._fetches.pop(sha256, None))
        return await asyncio.shield(running)

    async def close(self) -> None:
        """Break off what is being fetched; it goes on there after a restart."""
        for fetch in tuple(self._fetches.values()):
            fetch.cancel()
            with contextlib.suppress(asyncio.CancelledError, StorageTrouble, OSError):
                await fetch

    async def _bring(self, sha256: str, path: Path, progress: Progress) -> Path:
        partial = self._root / f".partial-{sha256}"
        try:
            if not await self._from_seed(sha256, partial, progress):
                await self._from_manager(sha256, partial, progress)
            progress("verifying image")
            await self._believe(sha256, partial, path)
        except OSError as refused:
            raise StorageTrouble(f"image {sha256[:12]} cannot be stored: {refused.strerror or refused}") from refused
        return path

    async def _from_seed(self, sha256: str, partial: Path, progress: Progress) -> bool:
        seed = self._seed / sha256 if self._seed is not None else None
        if seed is None or not _is_there(seed):
            return False
        progress("copying image")
        await asyncio.to_thread(_link_or_clone, seed, partial)
        return True

    async def _from_manager(self, sha256: str, partial: Path, progress: Progress) -> None:
        if self._source is None:
            raise StorageTrouble(f"image {sha256[:12]} is not here, and this host has no manager to fetch it from")
        progress("fetching image")
        await self._source.fetch(sha256, partial, progress)

    async def _believe(self, sha256: str, partial: Path, path: Path) -> None:
        found = await asyncio.to_thread(_accept, sha256, partial, path)
        if found != sha256:
            raise StorageTrouble(f"image {sha256[:12]} came with other content ({found[:12]}) and was thrown away")
        _log.info("image_stored", sha256=sha256)


def digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _accept(sha256: str, partial: Path, path: Path) -> str:
    """Give the file its name if that is its digest, else throw it away; the digest."""
    found = digest(partial)
    if found == sha256:
        partial.chmod(READABLE)
        put_in_place(partial, path)
    else:
        partial.unlink()
    return found


def _is_there(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _link_or_clone(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        clone(source, target, mode=READABLE)


async def _write(answer: httpx.Response, partial: Path, have: int, progress: Progress) -> None:
    """Append what comes, or begin again where the server did not honour the range."""
    resumed = answer.status_code == HTTPStatus.PARTIAL_CONTENT
    done = have if resumed else 0
    total = done + int(answer.headers.get("content-length", 0))
    told = -1
    with partial.open("ab" if resumed else "wb") as file:
        async for chunk in answer.aiter_bytes(CHUNK_BYTES):
            file.write(chunk)
            done += len(chunk)
            percent = done * 100 // total if total else 0
            if percent // 5 != told:
                told = percent // 5
                progress(f"fetching image ({percent} %)")
