"""Hosts on other machines: agents on TCP, with the hypervisor that runs nothing, under a real manager."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, ok, until, vm_of
from tests.manager.compute.conftest import running_host
from tests.manager.conftest import free_port

from nexus.agent.settings import AgentSettings
from nexus.kit.db import Db
from nexus.manager.settings import ManagerSettings


async def remote_settings(
    admin: httpx.AsyncClient, manager: ManagerSettings, home: Path, name: str, **other: object
) -> AgentSettings:
    """A second host's: nothing of it is shared with the manager's machine but the network."""
    home.mkdir(mode=0o711)
    values: dict[str, object] = {
        "run_dir": home / "agent",
        "runtime_dir": home / "run",
        "manager": f"http://{manager.bind}",
        "bind": f"127.0.0.1:{free_port()}",
        "name": name,
        "vmm": "fake",
        "network": "user",
        "user_net_restrict": True,
        "join_token": ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"],
    }
    return AgentSettings.model_validate(values | other)


async def is_online(client: httpx.AsyncClient, name: str) -> dict[str, Any] | None:
    items = ok(await client.get("/v1/hosts"))["items"]
    return next((item for item in items if item["name"] == name and item["usage"]), None)


@pytest.fixture
async def remote(
    admin: httpx.AsyncClient, served: str, images: dict[str, str], manager_settings: ManagerSettings, short_tmp: Path
) -> AsyncIterator[JoinedHost]:
    settings = await remote_settings(admin, manager_settings, short_tmp / "far", "far-1")
    async with running_host(settings) as running:
        await until(lambda: is_online(admin, "far-1"))
        yield running


async def test_a_vm_runs_on_a_host_that_shares_no_path_with_the_manager(
    host: JoinedHost, remote: JoinedHost, user: httpx.AsyncClient, db: Db, manager_settings: ManagerSettings
) -> None:
    await db.execute("update hosts set cordoned = true where name = 'host-1'")
    vm_id = await create(user)
    vm = await vm_of(user, vm_id)
    assert (vm["host_name"], vm["state"], vm["guest"]) == ("far-1", "running", "ready")
