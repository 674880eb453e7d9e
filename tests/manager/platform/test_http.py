"""One shape for every answer that says no, request ids everywhere, limits, health and the API's description."""

import asyncio
import json
import re

import asyncpg
import httpx
import pytest
import structlog
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nexus.kit.asgi import RequestIdMiddleware
from nexus.kit.db import Db
from nexus.local import postgres as embedded
from nexus.manager import wiring
from nexus.manager.access import Public
from nexus.manager.app import MOST_BODY_BYTES, create_app

SHAPE = {"error", "suggestion", "fault_message", "status", "code", "request_id", "id", "operation_id"}

router = APIRouter(prefix="/things", tags=["things"])


class Spec(BaseModel):
    cpus: int = Field(ge=1)


class Thing(BaseModel):
    spec: Spec


@router.post("")
async def create_thing(thing: Thing, _: Public) -> dict[str, bool]:
    return {"ok": True}


@router.get("/bug")
async def bug(_: Public) -> None:
    raise KeyError("the secret inside")


@router.get("/nul")
async def nul(_: Public) -> None:
    raise asyncpg.CharacterNotInRepertoireError("invalid byte sequence for encoding")


@pytest.fixture
def client() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app([router]), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://manager")


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code", "names"),
    [
        ("GET", "/nowhere", b"", 404, "not_found", "/nowhere"),
        ("DELETE", "/things", b"", 405, "method_not_allowed", "DELETE"),
        ("POST", "/things", b"{", 400, "malformed", "JSON"),
        ("POST", "/things", b'{"spec": \xff}', 400, "malformed", ""),
        ("POST", "/things", b"[]", 400, "malformed", "body"),
        ("POST", "/things", b"", 400, "malformed", "body"),
        ("POST", "/things", b'{"spec": {"cpus": 0}}', 422, "invalid_field", "spec.cpus"),
        ("POST", "/things", b'{"spec": {}}', 422, "invalid_field", "spec.cpus"),
        ("POST", "/things", b'{"spec": "x"}', 422, "invalid_field", "spec"),
        ("POST", "/things", b"[" * 100_000, 400, "malformed", ""),
        ("GET", "/things/bug", b"", 500, "internal_error", "bug"),
    ],
)
async def test_every_error_has_one_shape_and_names_its_cause(
    client: httpx.AsyncClient, method: str, path: str, content: bytes, status: int, code: str, names: str
) -> None:
    headers = {"content-type": "application/json"}
    answer = await client.request(method, path, content=content, headers=headers)
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert set(body) == SHAPE
    assert names in body["error"]
    assert body["request_id"] == answer.headers["x-request-id"]
    assert "secret inside" not in answer.text


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_refused_announced_or_not(client: httpx.AsyncClient, chunked: bool) -> None:
    async def chunks():
        for _ in range(3):
            yield b"x" * (MOST_BODY_BYTES // 2)

    content = chunks() if chunked else b"x" * (MOST_BODY_BYTES + 1)
    answer = await client.post("/things", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("given", "is_kept"), [("req-1.a_B", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ('"}', False)]
)
async def test_a_well_formed_request_id_is_kept_and_any_other_replaced(
    client: httpx.AsyncClient, given: str, is_kept: bool
) -> None:
    answer = await client.get("/nowhere", headers={"X-Request-ID": given})
    assert (answer.headers["x-request-id"] == given) == is_kept
    assert answer.headers["x-request-id"]


async def test_the_request_id_stands_on_every_log_line_of_the_request(client: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        await client.get("/things/bug", headers={"X-Request-ID": "req-9"})
    told = {line["event"]: line for line in lines}
    assert told["unexpected_error"]["request_id"] == told["request"]["request_id"] == "req-9"
    assert (told["request"]["status"], told["request"]["path"]) == (500, "/things/bug")
    assert told["request"]["duration_ms"] >= 0
    assert told["unexpected_error"]["exc_info"]


async def test_what_hosts_send_all_the_time_is_logged_for_debugging_only_unless_it_is_wrong() -> None:
    async def answers(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(status_code=int(scope["query_string"] or b"200"))(scope, receive, send)

    app = RequestIdMiddleware(answers, routine=re.compile("/v1/hosts/[^/]+/heartbeat"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://manager") as client:
        with structlog.testing.capture_logs() as lines:
            for path in ("/v1/hosts/1/heartbeat", "/v1/hosts/1/heartbeat?503", "/v1/hosts"):
                await client.post(path)
    assert [line["log_level"] for line in lines] == ["debug", "info", "info"]


async def test_answers_carry_the_security_headers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nowhere")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_text_that_postgresql_cannot_hold_is_the_clients_mistake(client: httpx.AsyncClient) -> None:
    answer = await client.get("/things/nul")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/health/startup"])
async def test_health_looks_at_the_database(anonymous: httpx.AsyncClient, db: Db, path: str) -> None:
    assert (await anonymous.get(path)).json()["hosts_total"] == 0
    await db.execute("delete from migrations where number = (select max(number) from migrations)")
    assert (await anonymous.get(path)).status_code == 503


async def test_a_lost_database_is_503_everywhere_but_for_liveness_and_passes(
    anonymous: httpx.AsyncClient, admin: httpx.AsyncClient, db: Db, postgres_server: embedded.Postgres
) -> None:
    name = await db.fetchval("select current_database()")
    elsewhere = await asyncpg.connect(postgres_server.url())
    await elsewhere.execute(f'alter database "{name}" allow_connections false')
    await elsewhere.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
    for client, path in ((anonymous, "/health/ready"), (admin, "/v1/operations")):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    answer = await admin.post("/v1/hosts/join-tokens", json={}, headers={"Idempotency-Key": "once"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert (await anonymous.get("/health/live")).json()["status"] == "ok"
    await elsewhere.execute(f'alter database "{name}" allow_connections true')
    await elsewhere.close()
    async with asyncio.timeout(60):
        while (await admin.get("/v1/operations")).status_code != 200:  # noqa: ASYNC110 - it is another process's
            await asyncio.sleep(0.01)


async def test_swagger_ui_needs_nothing_from_elsewhere(anonymous: httpx.AsyncClient) -> None:
    page = (await anonymous.get("/swagger-ui/")).text
    assert "http" not in page
    assert "<script>" not in page
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert name in page
        assert (await anonymous.get(f"/swagger-ui/{name}")).status_code == 200
    assert (await anonymous.get("/swagger-ui/../app.py")).status_code == 404
    assert (await anonymous.get("/swagger-ui/%2e%2e/__init__.py")).status_code == 404


async def test_the_description_is_the_one_printed_without_a_database(anonymous: httpx.AsyncClient) -> None:
    told = (await anonymous.get("/openapi.json")).json()
    assert told == json.loads(json.dumps(wiring.describe().openapi()))
    assert told["openapi"].startswith("3.1")
