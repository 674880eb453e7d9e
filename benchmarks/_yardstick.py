"""The manager as it is served, with one more route: as little as an authenticated request can be answered with.

DATABASE_URL=… MANAGER_BIND=… python -m benchmarks._yardstick
"""

import uvloop
from fastapi import APIRouter, Response

from nexus.kit import log
from nexus.kit.settings import load
from nexus.manager import wiring
from nexus.manager.access import Viewer
from nexus.manager.serve import serve
from nexus.manager.settings import DEFAULT_CONFIG, ManagerSettings

PATH = "/v1/yardstick"

router = APIRouter(prefix=PATH, tags=["yardstick"])


@router.get("")
async def yardstick(actor: Viewer) -> Response:
    """`{"ok": true}`, past the same middleware and sign-in as everything else."""
    return Response(b'{"ok":true}', media_type="application/json")


def main() -> None:
    settings = load(ManagerSettings, config=None, default_config=DEFAULT_CONFIG)
    log.setup(process="manager", level=settings.log_level)
    wiring.ROUTERS.append(router)
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
