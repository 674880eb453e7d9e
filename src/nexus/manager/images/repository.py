"""The SQL of images."""

from collections.abc import Collection
from uuid import UUID

import asyncpg

from nexus.kit.db import Reader, Tx
from nexus.kit.paging import Page, conditions
from nexus.manager.images.errors import ImageNameTaken
from nexus.manager.images.files import FoundFile
from nexus.manager.images.models import COLUMNS, Image, ImageKind, image_of

ITEM = """
json_build_object(
    'id', i.id, 'kind', i.kind, 'name', i.name, 'description', i.description, 'format', i.format, 'sha256', i.sha256,
    'size', i.size_bytes, 'size_bytes', i.size_bytes, 'host_path', i.path, 'path', i.path, 'is_default', i.is_default,
    'created_at', i.created_at, 'updated_at', i.updated_at
)
"""
"""An image as `schemas.ImageBody` describes it."""


async def list_json(
    reader: Reader, page: Page, *, project_id: UUID, kind: ImageKind | None, name: str | None, q: str | None
) -> bytes:
    args: list[object] = []
    where = conditions(
        args,
        ("i.project_id = {}", project_id),
        ("i.kind = {}", kind),
        ("i.name = {}", name),
        ("strpos(lower(i.name), lower({})) > 0", q),
    )
    sql = page.json_query(item=ITEM, source="images i", where=where, args=args)
    return page.json_answer(await reader.fetchrow(sql, *args))


async def find_json(reader: Reader, image_id: UUID, *, project_id: UUID) -> str | None:
    """One image as JSON text."""
    return await reader.fetchval(
        f"select ({ITEM})::text from images i where i.id = $1 and i.project_id = $2", image_id, project_id
    )


async def find(reader: Reader, *, project_id: UUID, kind: ImageKind, named: str | UUID | None) -> Image | None:
    """The image of this kind with this id or name; without one, the default."""
    row = await reader.fetchrow(
        f"""
        select {COLUMNS} from images i
        where i.project_id = $1 and i.kind = $2
          and case when $3::uuid is not null then i.id = $3 when $4::text is not null then i.name = $4
                   else i.is_default end
        for key share
        """,
        project_id,
        kind,
        named if isinstance(named, UUID) else None,
        named if isinstance(named, str) else None,
    )
    return None if row is None else image_of(row)


async def defaults(reader: Reader, *, project_id: UUID, kinds: Collection[ImageKind]) -> dict[ImageKind, Image]:
    """The default image of each of these kinds that has one."""
    rows = await reader.fetch(
        f"select {COLUMNS} from images i where i.project_id = $1 and i.kind = any($2) and i.is_default for key share",
        project_id,
        list(kinds),
    )
    found = [image_of(row) for row in rows]
    return {image.kind: image for image in found}


async def find_by_digest(reader: Reader, sha256: str) -> Image | None:
    row = await reader.fetchrow(f"select {COLUMNS} from images i where i.sha256 = $1 order by i.id limit 1", sha256)
    return None if row is None else image_of(row)


async def find_same(reader: Reader, *, project_id: UUID, kind: ImageKind, sha256: str) -> Image | None:
    """The image of this kind with this content."""
    row = await reader.fetchrow(
        f"""
        select {COLUMNS} from images i where i.project_id = $1 and i.kind = $2 and i.sha256 = $3
        order by i.id limit 1 for key share
        """,
        project_id,
        kind,
        sha256,
    )
    return None if row is None else image_of(row)


async def of_ids(reader: Reader, image_ids: Collection[UUID]) -> list[Image]:
    rows = await reader.fetch(f"select {COLUMNS} from images i where i.id = any($1) order by i.id", list(image_ids))
    return [image_of(row) for row in rows]


async def is_taken(reader: Reader, *, project_id: UUID, kind: ImageKind, name: str) -> bool:
    return await reader.fetchval(
        "select exists (select from images where project_id = $1 and kind = $2 and name = $3)", project_id, kind, name
    )


async def lock(tx: Tx, image_id: UUID, *, project_id: UUID) -> Image | None:
    row = await tx.fetchrow(
        f"select {COLUMNS} from images i where i.id = $1 and i.project_id = $2 for update", image_id, project_id
    )
    return None if row is None else image_of(row)


async def add(
    tx: Tx,
    image_id: UUID,
    found: FoundFile,
    *,
    project_id: UUID,
    created_by: UUID,
    kind: ImageKind,
    name: str,
    description: str,
    is_default: bool,
) -> None:
    """Add an image. As the default it takes another's place. Raises ImageNameTaken."""
    if is_default:
        await tx.execute(
            """
            update images set is_default = false, updated_at = now() where project_id = $1 and kind = $2 and is_default
            """,
            project_id,
            kind,
        )
    try:
        await tx.execute(
            """
            insert into images (id, project_id, created_by_user_id, kind, name, description, format, sha256, size_bytes,
                                path, is_default)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            """,
            image_id,
            project_id,
            created_by,
            kind,
            name,
            description,
            found.format,
            found.sha256,
            found.size_bytes,
            str(found.path),
            is_default,
        )
    except asyncpg.UniqueViolationError as taken:
        raise ImageNameTaken(kind, name) from taken


async def users(tx: Tx, image_id: UUID) -> list[str]:
    """The names of VMs that were made from this image; at most five."""
    rows = await tx.fetch(
        """
        select v.name from vms v join machines m on m.id = v.machine_id
        where m.kernel_image_id = $1 or m.initramfs_image_id = $1
           or exists (select from drives d where d.machine_id = m.id and d.image_id = $1)
        order by v.name limit 5
        """,
        image_id,
    )
    return [row["name"] for row in rows]


async def templates(tx: Tx, image_id: UUID) -> list[str]:
    """The names of templates that name this image; at most five."""
    rows = await tx.fetch(
        "select t.name from templates t where $1 in (t.kernel_image_id, t.rootfs_image_id) order by t.name limit 5",
        image_id,
    )
    return [row["name"] for row in rows]


async def snapshots(tx: Tx, image_id: UUID) -> list[str]:
    """The names of snapshots of VMs that were made from this image; at most five."""
    rows = await tx.fetch(
        """
        select s.name from snapshots s join snapshot_images i on i.snapshot_id = s.id
        where i.image_id = $1 order by s.name limit 5
        """,
        image_id,
    )
    return [row["name"] for row in rows]


async def remove(tx: Tx, image_id: UUID) -> None:
    await tx.execute("delete from images where id = $1", image_id)
