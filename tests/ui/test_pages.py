"""Finding one's way: deep links, reload, back and forward, the session's end, and changes that show by themselves."""

import os
import signal
import time

from playwright.sync_api import expect
from tests.cli.installation import Installation
from tests.ui.conftest import PATIENCE_MS, Visits

expect.set_options(timeout=PATIENCE_MS)


def test_a_deep_link_survives_signing_in_and_a_reload(visits: Visits, fleet: Installation) -> None:
    visitor = visits(fleet)
    page = visitor.page
    page.context.clear_cookies()
    visitor.visit("/vms?state=stopped&sort=name")
    page.wait_for_url("**/login?next=*")
    page.get_by_label("User name").fill("root")
    page.get_by_label("Password").fill("root")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/vms?state=stopped&sort=name")
    expect(page.get_by_role("link", name="db-1")).to_be_visible()
    expect(page.get_by_role("link", name="web-1")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("link", name="db-1")).to_be_visible()
    expect(page.get_by_label("State")).to_have_value("stopped")


def test_wrong_credentials_are_told_in_words(visits: Visits, fleet: Installation) -> None:
    visitor = visits(fleet)
    page = visitor.page
    page.context.clear_cookies()
    visitor.visit("/login")
    page.get_by_label("User name").fill("root")
    page.get_by_label("Password").fill("not this")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("wrong", ignore_case=True)


def test_back_and_forward_go_between_a_list_and_its_machines(visits: Visits, fleet: Installation) -> None:
    visitor = visits(fleet)
    page = visitor.page
    visitor.visit("/vms?sort=name")
    page.get_by_role("link", name="web-1").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("web-1")
    page.go_back()
    page.get_by_role("link", name="web-2").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("web-2")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Virtual machines")
    page.go_forward()
    expect(page.get_by_role("heading", level=1)).to_contain_text("web-2")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_contain_text("web-2")


def test_what_is_not_there_says_so(visits: Visits, fleet: Installation) -> None:
    visitor = visits(fleet)
    page = visitor.page
    visitor.visit("/vms/00000000-0000-7000-8000-00000000dead")
    expect(page.get_by_role("heading", name="There is no such VM")).to_be_visible()
    visitor.visit("/vms/not-an-id")
    expect(page.get_by_role("heading", name="There is no such VM")).to_be_visible()
    visitor.visit("/no/such/page")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()


def test_a_change_made_elsewhere_shows_by_itself(visits: Visits, fleet: Installation) -> None:
    visitor = visits(fleet)
    page = visitor.page
    visitor.visit("/vms?q=web-3")
    row = page.get_by_role("row", name="web-3")
    expect(row).to_contain_text("running")
    fleet.done("vm", "stop", "web-3")
    expect(row).to_contain_text("stopped")
    fleet.done("vm", "start", "web-3")
    expect(row).to_contain_text("running")


def test_many_are_stopped_at_once_and_a_refused_verb_says_why(visits: Visits, fleet: Installation) -> None:
    visitor = visits(fleet)
    page = visitor.page
    visitor.visit("/vms?q=web-&sort=name")
    for name in ("web-1", "web-2"):
        page.get_by_label(f"Choose {name}").check()
    bar = page.get_by_role("region", name="Chosen VMs")
    expect(bar).to_contain_text("2 chosen")
    resume = bar.get_by_role("button", name="Resume")
    expect(resume).to_have_attribute("aria-disabled", "true")
    resume.hover()
    expect(page.get_by_role("tooltip")).to_contain_text("web-1")
    bar.get_by_role("button", name="Stop").click()
    for name in ("web-1", "web-2"):
        expect(page.get_by_role("row", name=name)).to_contain_text("stopped")
    bar.get_by_role("button", name="Start").click()
    for name in ("web-1", "web-2"):
        expect(page.get_by_role("row", name=name)).to_contain_text("running")


def test_the_palette_goes_and_acts(visits: Visits, fleet: Installation) -> None:
    visitor = visits(fleet)
    page = visitor.page
    page.keyboard.press("Control+k")
    page.get_by_placeholder("A page, a VM").fill("pause web-2")
    page.get_by_role("option", name="Pause web-2").click()
    visitor.visit("/vms?q=web-2")
    expect(page.get_by_role("row", name="web-2")).to_contain_text("paused")
    page.get_by_role("button", name="More for web-2").click()
    page.get_by_role("menuitem", name="Resume", exact=True).click()
    expect(page.get_by_role("row", name="web-2")).to_contain_text("running")
    page.keyboard.press("g")
    page.keyboard.press("h")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hosts")


def test_the_dashboard_finds_what_there_is_and_acts_on_it(visits: Visits, fleet: Installation) -> None:
    page = visits(fleet).page
    resources = page.get_by_role("region", name="All resources")
    expect(resources.get_by_role("row", name="web-1")).to_be_visible()
    resources.get_by_label("Search VMs").fill("db")
    expect(resources.get_by_role("row", name="web-1")).to_have_count(0)
    row = resources.get_by_role("row", name="db-1")
    expect(row).to_contain_text("stopped")
    row.get_by_role("button", name="Start db-1").click()
    expect(row).to_contain_text("running")
    row.get_by_role("button", name="Stop db-1").click()
    expect(row).to_contain_text("stopped")
    resources.get_by_role("link", name="All", exact=True).click()
    page.wait_for_url("**/vms?q=db")


def test_no_page_is_wider_than_a_phone(visits: Visits, fleet: Installation) -> None:
    visitor = visits(fleet, size=(390, 844))
    page = visitor.page
    too_wide: dict[str, int] = {}

    def measure(what: str) -> None:
        page.wait_for_load_state("networkidle")
        width: int = page.evaluate("document.documentElement.scrollWidth")
        if width > 390:
            too_wide[what] = width

    others = ("/snapshots", "/images", "/templates", "/hosts", "/operations", "/settings")
    for path in ("/dashboard", "/vms", "/vms/create", "/vms/create?from=snapshot", *others):
        visitor.visit(path)
        page.get_by_role("heading", level=1).wait_for()
        measure(path)
    visitor.visit("/vms?q=web-1")
    page.get_by_role("link", name="web-1").click()
    for tab in ("Overview", "Config", "Storage", "Network", "Snapshots", "Terminal", "Metrics", "Activity"):
        page.get_by_role("tab", name=tab).click()
        page.get_by_role("tabpanel", name=tab).wait_for()
        measure(tab)
    assert too_wide == {}


def test_an_open_page_survives_a_manager_that_restarts(visits: Visits, fleet: Installation) -> None:
    visitor = visits(fleet)
    page = visitor.page
    visitor.visit("/vms?q=db-1")
    row = page.get_by_role("row", name="db-1")
    expect(row).to_contain_text("stopped")
    os.kill(fleet.pid_of("manager"), signal.SIGKILL)
    fleet_is_back(fleet)
    fleet.done("vm", "start", "db-1")
    expect(row).to_contain_text("running")
    fleet.done("vm", "stop", "db-1")
    expect(row).to_contain_text("stopped")
    visitor.troubles.clear()  # the browser reports the connections that it lost meanwhile


def test_another_language_is_spoken_everywhere_and_kept(visits: Visits, fleet: Installation) -> None:
    visitor = visits(fleet)
    page = visitor.page
    visitor.visit("/settings")
    page.get_by_label("Language").select_option("de")
    expect(page.get_by_role("navigation", name="Hauptmenü")).to_contain_text("Virtuelle Maschinen")
    visitor.visit("/vms?q=db-1")
    expect(page.get_by_role("heading", level=1)).to_have_text("Virtuelle Maschinen")
    expect(page.get_by_role("row", name="db-1")).to_contain_text("gestoppt")
    visitor.visit("/vms/create?step=machine")
    expect(page.get_by_label("Speicher (MiB)")).to_have_value("512")
    visitor.visit("/snapshots")
    expect(page.get_by_role("row", name="kept")).to_contain_text("Speicher und Platten")
    expect(page.locator("html")).to_have_attribute("lang", "de")


def test_a_tab_survives_an_upgrade_and_says_so(visits: Visits, fleet: Installation) -> None:
    visitor = visits(fleet)
    page = visitor.page
    visitor.visit("/vms?q=db-1")
    expect(page.get_by_role("row", name="db-1")).to_be_visible()
    upgraded = "<!DOCTYPE html><!--another-build--><html></html>"
    page.route("**/login", lambda route: route.fulfill(content_type="text/html", body=upgraded))
    os.kill(fleet.pid_of("manager"), signal.SIGKILL)
    notice = page.get_by_role("alert").filter(has_text="Nexus has been upgraded")
    expect(notice).to_be_visible()
    expect(page.get_by_role("row", name="db-1")).to_be_visible()
    fleet_is_back(fleet)
    notice.get_by_role("button", name="Reload").click()
    expect(notice).to_have_count(0)
    expect(page.get_by_role("row", name="db-1")).to_be_visible()
    visitor.troubles.clear()  # the browser reports the connections that it lost meanwhile


def fleet_is_back(fleet: Installation) -> None:
    deadline = time.monotonic() + 60
    while fleet.nexus("vm", "list").returncode != 0:
        assert time.monotonic() < deadline
        time.sleep(0.2)
