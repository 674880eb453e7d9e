"""Every route says who may call it, and means it."""

import httpx
import pytest
from fastapi import APIRouter
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from nexus.manager.app import Endpoint, create_app, endpoints_of
from nexus.manager.wiring import describe

APP = describe()
ALL = endpoints_of(APP)
HTTP = [endpoint for endpoint in ALL if endpoint.method != "WEBSOCKET"]
SOCKETS = [endpoint for endpoint in ALL if endpoint.method == "WEBSOCKET"]
ANY_ID = "01890000-0000-7000-8000-000000000000"


def _url(endpoint: Endpoint) -> str:
    """The endpoint's path with something well-formed for each parameter."""
    parts = endpoint.path.split("/")
    return "/".join(("0" * 64 if "sha256" in part else ANY_ID) if part.startswith("{") else part for part in parts)


async def _statuses(client: httpx.AsyncClient, endpoints: list[Endpoint], **headers: str) -> dict[str, int]:
    assert endpoints
    answers: dict[str, int] = {}
    for endpoint in endpoints:
        answer = await client.request(endpoint.method, _url(endpoint), headers=headers, json={})
        answers[f"{endpoint.method} {endpoint.path}"] = answer.status_code
    return answers


def _ruled(*rules: str) -> list[Endpoint]:
    return [endpoint for endpoint in HTTP if endpoint.rules & set(rules)]


@pytest.mark.parametrize("endpoint", ALL, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_every_route_declares_exactly_one_rule(endpoint: Endpoint) -> None:
    assert len(endpoint.rules) == 1


@pytest.mark.parametrize("token", [None, "nonsense", "nxl_wrong", "nxh_wrong"])
async def test_no_token_or_a_wrong_one_gets_nothing_anywhere(anonymous: httpx.AsyncClient, token: str | None) -> None:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    closed = [endpoint for endpoint in HTTP if "public" not in endpoint.rules]
    answers = await _statuses(anonymous, closed, **headers)
    assert {path for path, status in answers.items() if status != 401} == set()


async def test_a_viewer_changes_nothing(viewer: httpx.AsyncClient) -> None:
    answers = await _statuses(viewer, _ruled("operator", "admin"))
    assert {path for path, status in answers.items() if status != 403} == set()


def test_what_changes_something_is_closed_to_viewers_but_for_their_own_account() -> None:
    changing = {endpoint.path for endpoint in _ruled("viewer") if endpoint.method not in ("GET", "HEAD")}
    assert changing == {"/v1/auth/logout", "/v1/auth/password"}


async def test_what_is_for_admins_is_refused_to_users(user: httpx.AsyncClient) -> None:
    answers = await _statuses(user, _ruled("admin"))
    assert {path for path, status in answers.items() if status != 403} == set()


@pytest.mark.skipif(not _ruled("host"), reason="no slice has a route for hosts")
async def test_a_users_token_does_not_open_what_is_for_hosts(admin: httpx.AsyncClient) -> None:
    answers = await _statuses(admin, _ruled("host"))
    assert {path for path, status in answers.items() if status != 401} == set()


async def test_no_websocket_opens_without_a_token(served: str) -> None:
    assert SOCKETS
    for endpoint in SOCKETS:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"ws://{served}{_url(endpoint)}"):
                pass
        assert refused.value.response.status_code == 401, endpoint.path


def test_a_route_without_a_rule_is_found() -> None:
    router = APIRouter()
    router.add_api_route("/open", lambda: None)
    assert [endpoint.rules for endpoint in endpoints_of(create_app([router]))] == [frozenset()]


def test_operation_ids_are_unique_and_every_field_is_described() -> None:
    schema = APP.openapi()
    ids = [operation["operationId"] for path in schema["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    bare = [
        f"{name}.{field}"
        for name, model in schema["components"]["schemas"].items()
        for field, about in model.get("properties", {}).items()
        if "description" not in about and "const" not in about
    ]
    assert bare == []
    assert "HTTPValidationError" not in schema["components"]["schemas"]
