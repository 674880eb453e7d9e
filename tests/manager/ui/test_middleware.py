"""The UI beside the API: who answers which path."""

from collections.abc import AsyncIterator

import httpx
import pytest

from nexus.manager.app import create_app
from nexus.manager.ui.site import Site
from nexus.manager.wiring import ROUTERS

SITE = Site({"index.html": b"front", "404.html": b"no page", "vms.html": b"vms" * 1000})


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(ROUTERS, site=SITE))
    async with httpx.AsyncClient(transport=transport, base_url="http://nexus") as client:
        yield client


async def test_pages_need_nobody_signed_in(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/vms")
    assert (answer.status_code, answer.content) == (200, b"vms" * 1000)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_page_that_has_not_changed_is_not_sent_again(browser: httpx.AsyncClient) -> None:
    etag = (await browser.get("/vms")).headers["etag"]
    again = await browser.get("/vms", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


async def test_head_tells_the_same_without_the_page(browser: httpx.AsyncClient) -> None:
    got, head = await browser.get("/vms"), await browser.head("/vms")
    assert head.status_code == 200
    assert head.headers["etag"] == got.headers["etag"]


async def test_an_unknown_page_is_404_and_a_page(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/nowhere", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.content) == (404, b"no page")


async def test_who_wants_no_page_is_told_of_an_unknown_path_in_the_apis_shape(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/nowhere")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


@pytest.mark.parametrize("path", ["/v1", "/v1/nothing", "/v1/vms/", "/health/nothing"])
async def test_an_unknown_path_of_the_api_is_answered_in_its_own_shape(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"]


@pytest.mark.parametrize(
    ("asked", "told"), [("/vms/", "/vms"), ("//example.org/", "/example.org"), ("/vms/?q=1", "/vms?q=1")]
)
async def test_a_slash_at_the_end_leads_to_the_page_and_never_elsewhere(
    browser: httpx.AsyncClient, asked: str, told: str
) -> None:
    answer = await browser.get(f"http://nexus{asked}")
    assert (answer.status_code, answer.headers["location"]) == (308, told)


async def test_only_reading_is_the_uis(browser: httpx.AsyncClient) -> None:
    assert (await browser.post("/vms")).status_code in (404, 405)


async def test_without_a_built_site_the_front_page_is_the_apis() -> None:
    transport = httpx.ASGITransport(create_app(ROUTERS, site=None))
    async with httpx.AsyncClient(transport=transport, base_url="http://nexus") as client:
        answer = await client.get("/")
    assert answer.headers["location"] == "swagger-ui/"
