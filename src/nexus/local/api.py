"""The few things the all-in-one asks of its own manager and agent."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from nexus.local.errors import CannotStart
from nexus.local.images.store import Image

_PATIENCE_S = 90
"""Longer than any wait that is asked for below."""
_PAGE = 200


@dataclass(frozen=True)
class ManagerApi:
    """The manager at `url`, as the holder of a session."""

    url: str
    token: str

    async def has_host(self) -> bool:
        """Whether the manager is ready and a host reports to it."""
        async with self._client() as client:
            ready = await client.get("/health/ready")
            return ready.is_success and int(ready.json()["hosts_online"]) > 0

    async def register(self, images: Sequence[Image], *, root: Path) -> list[str]:
        """Make known what is not known yet, by content; names of those that were new."""
        async with self._client() as client:
            known = {str(item["sha256"]) for item in await _all(client, "/v1/images")}
            fresh = [image for image in images if image.sha256 not in known]
            for image in fresh:
                body = {
                    "kind": image.kind,
                    "name": image.name,
                    "description": image.description,
                    "host_path": str(root / image.sha256),
                    "sha256": image.sha256,
                    "size": image.size_bytes,
                    "is_default": image.is_default,
                }
                _checked(await client.post("/v1/images", json=body))
            return [image.name for image in fresh]

    async def stop_vms(self) -> list[str]:
        """Stop every VM that is not off, and wait for each (60 seconds); names of those stopped."""
        async with self._client() as client:
            on = [vm for vm in await _all(client, "/v1/vms") if vm["state"] not in _OFF]
            for vm in on:
                _checked(await client.post(f"/v1/vms/{vm['id']}/stop", params={"wait": 60}))
            return [str(vm["name"]) for vm in on]

    @asynccontextmanager
    async def _client(self) -> AsyncGenerator[httpx.AsyncClient]:
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            async with httpx.AsyncClient(
                base_url=self.url, headers=headers, timeout=_PATIENCE_S, trust_env=False
            ) as client:
                yield client
        except httpx.TransportError as silent:
            why = str(silent) or type(silent).__name__
            raise CannotStart(f"the manager at {self.url} does not answer: {why}") from silent


_OFF = ("stopped", "error", "deleting")


async def running_machines(agent_socket: Path) -> int | None:
    """How many machines run on this host; None when its agent does not answer."""
    transport = httpx.AsyncHTTPTransport(uds=str(agent_socket))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://agent", timeout=5) as client:
            items = _items(await client.get("/v1/machines"))
    except (httpx.TransportError, CannotStart):
        return None
    return sum(item["power"] in ("on", "paused") for item in items)


async def _all(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    """Every page of a list."""
    found: list[dict[str, Any]] = []
    page: dict[str, Any] = {"limit": _PAGE}
    while True:
        answer = await client.get(path, params=page)
        found += _items(answer)
        cursor = _checked(answer).get("next_cursor")
        if cursor is None:
            return found
        page["cursor"] = cursor


def _items(answer: httpx.Response) -> list[dict[str, Any]]:
    return list(_checked(answer)["items"])


def _checked(answer: httpx.Response) -> dict[str, Any]:
    if not answer.is_success:
        raise CannotStart(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:500]}"
        )
    return dict(answer.json())
