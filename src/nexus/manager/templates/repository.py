"""The SQL of templates."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from nexus.kit.db import Reader, Tx
from nexus.kit.paging import Page, conditions
from nexus.manager.access import Actor, visible_to
from nexus.manager.subjects import Subject
from nexus.manager.templates.errors import TemplateNameTaken, TemplateNotFound
from nexus.manager.templates.models import COLUMNS, KIND, Template, template_of

_IS_VISIBLE = f"t.project_id = $1 and {visible_to(2, owner='t.created_by_user_id')}"
_JOINS = "join images k on k.id = t.kernel_image_id join images r on r.id = t.rootfs_image_id"
ITEM = """
json_build_object(
    'id', t.id, 'name', t.name, 'description', t.description,
    'spec', jsonb_build_object('vcpu', t.vcpus, 'mem_mib', t.memory_mib, 'kernel_image_id', t.kernel_image_id,
                               'rootfs_image_id', t.rootfs_image_id) || t.settings,
    'vcpu', t.vcpus, 'mem_mib', t.memory_mib, 'kernel', k.name, 'kernel_path', k.path, 'image', r.name,
    'rootfs_path', r.path, 'usage_count', t.uses, 'created_by_user_id', t.created_by_user_id,
    'created_at', t.created_at, 'updated_at', t.updated_at
)
"""
"""A template as `schemas.TemplateBody` describes it."""


async def list_json(
    reader: Reader, page: Page, *, project_id: UUID, sees_only: UUID | None, name: str | None, q: str | None
) -> bytes:
    """The answer of `GET /v1/templates`."""
    args: list[object] = []
    where = conditions(
        args,
        ("t.project_id = {}", project_id),
        ("t.created_by_user_id = {}", sees_only),
        ("t.name = {}", name),
        ("strpos(lower(t.name || ' ' || t.description), lower({})) > 0", q),
    )
    rows = f"join templates t on t.id = page_id {_JOINS}"
    sql = page.json_query(item=ITEM, source="templates t", where=where, args=args, rows=rows)
    return page.json_answer(await reader.fetchrow(sql, *args))


async def find_json(reader: Reader, template_id: UUID, *, actor: Actor) -> str | None:
    """One template as JSON text, if the actor may see it."""
    return await reader.fetchval(
        f"select ({ITEM})::text from templates t {_JOINS} where {_IS_VISIBLE} and t.id = $3",
        actor.project_id,
        actor.sees_only,
        template_id,
    )


async def lock(tx: Tx, named: UUID | str, *, actor: Actor) -> Template:
    """The template of this id, or else name, locked until `tx` ends. Raises TemplateNotFound, also for one that is not
    the actor's."""
    row = await tx.fetchrow(
        f"""
        select {COLUMNS} from templates t
        where {_IS_VISIBLE} and case when $3::uuid is null then t.name = $4 else t.id = $3 end for update
        """,
        actor.project_id,
        actor.sees_only,
        named if isinstance(named, UUID) else None,
        named if isinstance(named, str) else None,
    )
    if row is None:
        raise TemplateNotFound(named if isinstance(named, str) else None)
    return template_of(row)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a template says, with its images found."""

    name: str
    description: str
    vcpus: int
    memory_mib: int
    kernel_image_id: UUID
    rootfs_image_id: UUID
    settings: dict[str, Any]

    @property
    def columns(self) -> tuple[object, ...]:
        """In the order that the statements here have."""
        return (
            *(self.name, self.description, self.vcpus, self.memory_mib),
            *(self.kernel_image_id, self.rootfs_image_id, self.settings),
        )


async def add(tx: Tx, template_id: UUID, written: Written, *, project_id: UUID, owner: UUID) -> Subject:
    """Add a template. Raises TemplateNameTaken."""
    added = await tx.fetchval(
        """
        insert into templates (id, project_id, created_by_user_id, name, description, vcpus, memory_mib,
                               kernel_image_id, rootfs_image_id, settings)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing returning id
        """,
        template_id,
        project_id,
        owner,
        *written.columns,
    )
    if added is None:
        raise TemplateNameTaken(written.name)
    return Subject(KIND, template_id, written.name, project_id)


async def replace(tx: Tx, template_id: UUID, written: Written) -> None:
    """Raises TemplateNameTaken."""
    try:
        await tx.execute(
            """
            update templates set name = $2, description = $3, vcpus = $4, memory_mib = $5, kernel_image_id = $6,
                rootfs_image_id = $7, settings = $8, updated_at = now() where id = $1
            """,
            template_id,
            *written.columns,
        )
    except asyncpg.UniqueViolationError as taken:
        raise TemplateNameTaken(written.name) from taken


async def count_use(tx: Tx, template_id: UUID) -> None:
    await tx.execute("update templates set uses = uses + 1 where id = $1", template_id)


async def remove(tx: Tx, template_id: UUID) -> None:
    await tx.execute("delete from templates where id = $1", template_id)
