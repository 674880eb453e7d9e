"""From an empty installation to a command's output in a real guest, in the browser, and back."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.cli.installation import Installation, installed
from tests.ui.conftest import PATIENCE_MS, Visits

from nexus.local.images import Store

pytestmark = pytest.mark.vm

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def site(session_tmp: Path, built_images: Store) -> Iterator[Installation]:
    home = session_tmp / "uiwalk"
    home.mkdir(mode=0o711)
    with installed(home, built_images, AGENT_VMM="qemu") as made:
        yield made


def test_create_use_edit_stop_and_delete_a_machine(visits: Visits, site: Installation) -> None:
    page = visits(site).page
    expect(page.get_by_role("heading", name="Your cloud is running")).to_be_visible()
    page.get_by_role("link", name="Create VM").click()
    page.get_by_label("Name").fill("web-1")
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Password", exact=True).fill("correct horse")
    page.get_by_role("button", name=re.compile("Review")).click()
    expect(page.get_by_text("nexus vm create web-1 --password-stdin")).to_be_visible()
    page.get_by_role("button", name="Create VM").click()
    head = page.get_by_role("heading", level=1)
    expect(head).to_contain_text("web-1")
    expect(head).to_contain_text("running")

    page.get_by_role("tab", name="Terminal").click()
    terminal = page.get_by_role("region", name="Shell 1 on web-1")
    expect(terminal).to_contain_text("connected")
    expect(terminal).to_contain_text("root@web-1")
    page.keyboard.type("echo $((6*7))-from-the-guest\n")
    expect(terminal).to_contain_text("42-from-the-guest")

    page.get_by_role("tab", name="Metrics").click()
    expect(page.get_by_role("heading", name="Memory")).to_be_visible()
    expect(page.get_by_role("tabpanel")).to_contain_text(re.compile(r"used\s*\d+(\.\d)? %"))

    page.get_by_role("tab", name="Overview").click()
    page.get_by_role("button", name="Reveal").click()
    expect(page.get_by_text("correct horse")).to_be_visible()
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Description").fill("made by hand")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("made by hand")

    page.get_by_role("button", name="Stop").click()
    expect(head).to_contain_text("stopped")
    page.get_by_role("tab", name="Activity").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("Stopped web-1")
    page.get_by_role("button", name="More for web-1").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url("**/vms")
    expect(page.get_by_role("heading", name="No virtual machines yet")).to_be_visible()
