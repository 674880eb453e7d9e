"""What every list can do, and that those of the platform do it."""

import inspect
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from tests.manager.compute.acting import ok, refused

from nexus.kit.db import Db
from nexus.manager.wiring import describe

OF_ALL_LISTS = {"limit", "cursor", "sort", "q"}


BOUNDED = {
    "/v1/rate-limiter-presets",
    "/v1/vms/{vm_id}/drives",
    "/v1/vms/{vm_id}/nics",
    "/v1/vms/{vm_id}/terminals",
}
"""Lists that can never be long: what one VM has, and what this code knows."""


def lists() -> dict[str, set[str]]:
    """The parameters of every get that answers `items` and may be long, by path."""
    document = describe().openapi()
    found: dict[str, set[str]] = {}
    for path, methods in document["paths"].items():
        content: dict[str, Any] = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        reference: str = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        schema = document["components"]["schemas"].get(reference.rpartition("/")[2], {})
        if "items" in schema.get("properties", {}) and path not in BOUNDED:
            found[path] = {parameter["name"] for parameter in methods["get"].get("parameters", [])}
    return found


def test_every_list_is_paged_sorted_and_searched() -> None:
    found = lists()
    assert {"/v1/vms", "/v1/hosts", "/v1/images", "/v1/networks", "/v1/ssh-keys", "/v1/operations"} <= set(found)
    assert {path: OF_ALL_LISTS - parameters for path, parameters in found.items() if OF_ALL_LISTS - parameters} == {}
    assert {"state", "tag"} <= found["/v1/vms"]
    assert "state" in found["/v1/hosts"]


def test_what_a_request_asks_for_is_read_without_a_thread() -> None:
    """FastAPI hands what is no coroutine to a worker thread, which costs more than most of our reads."""

    def calls(dependant: Dependant) -> Iterator[Any]:
        for dependency in dependant.dependencies:
            yield dependency.call
            yield from calls(dependency)

    routes = [context.original_route for context in iter_route_contexts(describe().routes)]
    found = {call for route in routes if isinstance(route, APIRoute) for call in calls(route.dependant)}
    assert len(found) > 10
    assert [call for call in found if not inspect.iscoroutinefunction(call)] == []


async def test_a_cursor_belongs_to_its_list_and_sort(admin: httpx.AsyncClient, db: Db) -> None:
    await db.execute(
        """
        insert into audit (id, actor_name, verb, subject_kind, subject_name)
        select gen_random_uuid(), 'system', 'look', 'thing', 'thing-' || n from generate_series(1, 30) n
        """
    )
    first = ok(await admin.get("/v1/audit", params={"limit": 7, "q": "THING-", "verb": "look"}))
    assert len(first["items"]) == 7
    cursor = first["next_cursor"]
    for path in lists():
        if path != "/v1/audit":
            assert refused(await admin.get(path, params={"cursor": cursor}), 400)["code"] == "bad_cursor", path
    refused(await admin.get("/v1/audit", params={"cursor": cursor, "sort": "at"}), 400)
    told = [item["subject_name"] for item in first["items"]]
    while cursor:
        # newcomers go before what is being read, and move nothing of it
        await db.execute(
            """
            insert into audit (id, actor_name, verb, subject_kind, subject_name)
            values (gen_random_uuid(), 'system', 'look', 'thing', 'thing-new')
            """
        )
        page = ok(await admin.get("/v1/audit", params={"limit": 7, "q": "thing-", "verb": "look", "cursor": cursor}))
        told += [item["subject_name"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(told) == sorted(f"thing-{n}" for n in range(1, 31))


async def test_hosts_are_found_by_name_state_and_address(admin: httpx.AsyncClient, db: Db) -> None:
    for name, silent_since in (("rack-1", None), ("rack-2", datetime.now(UTC)), ("desk", None)):
        await db.execute(
            """
            insert into hosts (id, name, address, credential_sha256, vmm, facts, vcpus, memory_mib, disk_bytes, boot_id,
                               silent_since)
            values (gen_random_uuid(), $1, 'unix:/run/' || $1, $1::text::bytea, 'fake', $2, 1, 1, 1, 'b', $3)
            """,
            name,
            {"vmm_version": "1", "acceleration": "none", "why_vmm": "", "offers": [], "agent_version": "1"},
            silent_since,
        )

    async def found(**asked: str) -> list[str]:
        return [host["name"] for host in ok(await admin.get("/v1/hosts", params=asked))["items"]]

    assert await found() == ["desk", "rack-1", "rack-2"]
    assert await found(q="/RUN/rack") == ["rack-1", "rack-2"]
    assert await found(q="rack", state="silent") == ["rack-2"]
    assert await found(state="online", sort="-name") == ["rack-1", "desk"]
    assert await found(name="rack") == []
    refused(await admin.get("/v1/hosts", params={"state": "gone"}), 422)
