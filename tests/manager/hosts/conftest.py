"""Hosts with real agents in this process, over the hypervisor that runs nothing."""

from collections.abc import Awaitable, Callable

import pytest
from tests.manager.compute.acting import JoinedHost
from tests.manager.compute.conftest import agent_settings as agent_settings
from tests.manager.compute.conftest import host as host
from tests.manager.compute.conftest import images as images
from tests.manager.compute.conftest import join_token as join_token

from nexus.kit.db import Db
from nexus.manager.hosts import sweep

Silence = Callable[[JoinedHost], Awaitable[None]]


@pytest.fixture
def silence(db: Db, monkeypatch: pytest.MonkeyPatch) -> Silence:
    """Have a host report no more, since an hour ago as far as the manager can tell."""
    monkeypatch.setattr(sweep, "LISTEN_FIRST_S", 0)

    async def fall_silent(host: JoinedHost) -> None:
        await host.reporting.stop()
        await db.execute("update hosts set last_seen_at = now() - interval '1 hour' where name = 'host-1'")

    return fall_silent
