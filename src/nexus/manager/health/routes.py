"""Whether this manager lives, has started, and can serve. For load balancers and people; open to everybody, so it tells
no more than counts."""

import asyncio
from importlib.metadata import version
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from nexus.kit.db import TROUBLE, Db
from nexus.kit.http import Unavailable, problems, provided
from nexus.manager.access import Public
from nexus.manager.migrate import packaged

router = APIRouter(prefix="/health", tags=["health"])

PATIENCE_S = 3.0
VERSION = version("nexus-microvm")
NEWEST_MIGRATION = packaged()[-1].number
Database = Annotated[Db, provided(Db)]


class HealthBody(BaseModel):
    """A manager that answers."""

    status: Literal["ok"] = Field(default="ok", description="Always ok: what is not, is answered with an error")
    version: str = Field(description="The product's version")


class ReadyBody(HealthBody):
    """A manager that can serve. Hosts are told for information: none online is not the manager's fault."""

    database: Literal["ok"] = Field(default="ok", description="The database answers")
    schema_version: int = Field(description="The number of the newest migration")
    hosts_online: int = Field(description="Hosts that reported within the last half minute")
    hosts_total: int = Field(description="Registered hosts")


@router.get("", responses=problems(Unavailable))
async def health(db: Database, _: Public) -> ReadyBody:
    """As `/health/ready`."""
    return await _look(db)


@router.get("/live")
async def live(_: Public) -> HealthBody:
    """The process answers. Restart it when it does not."""
    return HealthBody(version=VERSION)


@router.get("/startup", responses=problems(Unavailable))
async def startup(db: Database, _: Public) -> ReadyBody:
    """The database has the schema this version needs."""
    return await _look(db)


@router.get("/ready", responses=problems(Unavailable))
async def ready(db: Database, _: Public) -> ReadyBody:
    """The database answers and has the right schema: send requests here."""
    return await _look(db)


async def _look(db: Db) -> ReadyBody:
    try:
        async with asyncio.timeout(PATIENCE_S):
            row = await db.fetchrow("""
                select (select max(number) from migrations) as schema_version, count(*) as hosts_total,
                       count(*) filter (where last_seen_at > now() - interval '30 seconds') as hosts_online
                from hosts
                """)
    except TROUBLE as lost:
        raise Unavailable(
            "The platform's database cannot be reached.", suggestion="See the manager's log and the database's."
        ) from lost
    assert row is not None
    if row["schema_version"] != NEWEST_MIGRATION:
        raise Unavailable(
            "The database does not have the schema this version needs.", suggestion="Restart the manager."
        )
    return ReadyBody(version=VERSION, **dict(row))
