"""What the first release left on disk goes on under this code: its database, and its agent's own files.

`tests/manager/data/first_issues` was taken from an installation at commit 90c1e60 (migrations 0001 to 0007) that ran
VMs with the fake hypervisor. It was stopped in the middle of three wishes. Places on disk, the host's boot and dates
were replaced; its secrets open nothing else. It is never made again: what was written then cannot change.
"""

import hashlib
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, ok, until
from tests.manager.compute.conftest import INITRAMFS, KERNEL, ROOTFS, running_host

from nexus.agent.facts import host_boot_id
from nexus.agent.settings import AgentSettings
from nexus.kit.db import Db
from nexus.local import postgres as embedded
from nexus.manager.settings import ManagerSettings
from nexus.manager.wiring import Manager

LEFT = Path(__file__).parents[1] / "data" / "first_issues"
BOOT_THEN = "00000000-b007-4000-8000-000000000001"
NAMES = {"web-1", "paused-1", "off-1", "never-1", "killed-1", "rebooted-1", "doomed-1", "new-1"}


@pytest.fixture
async def manager_database(postgres_server: embedded.Postgres) -> AsyncIterator[str]:
    """The database as it was left; the manager of this code migrates it."""
    name = f"upgraded_{uuid4().hex}"
    admin = await asyncpg.connect(postgres_server.url())
    try:
        await admin.execute(f"create database {name}")
        left = await asyncpg.connect(postgres_server.url(name))
        await left.execute((LEFT / "database.sql").read_text())
        await left.close()
        yield postgres_server.url(name)
        await admin.execute(f"drop database {name} with (force)")
    finally:
        await admin.close()


@pytest.fixture
def manager_settings(manager_settings: ManagerSettings) -> ManagerSettings:
    """With the key that seals what is in that database."""
    manager_settings.secret_key_file.write_text((LEFT / "secret.key").read_text())
    manager_settings.secret_key_file.chmod(0o600)
    return manager_settings


@pytest.fixture
async def host(
    agent_settings: AgentSettings, manager_settings: ManagerSettings, served: str, db: Db
) -> AsyncIterator[JoinedHost]:
    """This code's agent over the files of the old one, on a host that was not restarted meanwhile."""
    shutil.copytree(LEFT / "agent", agent_settings.run_dir)
    for file in agent_settings.run_dir.glob("machines/*/machine.json"):
        file.write_text(file.read_text().replace(BOOT_THEN, host_boot_id()))
    (agent_settings.run_dir / "credential.json").chmod(0o600)
    manager_settings.image_root.mkdir(mode=0o711)
    for content in (KERNEL, INITRAMFS, ROOTFS):
        (manager_settings.image_root / hashlib.sha256(content).hexdigest()).write_bytes(content)
    await db.execute("update hosts set address = $1", f"unix:{agent_settings.socket}")
    async with running_host(agent_settings) as running:
        await until(lambda: db.fetchval("select last_seen_at > now() - interval '1 minute' from hosts"))
        yield running


async def states(client: httpx.AsyncClient) -> dict[str, str]:
    items = ok(await client.get("/v1/vms"))["items"]
    return {item["name"]: item["state"] for item in items}


async def vm_named(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    [item] = [item for item in ok(await client.get("/v1/vms"))["items"] if item["name"] == name]
    return item


async def test_nothing_is_missing_and_what_was_under_way_goes_on(admin: httpx.AsyncClient, host: JoinedHost) -> None:
    async def at_rest() -> bool:
        return await states(admin) == {
            "web-1": "running",
            "paused-1": "paused",  # a resume was under way, and not done in time
            "off-1": "stopped",
            "never-1": "stopped",
            "killed-1": "stopped",
            "rebooted-1": "running",
            "new-1": "running",  # as was its creation
        }  # and doomed-1's deletion

    await until(at_rest, within_s=60)
    running_since = {item["name"]: item["started_at"] for item in ok(await admin.get("/v1/vms"))["items"]}
    assert running_since["web-1"].startswith("2025-11-20"), "it was started anew"
    assert running_since["paused-1"].startswith("2025-11-20")
    assert "killed" in (await vm_named(admin, "killed-1"))["fault"]
    assert len(host.machines.list()) == len(NAMES) - 1


async def test_every_verb_works_on_a_vm_of_then(admin: httpx.AsyncClient, host: JoinedHost) -> None:
    async def is_known() -> bool:
        return (await states(admin))["web-1"] == "running"

    await until(is_known, within_s=60)
    web, off = await vm_named(admin, "web-1"), await vm_named(admin, "off-1")
    wait = {"wait": 60}
    for verb in ("pause", "resume", "reboot", "stop", "start"):
        answer = ok(await admin.post(f"/v1/vms/{web['id']}/{verb}", params=wait))
        assert answer["status"] == "done", (verb, answer)
    assert ok(await admin.post(f"/v1/vms/{off['id']}/start", params=wait))["status"] == "done"
    credentials = ok(await admin.get(f"/v1/vms/{web['id']}/shell"))["item"]
    assert (credentials["username"], credentials["password"]) == ("ada", "wet paint")
    assert ok(await admin.delete(f"/v1/vms/{web['id']}", params=wait))["status"] == "done"
    assert "web-1" not in await states(admin)


async def test_every_list_and_item_of_then_can_be_read(
    manager: Manager, admin: httpx.AsyncClient, host: JoinedHost
) -> None:
    """Reads that name nothing but what is there already: those of later migrations included."""

    async def is_at_rest() -> bool:
        return "doomed-1" not in await states(admin)

    await until(is_at_rest, within_s=60)
    paths: dict[str, Any] = manager.app.openapi()["paths"]
    lists = [path for path, verbs in paths.items() if "get" in verbs and "{" not in path and path.startswith("/v1/")]
    lists = [path for path in lists if "text/event-stream" not in paths[path]["get"]["responses"]["200"]["content"]]
    lists = [path for path in lists if not any(one.get("required") for one in paths[path]["get"].get("parameters", []))]
    assert {"/v1/vms", "/v1/hosts", "/v1/images", "/v1/operations", "/v1/audit"} <= set(lists)
    read: set[str] = set()
    for path in lists:
        found = ok(await admin.get(path)).get("items", [])
        is_item = re.compile(rf"{path}/{{\w+}}")
        for template in (one for one in paths if is_item.fullmatch(one) and "get" in paths[one]):
            for item in found:
                assert ok(await admin.get(re.sub(r"{\w+}", str(item["id"]), template)))["item"]
                read.add(path)
    assert {"/v1/vms", "/v1/hosts", "/v1/images", "/v1/operations", "/v1/ssh-keys"} <= read
