"""Images that come with something else, such as a snapshot's archive, and are not here yet.

They are written beside the others as drafts, and become images in the transaction of what they came with. Must stay
true: a file is called by a digest only when that is its content; a draft that becomes nothing is removed, at the latest
by the sweep.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.kit.durable import put_in_place
from nexus.kit.ids import new_id
from nexus.manager import audit, events
from nexus.manager.access import Actor
from nexus.manager.images import files, repository
from nexus.manager.images.errors import ImageFileRefused
from nexus.manager.images.files import FoundFile
from nexus.manager.images.models import Image, ImageKind
from nexus.manager.images.service import KIND
from nexus.manager.subjects import Subject
from nexus.manager.sweeps import Sweep

DRAFT = ".draft-"
KEPT_S = 24 * 3600.0
"""Longer than anything takes that comes with a draft."""
EVERY = timedelta(hours=1)
READABLE = 0o644
LONGEST_NAME = 63


@dataclass(frozen=True)
class Draft:
    """A file that can become an image: its content is what was promised."""

    found: FoundFile
    kind: ImageKind
    name: str


async def find_same(reader: Reader, *, project_id: UUID, kind: ImageKind, sha256: str) -> Image | None:
    """The image of this kind with this content, kept from being deleted until the transaction ends."""
    return await repository.find_same(reader, project_id=project_id, kind=kind, sha256=sha256)


class ArrivingImages:
    def __init__(self, root: Path) -> None:
        self._root = root

    @asynccontextmanager
    async def draft(
        self, content: AsyncIterator[bytes], *, kind: ImageKind, name: str, sha256: str
    ) -> AsyncGenerator[Draft]:
        """Its content as a file, for as long as the block lasts. Raises ImageFileRefused for one that is not what it
        should be, OSError."""
        path = self._root / f"{DRAFT}{new_id()}"
        try:
            await _write(path, content, sha256)
            found = await asyncio.to_thread(files.inspect, self._root, path.name, kind)
            yield Draft(found, kind, name)
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def put(self, draft: Draft) -> None:
        """Give its file the name under which images are kept, for `keep`. It stays, whatever comes of that: it is what
        its name says. Raises OSError."""
        path = self._root / draft.found.sha256
        if not await asyncio.to_thread(path.exists):
            await asyncio.to_thread(_put, draft.found.path, path)

    async def keep(self, tx: Tx, actor: Actor, draft: Draft) -> UUID:
        """Make an image of a draft whose file was put in place; its id."""
        name, image_id = await self._free_name(tx, actor, draft), new_id()
        await repository.add(
            tx,
            image_id,
            replace(draft.found, path=self._root / draft.found.sha256),
            project_id=actor.project_id,
            created_by=actor.user_id,
            kind=draft.kind,
            name=name,
            description="",
            is_default=False,
        )
        subject = Subject(KIND, image_id, name, actor.project_id)
        await audit.write(tx, actor, verb="create", subject=subject, details={"sha256": draft.found.sha256})
        await events.emit(tx, type="image.created", subject=subject, owner_user_id=actor.user_id)
        return image_id

    async def clean_up(self) -> int:
        """Remove drafts that a manager left which was killed; how many."""
        return await asyncio.to_thread(_remove_old, self._root)

    async def _free_name(self, tx: Tx, actor: Actor, draft: Draft) -> str:
        name, number = draft.name, 2
        while await repository.is_taken(tx, project_id=actor.project_id, kind=draft.kind, name=name):
            ending = f"-{number}"
            name, number = draft.name[: LONGEST_NAME - len(ending)] + ending, number + 1
        return name


def expiry(arriving: ArrivingImages) -> Sweep:
    """Removes drafts that nobody writes any more."""
    return Sweep("image drafts", EVERY, arriving.clean_up)


async def _write(path: Path, content: AsyncIterator[bytes], sha256: str) -> None:
    digest = hashlib.sha256()
    with await asyncio.to_thread(path.open, "xb") as file:
        async for part in content:
            digest.update(part)
            await asyncio.to_thread(file.write, part)
    if digest.hexdigest() != sha256:
        raise ImageFileRefused(f"image {sha256[:12]} came with other content.")


def _put(draft: Path, path: Path) -> None:
    draft.chmod(READABLE)
    put_in_place(draft, path)


def _remove_old(root: Path) -> int:
    removed = 0
    for path in root.glob(f"{DRAFT}*") if root.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - KEPT_S:
                path.unlink()
                removed += 1
    return removed
