"""What the supervisor asks of its own manager."""

import httpx
import pytest

from nexus.local.api import ManagerApi

API = ManagerApi("http://127.0.0.1:1", "token")


async def test_every_vm_is_stopped_however_many_pages_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {
        None: {"items": [{"id": "1", "name": "one", "state": "running"}], "next_cursor": "two"},
        "two": {"items": [{"id": "2", "name": "two", "state": "stopped"}], "next_cursor": "three"},
        "three": {"items": [{"id": "3", "name": "three", "state": "paused"}], "next_cursor": None},
    }
    stopped: list[str] = []

    async def manager(_transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            stopped.append(request.url.path)
            return httpx.Response(200, json={"ok": True}, request=request)
        return httpx.Response(200, json=pages[request.url.params.get("cursor")], request=request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", manager)
    assert await API.stop_vms() == ["one", "three"]
    assert stopped == ["/v1/vms/1/stop", "/v1/vms/3/stop"]
