"""Snapshots in the browser, over machines that are simulated."""

from playwright.sync_api import expect
from tests.cli.installation import Installation
from tests.ui.conftest import PATIENCE_MS, Visits

expect.set_options(timeout=PATIENCE_MS)


def test_take_a_snapshot_and_go_back_to_it(visits: Visits, fleet: Installation) -> None:
    visitor = visits(fleet)
    page = visitor.page
    visitor.visit("/vms?q=web-2")
    page.get_by_role("link", name="web-2").click()
    page.get_by_role("tab", name="Snapshots").click()
    expect(page.get_by_role("heading", name="No snapshots yet")).to_be_visible()
    page.get_by_role("button", name="Take snapshot").click()
    page.get_by_label("Name").fill("before")
    page.get_by_role("dialog").get_by_role("button", name="Take snapshot").click()
    row = page.get_by_role("row", name="before")
    expect(row).to_contain_text("completed")
    expect(row).to_contain_text("memory and disks")
    expect(row).to_contain_text("current")

    row.get_by_role("button", name="Roll back to before").click()
    question = page.get_by_role("dialog", name="Roll web-2 back to before?")
    expect(question).to_contain_text("are lost")
    question.get_by_role("button", name="Roll back").click()
    page.get_by_role("tab", name="Activity").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("Rolled back web-2")
    expect(page.get_by_role("heading", level=1)).to_contain_text("running")

    page.get_by_role("tab", name="Snapshots").click()
    row.get_by_role("button", name="Delete before").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="No snapshots yet")).to_be_visible()
