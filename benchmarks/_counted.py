"""The manager as it is served, counting the statements that it sends to PostgreSQL, by what they do.

DATABASE_URL=… MANAGER_BIND=… python -m benchmarks._counted
"""

from collections import Counter
from typing import Any

import asyncpg
import uvloop
from fastapi import APIRouter

from nexus.kit import db, log
from nexus.kit.settings import load
from nexus.manager import wiring
from nexus.manager.access import Admin
from nexus.manager.serve import serve
from nexus.manager.settings import DEFAULT_CONFIG, ManagerSettings

PATH = "/v1/statements"
_LONGEST = 110

router = APIRouter(prefix=PATH, tags=["statements"])
_counts: Counter[str] = Counter()
_teach_json = db.teach_json


@router.get("")
async def statements(actor: Admin) -> dict[str, int]:
    """How often each was sent since the start."""
    return dict(_counts)


def _count(record: asyncpg.connection.LoggedQuery) -> None:
    _counts[" ".join(record.query.split())[:_LONGEST]] += 1


async def _teach_and_count(connection: Any) -> None:
    await _teach_json(connection)
    connection.add_query_logger(_count)


def main() -> None:
    db.teach_json = _teach_and_count  # what every connection of the pool is begun with
    settings = load(ManagerSettings, config=None, default_config=DEFAULT_CONFIG)
    log.setup(process="manager", level=settings.log_level)
    wiring.ROUTERS.append(router)
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
