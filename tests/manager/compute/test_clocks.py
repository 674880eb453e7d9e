"""Managers whose clocks are wrong promise what others promise: time that matters is the database's."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, ok, vm_of

from nexus.manager.settings import ManagerSettings
from nexus.manager.wiring import Manager, running


@dataclass(frozen=True)
class WrongClock:
    by: timedelta

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


@pytest.fixture(params=[timedelta(days=-2), timedelta(days=2)], ids=["slow", "fast"])
async def manager(manager_settings: ManagerSettings, request: pytest.FixtureRequest) -> AsyncIterator[Manager]:
    """One whose clock is two days off."""
    async with running(manager_settings, clock=WrongClock(request.param)) as made:
        yield made


async def test_wishes_come_true_and_promises_are_kept(user: httpx.AsyncClient, host: JoinedHost) -> None:
    vm_id = await create(user)
    for verb in ("pause", "resume", "reboot", "stop", "start"):
        ok(await user.post(f"/v1/vms/{vm_id}/{verb}", params={"wait": 60}))
    assert (await vm_of(user, vm_id))["state"] == "running"
    ok(await user.delete(f"/v1/vms/{vm_id}", params={"wait": 60}))


async def test_a_join_token_says_when_it_ends(admin: httpx.AsyncClient) -> None:
    made = ok(await admin.post("/v1/hosts/join-tokens", json={"expires_in_s": 600}))
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=5) < left < timedelta(minutes=15)
