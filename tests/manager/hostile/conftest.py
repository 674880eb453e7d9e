"""A manager with a host under it, whose hypervisor runs nothing, and one VM that is off."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, ok, signing_request
from tests.manager.compute.conftest import agent_settings, host, images, join_token
from tests.manager.conftest import client_of
from tests.manager.hostile.trying import FACTS, Trials

from nexus.kit.db import Db
from nexus.manager.wiring import Manager

__all__ = ["agent_settings", "host", "images", "join_token"]


@pytest.fixture
async def vm_id(host: JoinedHost, admin: httpx.AsyncClient) -> UUID:
    return await create(admin, "kept", start=False, description="as it was")


@pytest.fixture
async def as_host(host: JoinedHost, admin: httpx.AsyncClient, manager: Manager) -> AsyncIterator[httpx.AsyncClient]:
    """Another host, of the test's own: a client with its credential and its id in the header `Host-Id`."""
    token = ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"]
    address = "https://far-1.invalid:18081"
    wanted = {"join_token": token, "address": address, "facts": FACTS, "csr": signing_request()}
    registered = ok(await admin.post("/v1/hosts/register", json=wanted))
    async with client_of(manager, registered["credential"]) as client:
        client.headers["Host-Id"] = registered["host_id"]
        yield client


@pytest.fixture
async def trials(admin: httpx.AsyncClient, vm_id: UUID, db: Db) -> AsyncIterator[Trials]:
    """Requests as an administrator, so that nothing but their content can be wrong with them. Once all are made,
    nothing in the database may have changed."""
    made = Trials(admin, db)
    before = await made.content()
    yield made
    assert await made.content() == before
