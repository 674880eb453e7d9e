"""Snapshots in the browser, over machines that are simulated."""

import json
from pathlib import Path

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
    expect(page.get_by_role("tabpanel")).to_contain_text("Created snapshot before")
    expect(page.get_by_role("heading", level=1)).to_contain_text("running")

    page.get_by_role("tab", name="Snapshots").click()
    row.get_by_role("button", name="Delete before").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="No snapshots yet")).to_be_visible()
    page.get_by_role("tab", name="Activity").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("Deleted snapshot before")
    done = page.get_by_role("table", name="What was done to web-2")
    for verb in ("create", "delete"):
        expect(done.get_by_role("row").filter(has_text=verb).filter(has_text="before")).to_have_count(1)


def test_make_a_vm_from_a_snapshot_that_the_tab_links_to(visits: Visits, fleet: Installation) -> None:
    fleet.done("snapshot", "create", "web-3", "--name", "another")
    visitor = visits(fleet)
    page = visitor.page
    visitor.visit("/vms?q=web-1")
    page.get_by_role("link", name="web-1").click()
    page.get_by_role("tab", name="Snapshots").click()
    page.get_by_role("link", name="New VM from kept").click()
    page.wait_for_url("**/vms/create?snapshot=*")
    choice = page.get_by_role("radio", name="kept")
    expect(choice).to_be_checked()
    expect(page.get_by_role("group", name="Snapshot")).to_contain_text("of web-1")
    expect(page.get_by_text("nexus snapshot restore kept", exact=True)).to_be_visible()
    create = page.get_by_role("button", name="Create VM")

    name = page.get_by_label("Name", exact=True)
    name.fill("a")
    expect(create).to_have_attribute("aria-disabled", "true")
    name.fill("web-1")
    create.click()
    expect(page.get_by_role("alert").filter(has_text="web-1")).to_be_visible()
    expect(name).to_have_attribute("aria-invalid", "true")
    page.reload()
    expect(choice).to_be_checked()
    name.fill("from-kept")
    expect(page.get_by_text("nexus snapshot restore kept from-kept", exact=True)).to_be_visible()
    page.get_by_label("Description").fill("to look")
    expect(
        page.get_by_text("nexus snapshot restore kept from-kept --description 'to look'", exact=True)
    ).to_be_visible()
    expect(page.get_by_text('{"name":"from-kept","description":"to look"}')).to_be_visible()
    for sought, others in (("no such name", 0), ("", 1)):  # what is typed meanwhile stays, and what is chosen
        page.get_by_label("Search snapshots").fill(sought)
        expect(page.get_by_role("radio", name="another")).to_have_count(others)
        expect(name).to_have_value("from-kept")
        expect(choice).to_be_checked()
    page.get_by_role("radio", name="another").check()
    expect(page.get_by_text("nexus snapshot restore another from-kept", exact=False)).to_be_visible()
    choice.check()
    expect(name).to_have_value("from-kept")
    create.click()
    head = page.get_by_role("heading", level=1)
    expect(head).to_contain_text("from-kept")
    expect(head).to_contain_text("running")

    visitor.visit("/snapshots?q=kept")
    row = page.get_by_role("row", name="kept")
    expect(row).to_contain_text("completed")
    row.get_by_role("link", name="web-1").click()
    page.get_by_role("tab", name="Snapshots").click()
    page.get_by_role("row", name="kept").get_by_role("link", name="from-kept").click()
    expect(head).to_contain_text("from-kept")
    assert json.loads(fleet.done("vm", "show", "from-kept", "-o", "json"))["description"] == "to look"
    fleet.done("vm", "delete", "from-kept", "--yes")
    fleet.done("snapshot", "delete", "another", "--yes")


def test_a_snapshot_that_is_not_there_says_so_and_another_can_be_chosen(visits: Visits, fleet: Installation) -> None:
    visitor = visits(fleet)
    page = visitor.page
    visitor.visit("/vms/create?snapshot=00000000-0000-7000-8000-00000000dead")
    expect(page.get_by_role("alert").filter(has_text="snapshot")).to_be_visible()
    create = page.get_by_role("button", name="Create VM")
    expect(create).to_have_attribute("aria-disabled", "true")
    page.get_by_label("Search snapshots").fill("no such name")
    expect(page.get_by_role("radio")).to_have_count(0)
    page.get_by_label("Search snapshots").fill("kep")
    page.get_by_role("radio", name="kept").check()
    expect(create).not_to_have_attribute("aria-disabled", "true")
    expect(page.get_by_role("alert").filter(has_text="snapshot")).to_have_count(0)


def test_a_diff_is_taken_over_another_which_stays_as_long_as_it_does(visits: Visits, fleet: Installation) -> None:
    visitor = visits(fleet)
    page = visitor.page
    visitor.visit("/vms?q=web-1")
    page.get_by_role("link", name="web-1").click()
    page.get_by_role("tab", name="Snapshots").click()
    page.get_by_role("button", name="Take snapshot").click()
    page.get_by_label("Name").fill("since")
    page.get_by_label("Type").select_option("Diff")
    page.get_by_label("Parent").select_option(label="kept (current)")
    page.get_by_role("dialog").get_by_role("button", name="Take snapshot").click()
    row = page.get_by_role("row", name="since")
    expect(row).to_contain_text("Diff over kept")
    expect(row).to_contain_text("completed")
    parent = page.get_by_role("button", name="Delete kept")
    expect(parent).to_have_attribute("aria-disabled", "true")
    parent.hover()
    expect(page.get_by_role("tooltip")).to_contain_text("since")
    fleet.done("snapshot", "delete", "since", "--yes")
    expect(row).to_have_count(0)
    expect(parent).not_to_have_attribute("aria-disabled", "true")


def test_export_a_snapshot_and_import_it_again(visits: Visits, fleet: Installation, tmp_path: Path) -> None:
    visitor = visits(fleet)
    page = visitor.page
    visitor.visit("/snapshots?q=kept")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Export kept").click()
    archive = tmp_path / "archive.tar"
    downloading.value.save_as(archive)
    assert downloading.value.suggested_filename == "kept.tar"

    page.get_by_role("button", name="Import").click()
    dialog = page.get_by_role("dialog", name="Import a snapshot")
    start = dialog.get_by_role("button", name="Import")
    expect(start).to_have_attribute("aria-disabled", "true")
    dialog.get_by_label("Archive").set_input_files(archive)
    name = dialog.get_by_label("Name")
    name.fill("kept")
    start.click()
    expect(dialog.get_by_role("alert")).to_contain_text("kept")
    name.fill("kept-again")
    start.click()
    expect(dialog).to_have_count(0)
    row = page.get_by_role("row", name="kept-again")
    expect(row).to_contain_text("imported")
    expect(row).to_contain_text("completed")
    row.get_by_role("link", name="New VM from kept-again").click()
    expect(page.get_by_role("radio", name="kept-again")).to_be_checked()
    fleet.done("snapshot", "delete", "kept-again", "--yes")


def test_an_import_that_is_cancelled_is_not_sent_on(visits: Visits, fleet: Installation, tmp_path: Path) -> None:
    visitor = visits(fleet)
    page = visitor.page
    archive = tmp_path / "archive.tar"
    archive.write_bytes(bytes(1 << 20))
    page.route("**/v1/snapshots/import*", lambda _: None)  # nobody answers
    visitor.visit("/snapshots")
    page.get_by_role("button", name="Import").click()
    dialog = page.get_by_role("dialog", name="Import a snapshot")
    dialog.get_by_label("Archive").set_input_files(archive)
    dialog.get_by_role("button", name="Import").click()
    expect(dialog.get_by_role("progressbar")).to_be_visible()
    with page.expect_event("requestfailed", lambda request: "/v1/snapshots/import" in request.url):
        dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)


def test_an_icon_says_its_name_and_a_snapshot_gets_another_one(visits: Visits, fleet: Installation) -> None:
    fleet.done("snapshot", "create", "web-3", "--name", "unnamed")
    visitor = visits(fleet)
    page = visitor.page
    visitor.visit("/snapshots?q=unnamed")
    edit = page.get_by_role("button", name="Edit unnamed")
    edit.hover()
    expect(page.get_by_role("tooltip")).to_have_text("Edit unnamed")
    edit.click()
    dialog = page.get_by_role("dialog", name="Edit unnamed")
    expect(page.get_by_role("tooltip")).to_have_count(0)
    dialog.get_by_label("Name").fill("kept")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("kept")
    dialog.get_by_label("Name").fill("unnamed-no-more")
    dialog.get_by_label("Description").fill("to look at")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("row", name="unnamed-no-more")).to_contain_text("to look at")
    fleet.done("snapshot", "delete", "unnamed-no-more", "--yes")


def test_keeping_only_the_newest_says_what_goes(visits: Visits, fleet: Installation) -> None:
    fleet.done("snapshot", "create", "web-3", "--name", "older")
    visitor = visits(fleet)
    page = visitor.page
    visitor.visit("/vms?q=web-3")
    page.get_by_role("link", name="web-3").click()
    page.get_by_role("tab", name="Snapshots").click()
    page.get_by_role("button", name="Take snapshot").click()
    dialog = page.get_by_role("dialog")
    take = dialog.get_by_role("button", name="Take snapshot")
    dialog.get_by_label("Name").fill("newest")
    keep = dialog.get_by_label("Keep only the newest")
    keep.fill("none")
    expect(take).to_have_attribute("aria-disabled", "true")
    keep.fill("1")
    expect(dialog).to_contain_text("One older snapshot of this VM is deleted")
    take.click()
    expect(page.get_by_role("row", name="newest")).to_contain_text("completed")
    expect(page.get_by_role("row", name="older")).to_have_count(0)
    fleet.done("vm", "clone", "web-3", "web-3-twin")
    page.get_by_role("tabpanel").get_by_role("link", name="web-3-twin").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("web-3-twin")
    fleet.done("vm", "delete", "web-3-twin", "--yes")
    fleet.done("snapshot", "delete", "newest", "--yes")


def test_on_a_phone_nothing_is_beyond_the_edge(visits: Visits, fleet: Installation) -> None:
    visitor = visits(fleet, size=(360, 740))
    page = visitor.page
    visitor.visit("/snapshots?q=kept")
    page.get_by_role("link", name="web-1", exact=True).click()
    page.wait_for_url("**/vms/*")
    visitor.visit(f"{page.url.removeprefix(visitor.base)}?tab=snapshots")
    for seen in (
        page.get_by_role("tab", name="Snapshots"),
        page.get_by_role("link", name="New VM from kept"),
        page.get_by_role("button", name="Delete kept"),
    ):
        expect(seen).to_be_in_viewport(ratio=0.9)
