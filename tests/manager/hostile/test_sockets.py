"""WebSockets: handshakes that ask for nonsense, and first messages that are none."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create
from tests.manager.conftest import sign_in
from tests.manager.hostile.trying import ANY_ID
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from nexus.kit.db import Db
from nexus.kit.problems import ProblemBody


@pytest.fixture
async def running_vm(host: JoinedHost, admin: httpx.AsyncClient) -> UUID:
    return await create(admin, "running")


@pytest.fixture
async def token(running_vm: UUID, db: Db) -> str:
    return await sign_in(db, "root")


@asynccontextmanager
async def _socket(served: str, path: str, token: str) -> AsyncGenerator[ClientConnection]:
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(f"ws://{served}{path}", additional_headers=headers, proxy=None) as socket:
        yield socket


async def test_a_handshake_that_asks_for_nonsense_is_answered_like_a_request(
    served: str, running_vm: UUID, token: str
) -> None:
    vm = f"/v1/vms/{running_vm}"
    asked = {
        422: [
            *(f"{vm}/shell/ws?cols={text}" for text in ("0", "-1", "1001", "x", "9" * 400)),
            *(f"{vm}/shell/ws?session={quote(text)}" for text in ("../x", "a b", "x" * 65, "\u00e4")),
            *(f"{vm}/exec/ws?offset={text}" for text in ("-1", "x", str(2**63))),
            *(f"{vm}/exec/ws?framing={text}" for text in ("xml", "JSON", "")),
            *("/v1/vms/kept/shell/ws", "/v1/vms/1/metrics/ws", "/v1/events?since=-1", "/v1/events?subject_id=x"),
            *(f"/v1/events?since={2**63}", "/v1/events?type=a%00b", f"{vm}/exec/ws?session=a%00"),
        ],
        400: [f"{vm}%00/shell/ws", f"{vm}%ff/exec/ws", "/v1/events?type=%ff"],
        410: [f"/v1/events?since={2**63 - 1}"],
    }
    for status, paths in asked.items():
        for path in paths:
            with pytest.raises(InvalidStatus) as refused:
                async with _socket(served, path, token):
                    pass
            answer = refused.value.response
            assert (answer.status_code, path) == (status, path)
            assert ProblemBody.model_validate_json(answer.body or b"").status == status


FIRST_MESSAGES: list[str | bytes] = [
    *("", "x", "{", "[]", "null", "1", '"id"', "{}", '{"argv":[]}', '{"argv":[""]}', '{"argv":"id"}', '{"argv":[1]}'),
    *('{"argv":["id"],"argv":["reboot"]}', '{"argv":["a\\u0000"]}', '{"argv":["\\ud800"]}', '{"argv":["id"],"x":1}'),
    *('{"argv":["id"],"command":"id"}', '{"argv":["id"],"cols":0}', '{"argv":["id"],"cols":"80"}', '{"command":null}'),
    *('{"argv":["id"],"timeout_s":NaN}', '{"argv":["id"],"timeout_s":-1}', '{"argv":["id"],"timeout_s":1e400}'),
    *('{"argv":["id"],"tty":1}', '{"argv":["id"],"env":{"A=B":"x"}}', '{"argv":["id"],"env":{"A":"\\u0000"}}'),
    *('{"argv":["id"],"user":"a:b"}', '{"argv":["id"],"cwd":"../x"}', "[" * 100_000, b"\0", b"{}", b""),
]


async def test_a_first_message_that_names_no_command_is_refused_on_the_socket(
    served: str, running_vm: UUID, token: str
) -> None:
    for message in FIRST_MESSAGES:
        async with _socket(served, f"/v1/vms/{running_vm}/exec/ws", token) as socket:
            await socket.send(message)
            told = await _error(socket)
            assert told["status"] in (400, 422), (message, told)


async def test_what_is_not_there_is_told_on_the_socket(served: str, running_vm: UUID, token: str) -> None:
    for path in (f"/v1/vms/{ANY_ID}/shell/ws", f"/v1/vms/{ANY_ID}/exec/ws", f"/v1/vms/{ANY_ID}/metrics/ws"):
        async with _socket(served, path, token) as socket:
            assert (await _error(socket))["code"] == "vm_not_found"


async def test_a_message_too_large_ends_the_socket_and_not_the_manager(
    served: str, running_vm: UUID, token: str, admin: httpx.AsyncClient
) -> None:
    async with _socket(served, f"/v1/vms/{running_vm}/exec/ws", token) as socket:
        with contextlib.suppress(ConnectionClosed):  # in the middle of it, or after it with an error
            await socket.send(json.dumps({"argv": ["x" * 60_000] * 1024}))
            assert json.loads(await socket.recv())["type"] == "error"
        async with asyncio.timeout(20):
            await socket.wait_closed()
    assert (await admin.get("/v1/vms")).status_code == 200


async def test_what_watchers_say_changes_nothing(served: str, running_vm: UUID, token: str) -> None:
    async with _socket(served, "/v1/events", token) as socket:
        for message in ("{", b"\xff\x00", "x" * 100_000, '{"type":"input","data":"id"}'):
            await socket.send(message)
        assert json.loads(await socket.recv())["type"] == "hello"
    async with _socket(served, f"/v1/vms/{running_vm}/metrics/ws", token) as socket:
        await socket.send("{")
        assert json.loads(await socket.recv())["host"]["cpu_seconds"] >= 0


async def _error(socket: ClientConnection) -> dict[str, Any]:
    """The last word of a socket: an error of the one shape, then it is closed."""
    async with asyncio.timeout(20):
        told = json.loads(await socket.recv())
        assert told.pop("type") == "error", told
        ProblemBody.model_validate(told)
        assert set(told) == set(ProblemBody.model_fields)
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    return told
