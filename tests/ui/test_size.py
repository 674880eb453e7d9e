"""How much JavaScript a page needs before it can be used, as the manager sends it: packed.

What a page loads later (palette, menus, charts, terminals) is not named in its HTML and does not count here.
"""

import re
from collections.abc import Iterator

import pytest

from nexus.manager.ui.site import Site

LIST_BYTES = 190_000
WIZARD_BYTES = 220_000

_SCRIPT = re.compile(r'<script[^>]*\ssrc="(?P<path>/[^"]+)"(?P<rest>[^>]*)>')


def _first_load(path: str) -> Iterator[tuple[str, int]]:
    """Each script that the page names, and its bytes on the way; not those for browsers without modules."""
    site = Site.packaged()
    assert site is not None, "the web UI has not been built: make build-dev"
    page = site.find(path)
    assert page is not None, f"there is no page {path}"
    for script in _SCRIPT.finditer(page.content.decode()):
        if "noModule" in script["rest"]:
            continue
        file = site.find(script["path"])
        assert file is not None, f"{path} names {script['path']}, which is not there"
        yield script["path"], len(file.packed or file.content)


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/dashboard", LIST_BYTES),
        ("/vms", LIST_BYTES),
        ("/vms/any-id", LIST_BYTES),
        ("/snapshots", LIST_BYTES),
        ("/images", LIST_BYTES),
        ("/templates", LIST_BYTES),
        ("/hosts", LIST_BYTES),
        ("/operations", LIST_BYTES),
        ("/activity", LIST_BYTES),
        ("/settings", LIST_BYTES),
        ("/help", LIST_BYTES),
        ("/login", LIST_BYTES),
        ("/vms/create", WIZARD_BYTES),
    ],
)
def test_a_page_needs_little_javascript_before_it_can_be_used(path: str, most: int) -> None:
    scripts = dict(_first_load(path))
    largest = sorted(scripts.items(), key=lambda one: -one[1])
    assert scripts, f"{path} names no script: is the page still found as this test finds it?"
    assert sum(scripts.values()) <= most, f"{sum(scripts.values())} bytes: {largest}"
