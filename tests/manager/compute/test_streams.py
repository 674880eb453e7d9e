"""What WebSockets of VMs say where no real guest is needed; with one, see tests/e2e."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from nexus.kit.db import Db
from nexus.manager.vms.sampling import EVERY_S
from nexus.protocol.metrics import MachineMetrics


@asynccontextmanager
async def socket(served: str, client: httpx.AsyncClient, path: str) -> AsyncGenerator[ClientConnection]:
    headers = {"Authorization": client.headers["Authorization"]} if "Authorization" in client.headers else {}
    url = f"ws://{served}/v1/vms/{path}"
    async with connect(url, additional_headers=headers, proxy=None, compression=None) as connection:
        yield connection


async def end_of(connection: ClientConnection) -> tuple[dict[str, Any], int | None]:
    """The last thing said, and the close code."""
    said: dict[str, Any] = {}
    async with asyncio.timeout(20):
        try:
            async for message in connection:
                said = json.loads(message)
        except ConnectionClosed:
            pass
    return said, connection.close_code


async def test_what_is_refused_is_told_on_the_socket_and_then_closed(
    host: JoinedHost, served: str, user: httpx.AsyncClient, other_user: httpx.AsyncClient
) -> None:
    vm_id = await create(user)
    stopped = await create(user, "off", start=False)
    for client, path, first, status in (
        (user, f"{vm_id}/shell/ws", None, 409),
        (user, f"{stopped}/shell/ws", None, 409),
        (user, f"{uuid4()}/shell/ws", None, 404),
        (other_user, f"{vm_id}/shell/ws", None, 404),
        (other_user, f"{vm_id}/metrics/ws", None, 404),
        (user, f"{vm_id}/exec/ws", "nonsense", 400),
        (user, f"{vm_id}/exec/ws", b"\0\1", 422),
        (user, f"{vm_id}/exec/ws", '{"argv": []}', 422),
        (user, f"{vm_id}/exec/ws", '{"argv": ["id\\u0000"]}', 422),
        (user, f"{vm_id}/exec/ws", '{"argv": ["id"], "cwd": "relative"}', 422),
        (user, f"{vm_id}/exec/ws", '{"argv": ["id"]}', 409),
        (user, f"{vm_id}/shell/ws?session=none0", None, 404),
    ):
        async with socket(served, client, path) as connection:
            if first is not None:
                await connection.send(first)
            said, code = await end_of(connection)
        assert (said["type"], said["status"], code) == ("error", status, 1008), (path, first, said)
        assert said["error"]


async def test_who_may_not_is_refused_before_the_handshake(
    host: JoinedHost, served: str, user: httpx.AsyncClient, viewer: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    vm_id = await create(user)
    for client, way, status in (
        (anonymous, "shell/ws", 401),
        (anonymous, "metrics/ws", 401),
        (viewer, "shell/ws", 403),
        (viewer, "exec/ws", 403),
        (user, "shell/ws?cols=0", 422),
        (user, "shell/ws?session=../../x", 422),
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with socket(served, client, f"{vm_id}/{way}"):
                pass
        assert refused.value.response.status_code == status, way
        assert json.loads(refused.value.response.body or b"")["status"] == status


async def test_opening_a_shell_is_on_record_even_if_the_guest_will_not(
    host: JoinedHost, served: str, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user)
    async with socket(served, user, f"{vm_id}/exec/ws") as connection:
        await connection.send(json.dumps({"argv": ["id", "-u"], "env": {"TOKEN": "hunter2"}}))
        await end_of(connection)
    [row] = await db.fetch("select verb, actor_name, details from audit where subject_id = $1 and verb = 'exec'", vm_id)
    assert (row["actor_name"], row["details"]) == ("ada", {"argv": ["id", "-u"]})


async def test_many_viewers_share_one_collection_a_second(
    host: JoinedHost, served: str, user: httpx.AsyncClient, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = await create(user)
    machine_id = await machine_of(db, vm_id)
    taken = 0
    counters = host.vmm.counters

    async def counted(machine: Any) -> Any:
        nonlocal taken
        taken += machine == machine_id
        return await counters(machine)

    monkeypatch.setattr(host.vmm, "counters", counted)

    async def watch() -> list[MachineMetrics]:
        async with socket(served, user, f"{vm_id}/metrics/ws") as connection:
            return [MachineMetrics.model_validate_json(await connection.recv()) for _ in range(3)]

    began = asyncio.get_running_loop().time()
    watched = await asyncio.gather(*(watch() for _ in range(5)))
    lasted = asyncio.get_running_loop().time() - began
    assert all(len(samples) == 3 for samples in watched)
    assert taken <= lasted / EVERY_S + 2, "five viewers, one collection"
    assert len({sample.at for samples in watched for sample in samples}) <= taken


async def test_the_stream_of_metrics_goes_on_after_a_stop_and_a_start(
    host: JoinedHost, served: str, user: httpx.AsyncClient
) -> None:
    vm_id = await create(user)
    async with socket(served, user, f"{vm_id}/metrics/ws") as connection, asyncio.timeout(30):
        await connection.recv()
        for verb in ("stop", "start"):
            ok(await user.post(f"/v1/vms/{vm_id}/{verb}", params={"wait": 20}))
        assert json.loads(await connection.recv())["host"]
