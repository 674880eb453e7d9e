"""Registering images, finding them, and taking them out of the registry.

An image is a file that somebody put below the image directory. Registering reads it through and keeps its digest; what
is kept is never changed or removed by the platform: deleting an image leaves the file where it is.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from nexus.kit.db import Db, Reader
from nexus.kit.envelopes import item_json
from nexus.kit.ids import new_id
from nexus.kit.paging import Page
from nexus.kit.versions import ANY, Expected
from nexus.manager import audit, events
from nexus.manager.access import Actor
from nexus.manager.images import files, repository
from nexus.manager.images.errors import ImageFileRefused, ImageInUse, ImageNotFound, NoDefaultImage
from nexus.manager.images.files import FoundFile
from nexus.manager.images.models import Image, ImageKind
from nexus.manager.images.schemas import CreateImage
from nexus.manager.subjects import Subject

KIND = "image"


async def choose(reader: Reader, *, project_id: UUID, kind: ImageKind, named: str | UUID | None) -> Image:
    """The image that a request means, kept from being deleted until the transaction ends.

    Raises ImageNotFound for one that does not exist, NoDefaultImage when none was named and none is the default.
    """
    image = await repository.find(reader, project_id=project_id, kind=kind, named=named)
    if image is None and named is None:
        raise NoDefaultImage(kind)
    if image is None:
        raise ImageNotFound(f"{kind} image {named}")
    return image


async def choose_defaults(
    reader: Reader, *, project_id: UUID, kinds: Collection[ImageKind]
) -> Mapping[ImageKind, Image]:
    """The default image of each kind, kept from being deleted until the transaction ends. Raises NoDefaultImage."""
    found = await repository.defaults(reader, project_id=project_id, kinds=kinds)
    for kind in kinds:
        if kind not in found:
            raise NoDefaultImage(kind)
    return found


async def of_ids(reader: Reader, image_ids: Collection[UUID]) -> Sequence[Image]:
    """Those of these that there are."""
    return await repository.of_ids(reader, image_ids)


class Images:
    def __init__(self, db: Db, *, root: Path) -> None:
        self._db = db
        self._root = root

    async def list(self, actor: Actor, page: Page, *, kind: ImageKind | None, name: str | None, q: str | None) -> bytes:
        return await repository.list_json(self._db, page, project_id=actor.project_id, kind=kind, name=name, q=q)

    async def get(self, actor: Actor, image_id: UUID) -> bytes:
        """The answer `{"item": …}`. Raises ImageNotFound."""
        item = await repository.find_json(self._db, image_id, project_id=actor.project_id)
        if item is None:
            raise ImageNotFound
        return item_json(item)

    async def create(self, actor: Actor, wanted: CreateImage) -> UUID:
        """Register a file. Raises ImageFileRefused when it is not what the request says, or ImageNameTaken."""
        found = await asyncio.to_thread(files.inspect, self._root, wanted.path or wanted.host_path, wanted.kind)
        _compare(found, wanted)
        image_id = new_id()
        subject = Subject(KIND, image_id, wanted.name, actor.project_id)
        async with self._db.transaction() as tx:
            await repository.add(
                tx,
                image_id,
                found,
                project_id=actor.project_id,
                created_by=actor.user_id,
                kind=wanted.kind,
                name=wanted.name,
                description=wanted.description,
                is_default=wanted.is_default,
            )
            await audit.write(tx, actor, verb="create", subject=subject, details={"sha256": found.sha256})
            await events.emit(tx, type="image.created", subject=subject, owner_user_id=actor.user_id)
        return image_id

    async def delete(self, actor: Actor, image_id: UUID, *, expected: Expected = ANY) -> None:
        """Take an image out of the registry; its file stays. Raises ImageInUse while there are VMs that were
        made from it, templates that name it, or snapshots that need it."""
        async with self._db.transaction() as tx:
            image = await repository.lock(tx, image_id, project_id=actor.project_id)
            if image is None:
                raise ImageNotFound
            await expected.require(lambda: repository.find_json(tx, image_id, project_id=actor.project_id))
            users, templates = await repository.users(tx, image_id), await repository.templates(tx, image_id)
            snapshots = await repository.snapshots(tx, image_id)
            if users or templates or snapshots:
                raise ImageInUse(image.name, vms=users, templates=templates, snapshots=snapshots)
            await repository.remove(tx, image_id)
            subject = Subject(KIND, image_id, image.name, actor.project_id)
            await audit.write(tx, actor, verb="delete", subject=subject)
            await events.emit(tx, type="image.deleted", subject=subject, owner_user_id=actor.user_id)

    async def file_of(self, sha256: str) -> Path:
        """The file with this content. Raises ImageNotFound, also when it is not where it was registered any more."""
        image = await repository.find_by_digest(self._db, sha256)
        if image is None:
            raise ImageNotFound
        try:
            return await asyncio.to_thread(files.resolve, self._root, str(image.path))
        except ImageFileRefused as missing:
            raise ImageNotFound(f"file of image {image.name} any more") from missing


def _compare(found: FoundFile, wanted: CreateImage) -> None:
    if wanted.sha256 and wanted.sha256.lower() != found.sha256:
        raise ImageFileRefused(f"sha256: {found.path.name} has the digest {found.sha256}, not {wanted.sha256.lower()}.")
    if wanted.size is not None and wanted.size != found.size_bytes:
        raise ImageFileRefused(f"size: {found.path.name} has {found.size_bytes} bytes, not {wanted.size}.")
