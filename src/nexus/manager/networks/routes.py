"""HTTP for networks."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from nexus.kit.db import Db
from nexus.kit.envelopes import Json, item_json
from nexus.kit.http import problems, provided
from nexus.kit.paging import Page, SortField, Sorts, page
from nexus.kit.versions import IfNoneMatch
from nexus.manager.access import Viewer
from nexus.manager.networks import repository
from nexus.manager.networks.errors import NetworkNotFound
from nexus.manager.networks.schemas import NetworkItem, NetworkList

router = APIRouter(prefix="/v1/networks", tags=["networks"])

_SORTS = Sorts(
    {"name": SortField("n.name"), "created_at": SortField("n.created_at", datetime)}, tie="n.id", default="name"
)
Database = Annotated[Db, provided(Db)]


@router.get("", response_model=NetworkList)
async def list_networks(
    actor: Viewer,
    db: Database,
    page: Annotated[Page, page(_SORTS)],
    name: Annotated[str | None, Query(max_length=63, description="Only the network of this name")] = None,
    q: Annotated[str | None, Query(max_length=100, description="Only networks whose name has this in it")] = None,
) -> Response:
    """List the networks."""
    body = await repository.list_json(db, page, project_id=actor.project_id, name=name, q=q)
    return Json(body)


@router.get("/{network_id}", response_model=NetworkItem, responses=problems(NetworkNotFound))
async def get_network(network_id: UUID, actor: Viewer, db: Database, known: IfNoneMatch) -> Response:
    """One network."""
    item = await repository.find_json(db, network_id, project_id=actor.project_id)
    if item is None:
        raise NetworkNotFound
    return known.answer(item_json(item))
