"""axe over every page and dialog, in both themes: WCAG 2.2 AA."""

from pathlib import Path
from typing import Any

import pytest
from tests.cli.installation import Installation
from tests.ui.conftest import Visitor, Visits

AXE = (Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js").read_text
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

PAGES = {
    "/dashboard": "Dashboard",
    "/vms": "Virtual machines",
    "/vms?view=cards": "Virtual machines",
    "/vms?q=nothing-like-this": "Virtual machines",
    "/vms/create": "Create a VM",
    "/vms/create?step=sign-in": "Create a VM",
    "/vms/create?step=machine": "Create a VM",
    "/vms/create?step=boot": "Create a VM",
    "/vms/create?step=review": "Create a VM",
    "/vms/create?from=snapshot": "Create a VM",
    "/snapshots": "Snapshots",
    "/snapshots?q=nothing-like-this": "Snapshots",
    "/images": "Images",
    "/templates": "Templates",
    "/hosts": "Hosts",
    "/operations": "Operations",
    "/activity": "Activity",
    "/settings": "Settings",
    "/help": "Help",
}


AT_REST = """() => Promise.allSettled(
  document.getAnimations()
    .filter(({ effect }) => effect.getComputedTiming().endTime !== Infinity)
    .map(({ finished }) => finished)
)"""
"""All that fades or moves in has arrived: half transparent text has another contrast."""


def violations(visitor: Visitor) -> list[str]:
    """What axe finds on the page once it has come to rest, each with the elements it is about."""
    visitor.page.wait_for_load_state("networkidle")
    visitor.page.evaluate(AT_REST)
    visitor.page.evaluate(AXE())
    found: list[dict[str, Any]] = visitor.page.evaluate(
        "rules => axe.run(document, { runOnly: rules }).then(({ violations }) => violations)", RULES
    )
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_page_is_accessible(visits: Visits, fleet: Installation, theme: str) -> None:
    visitor = visits(fleet, theme=theme)
    found: dict[str, list[str]] = {}
    for path, title in PAGES.items():
        visitor.visit(path)
        visitor.page.get_by_role("heading", level=1, name=title).wait_for()
        found[path] = violations(visitor)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_tab_and_dialog_of_a_vm_is_accessible(visits: Visits, fleet: Installation, theme: str) -> None:
    visitor = visits(fleet, theme=theme)
    page = visitor.page
    found: dict[str, list[str]] = {}
    visitor.visit("/vms?q=web-1")
    page.get_by_role("link", name="web-1").click()
    for tab in ("Overview", "Config", "Storage", "Network", "Snapshots", "Console", "Metrics", "Activity"):
        page.get_by_role("tab", name=tab).click()
        page.get_by_role("tabpanel", name=tab).wait_for()
        found[tab] = violations(visitor)
    page.get_by_role("tab", name="Snapshots").click()
    for opens, dialog in (
        ("Take snapshot", "Take a snapshot of web-1"),
        ("Roll back to kept", "Roll web-1 back to kept?"),
    ):
        page.get_by_role("button", name=opens).click()
        page.get_by_role("dialog", name=dialog).wait_for()
        found[dialog] = violations(visitor)
        page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Take snapshot").click()
    page.get_by_label("Type").select_option("Diff")
    page.get_by_label("Parent").wait_for()
    found["diff"] = violations(visitor)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="More for web-1").click()
    page.get_by_role("menuitem", name="Clone").click()
    page.get_by_role("dialog", name="Clone web-1").wait_for()
    found["clone"] = violations(visitor)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("tab", name="Overview").click()
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("dialog").wait_for()
    found["edit"] = violations(visitor)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="More for web-1").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog", name="Delete web-1?").wait_for()
    found["confirm"] = violations(visitor)
    page.get_by_role("button", name="Cancel").click()
    visitor.visit("/snapshots")
    page.get_by_role("button", name="Import").click()
    page.get_by_role("dialog", name="Import a snapshot").wait_for()
    found["import"] = violations(visitor)
    page.get_by_role("button", name="Cancel").click()
    page.keyboard.press("Control+k")
    page.get_by_role("dialog", name="Search or do something").wait_for()
    found["palette"] = violations(visitor)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
