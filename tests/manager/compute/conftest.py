"""A host under the manager: the real agent in this process, with the hypervisor that runs nothing."""

import asyncio
import hashlib
import secrets
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import uvicorn
from tests.manager.compute.acting import JoinedHost, Reporting, ok, until

from nexus.agent import wiring as agent_wiring
from nexus.agent.listening import listen
from nexus.agent.serve import serve_on, server_of
from nexus.agent.settings import AgentSettings
from nexus.agent.vmm.fake import FakeVmm
from nexus.kit.db import Db
from nexus.manager.settings import ManagerSettings
from nexus.manager.wiring import Manager

KERNEL = b"\x7fELF" + bytes(4092)
INITRAMFS = b"070701" + b"0" * 104 + b"TRAILER!!!\0\0\0\0"
ROOTFS = b"hsqs" + bytes(8188)


@pytest.fixture
async def images(manager_settings: ManagerSettings, admin: httpx.AsyncClient) -> dict[str, str]:
    """Default kernel, initramfs and root file system, registered; their ids by kind."""
    root = manager_settings.image_root
    root.mkdir(mode=0o711, exist_ok=True)
    ids: dict[str, str] = {}
    for kind, content in (("kernel", KERNEL), ("initramfs", INITRAMFS), ("rootfs", ROOTFS)):
        digest = hashlib.sha256(content).hexdigest()
        (root / digest).write_bytes(content)
        wanted = {"kind": kind, "name": f"test-{kind}", "path": str(root / digest), "is_default": True}
        ids[kind] = ok(await admin.post("/v1/images", json=wanted))["id"]
    return ids


@pytest.fixture
async def join_token(manager_settings: ManagerSettings) -> str:
    """What this machine's own agent joins with."""
    token = secrets.token_urlsafe(32)
    assert manager_settings.local_join_token_file is not None
    manager_settings.local_join_token_file.write_text(token)
    return token


@pytest.fixture
def agent_settings(manager_settings: ManagerSettings, short_tmp: Path, join_token: str) -> AgentSettings:
    return AgentSettings.model_validate(
        {
            "run_dir": short_tmp / "agent",
            "runtime_dir": short_tmp / "run",
            "manager": f"http://{manager_settings.bind}",
            "name": "host-1",
            "vmm": "fake",
            "network": "user",
            "user_net_restrict": True,
            "join_token": join_token,
            "image_seed": manager_settings.image_root,
        }
    )


@pytest.fixture
async def host(
    agent_settings: AgentSettings, served: str, images: dict[str, str], manager: Manager
) -> AsyncIterator[JoinedHost]:
    """One host that has joined and reported."""
    async with running_host(agent_settings) as running:
        await until(lambda: _has_reported(manager.platform.db, "host-1"))
        yield running


@asynccontextmanager
async def running_host(settings: AgentSettings) -> AsyncGenerator[JoinedHost]:
    async with AsyncExitStack() as stack:
        agent = await agent_wiring.build(settings, stack)
        assert agent.link is not None
        server = server_of(agent)
        listener = listen(settings)
        serving = asyncio.create_task(serve_on(listener, server, agent.tls))
        reporting = Reporting(agent.link)
        reporting.start()
        vmm = cast(Any, agent.machines)._host.vmm
        assert isinstance(vmm, FakeVmm)
        try:
            yield JoinedHost(agent.machines, vmm, settings.socket, reporting)
        finally:
            # in the middle of it, as a process ends: in order it would wait for a manager that keeps its connections
            serving.cancel()
            await reporting.stop()
            await asyncio.gather(serving, return_exceptions=True)
            _leave(listener, server)


def _leave(listener: socket.socket, server: uvicorn.Server) -> None:
    if server.started:
        for listening in server.servers:
            listening.close()
    else:
        listener.close()
    for connection in list(server.server_state.connections):
        connection.transport.abort()


async def _has_reported(db: Db, name: str) -> object:
    return await db.fetchval("select usage is not null and seen_seq >= 0 from hosts where name = $1", name)
