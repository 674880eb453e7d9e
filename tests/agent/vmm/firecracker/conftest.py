"""Places for the Firecracker driver: with jails, where there are the rights for them, and without."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from tests.agent.vmm.firecracker.lab import Place

JAILED = pytest.param(
    True,
    id="jailed",
    marks=[pytest.mark.net, pytest.mark.skipif(os.geteuid() != 0, reason="only root can make jails and namespaces")],
)


@pytest.fixture(params=[JAILED, pytest.param(False, id="unjailed")])
async def place(request: pytest.FixtureRequest, short_tmp: Path) -> AsyncIterator[Place]:
    made = Place(short_tmp, is_jailed=request.param)
    yield made
    await _leave(made)


@pytest.fixture
async def jailed_place(short_tmp: Path) -> AsyncIterator[Place]:
    """With jails only."""
    if os.geteuid() != 0:
        pytest.skip("only root can make jails and namespaces")
    made = Place(short_tmp, is_jailed=True)
    yield made
    await _leave(made)


@pytest.fixture
async def unjailed_place(short_tmp: Path) -> AsyncIterator[Place]:
    """Without jails, for what is the same with them."""
    made = Place(short_tmp, is_jailed=False)
    yield made
    await _leave(made)


async def _leave(place: Place) -> None:
    """End whatever a test left running; then nothing may be left."""
    last = place.driver()
    await last.open()
    machines = place.root / "machines"
    for home in machines.iterdir() if machines.is_dir() else ():
        await last.discard(UUID(home.name))
    await last.close()
    assert place.leftovers() == set()
