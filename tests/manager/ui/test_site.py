"""Which file of the exported UI answers which path, and with which headers."""

import base64
import hashlib

import pytest

from nexus.manager.ui.site import Site

PAGE = b"<html><script>inline()</script><script src='/x.js'></script></html>"
FILES = {
    "index.html": PAGE,
    "404.html": b"<html>gone</html>",
    "vms.html": b"list",
    "vms.txt": b"list payload",
    "vms/create.html": b"create",
    "vms/_.html": b"detail",
    "vms/_.txt": b"detail payload",
    "functions/_/logs.html": b"logs",
    "_next/static/chunks/app/(shell)/vms/[id]/page.js": b"code" * 1000,
}


@pytest.fixture(scope="module")
def site() -> Site:
    return Site(FILES)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/", PAGE),
        ("/vms", b"list"),
        ("/vms.txt", b"list payload"),
        ("/vms/create", b"create"),
        ("/vms/0198-abc", b"detail"),
        ("/vms/0198-abc.txt", b"detail payload"),
        ("/vms/with%20space", b"detail"),
        ("/vms/a.b.c", b"detail"),
        ("/functions/f1/logs", b"logs"),
        ("/_next/static/chunks/app/(shell)/vms/%5Bid%5D/page.js", b"code" * 1000),
    ],
)
def test_a_path_is_answered_by_its_page(site: Site, path: str, content: bytes) -> None:
    file = site.find(path)
    assert file is not None
    assert file.content == content


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/vms/a/b",
        "/functions/f1",
        "//",
        "/vms//x",
        "/../etc/passwd",
        "/vms/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/_next/static/other.js",
        "/_next/_",
        "/functions/_",
    ],
)
def test_what_no_page_stands_for_is_not_found(site: Site, path: str) -> None:
    assert site.find(path) is None


def test_a_page_names_its_own_inline_scripts_and_no_others(site: Site) -> None:
    page = site.find("/")
    assert page is not None
    policy = page.headers["Content-Security-Policy"]
    own = base64.b64encode(hashlib.sha256(b"inline()").digest()).decode()
    assert f"script-src 'self' 'sha256-{own}';" in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]


def test_only_what_never_changes_is_kept_for_ever(site: Site) -> None:
    code, page = site.find("/_next/static/chunks/app/(shell)/vms/[id]/page.js"), site.find("/vms")
    assert code is not None
    assert page is not None
    assert "immutable" in code.headers["Cache-Control"]
    assert page.headers["Cache-Control"] == "no-cache"
    assert code.packed is not None
    assert len(code.packed) < len(code.content)
