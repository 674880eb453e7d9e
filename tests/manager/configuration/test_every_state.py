"""Every endpoint of a VM in every state answers as docs/vm-states.md says, which is generated from the rules."""

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create

from nexus.kit.db import Db
from nexus.manager.settings import ManagerSettings
from nexus.manager.vms.governing import VERB_OF
from nexus.manager.vms.lifecycle import State, Verb
from nexus.manager.wiring import describe

PAGE = Path(__file__).parents[3] / "docs" / "vm-states.md"
BELOW = "/v1/vms/{vm_id}"
RATE = {"bandwidth": {"size": 1 << 20, "refill_time": 100}}
BODIES: dict[str, object] = {
    "PATCH ": {"description": "x"},
    "POST /exec": {"command": "true"},
    "PUT /machine-config": {"vcpu": 1, "mem_mib": 256},
    "PATCH /machine-config": {"vcpu": 1},
    "PUT /boot-source": {},
    "PATCH /boot-source": {"boot_args": "a"},
    "PUT /cpu-config": {"cpu_config": None},
    "PUT /vsock": {"guest_cid": None},
    "PUT /entropy": {"rate_limiter": RATE},
    "PUT /serial": {"log_limit_bytes": 1 << 20},
    "PUT /logger": {},
    "PUT /balloon": {"amount_mib": 1},
    "PATCH /balloon": {"amount_mib": 2},
    "PATCH /balloon/statistics": {"stats_polling_interval_s": 1},
    "POST /drives": {"drive_id": "data", "size_bytes": 1 << 26},
    "PATCH /drives/{drive}": {"rate_limiter": RATE},
    "POST /nics": {"iface_id": "eth1"},
    "PATCH /nics/{nic}": {"rx_rate_limiter": RATE},
    "PUT /mmds": {"a": "b"},
    "PATCH /mmds": {"a": "b"},
    "PUT /mmds/config": {"version": "V2"},
    "PUT /user-data": {"user_data": "#!/bin/sh"},
    "POST /terminals": {},
    "POST /template": {"name": "kept"},
    "POST /rollback": {"snapshot_id": str(UUID(int=1))},
    "POST /guest-ip": {"ip": "10.213.0.99"},
}
PLACES = {"drive": "rootfs", "nic": "eth0", "terminal_id": "none", "snapshot_id": str(UUID(int=1))}
QUERIES = {"GET /files": {"path": "/etc/hostname"}}


@pytest.fixture
def manager_settings(manager_settings: ManagerSettings) -> ManagerSettings:
    """Nothing moves but what the test moves."""
    return manager_settings.model_copy(update={"reconciler_disabled": True})


def the_page() -> tuple[dict[str, set[str]], dict[str, str]]:
    """The states that allow each verb, and the verb of each endpoint, as the page has them."""
    text = PAGE.read_text()
    heads = [cell.strip() for cell in re.findall(r"^\|  \|(.*)\|$", text, re.M)[0].split("|")]
    assert heads == list(State)
    allowed: dict[str, set[str]] = {}
    for verb, cells in re.findall(r"^\| \*\*([a-z-]+)\*\* \|(.*)\|$", text, re.M):
        marks = [cell.strip() for cell in cells.split("|")]
        allowed[verb] = {state for state, cell in zip(heads, marks, strict=True) if cell == "yes"}
    assert allowed.keys() == set(Verb)
    return allowed, dict(re.findall(r"^\| `([A-Z]+ /v1/vms[^`]*)` \| (\S+) \|$", text, re.M))


def test_the_page_has_every_endpoint_and_every_verb_that_governs_one() -> None:
    _, endpoints = the_page()
    described = {
        f"{method.upper()} {path}": operation["operationId"]
        for path, operations in describe().openapi()["paths"].items()
        for method, operation in operations.items()
        if path == BELOW or path.startswith(f"{BELOW}/")
    }
    assert endpoints == {name: VERB_OF.get(operation, "*any*") for name, operation in described.items()}
    assert set(VERB_OF) <= set(described.values()), "a rule for an endpoint that does not exist"


async def test_every_endpoint_answers_in_every_state_as_the_page_says(
    host: JoinedHost, admin: httpx.AsyncClient, db: Db
) -> None:
    allowed, endpoints = the_page()
    vm_id = await create(admin, wait=None, start=False)
    wrong: list[str] = []
    for state in State:
        for name, verb in endpoints.items():
            await _be_in(db, vm_id, state)
            code = await _code(admin, vm_id, name)
            is_again = name == f"DELETE {BELOW}" and state is State.DELETING
            is_refused = verb != "*any*" and state not in allowed[verb] and not is_again
            if (code == "vm_state_conflict") is not is_refused:
                wrong.append(f"{name} in {state}: {code}, and the page says {verb}")
    assert not wrong, "\n".join(wrong)


async def _be_in(db: Db, vm_id: UUID, state: State) -> None:
    """Have the rows say that the VM is in this state, its guest ready."""
    await db.execute(
        """
        update machines set goal = 'off', fault = null, seen = 'on', seen_guest = 'ready', seen_generation = generation
        where id = (select machine_id from vms where id = $1)
        """,
        vm_id,
    )
    await db.execute("update vms set state = $2 where id = $1", vm_id, state)


async def _code(client: httpx.AsyncClient, vm_id: UUID, name: str) -> str | None:
    """The error code that the endpoint answers with; None: it is a success."""
    method, _, path = name.partition(" ")
    below = path.removeprefix(BELOW)
    answer = await client.request(
        method,
        path.format(vm_id=vm_id, **PLACES),
        json=BODIES.get(f"{method} {below}"),
        params=QUERIES.get(f"{method} {below}"),
    )
    assert answer.status_code not in (400, 422, 500), f"{name}: {answer.text}"
    if answer.is_success:
        return None
    error: dict[str, Any] = answer.json()
    return error["code"]
