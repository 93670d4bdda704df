"""The second person's yes, in two browsers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.sheets import wave
from tests.browser.team import add, signed_in
from tests.program import Program
from tests.served import serving

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browser.windows import Windows


def test_nothing_is_ordered_without_a_second_yes(windows: Windows, tmp_path: Path) -> None:
    """Asked, approved, void after a change, approved anew, placed: and only ever what the second person has seen."""
    users = str(tmp_path / "users.json")
    program = Program(tmp_path, {"approval": "required", "users_file": users, "rate": "200/s"})
    for name, role in (("uma", "uploader"), ("ada", "approver")):
        add(program, name, role)
    with serving(program, "--sandbox") as served:
        uma, ada = signed_in(windows, served, "uma"), signed_in(windows, served, "ada")
        uma.locator("#file").set_input_files(wave(tmp_path, people=3))
        uma.get_by_role("link", name="Continue with 3 orders").click()
        expect(uma.get_by_role("button", name="Place 3 orders")).to_have_count(0)
        uma.get_by_role("button", name="Ask for approval").click()
        expect(uma.get_by_text("You asked for approval")).to_be_visible()

        _approve(ada)
        uma.reload()
        expect(uma.get_by_text("Approved by ada")).to_be_visible()
        expect(uma.get_by_role("button", name="Place 3 orders")).to_be_visible()

        uma.get_by_role("link", name="Back to the review").click()
        uma.get_by_role("link", name="All rows").click()
        uma.locator("#K2").click()
        uma.get_by_label("Quantity, row 2").fill("2")
        uma.get_by_role("button", name="Save").click()
        expect(uma.get_by_text("(mended)")).to_be_visible()
        uma.get_by_role("link", name="Continue with 3 orders").click()
        expect(uma.get_by_text("It has to be approved anew")).to_be_visible()
        expect(uma.get_by_role("button", name="Place 3 orders")).to_have_count(0)
        uma.get_by_role("button", name="Ask for approval").click()
        expect(uma.get_by_text("You asked for approval")).to_be_visible()

        _approve(ada)
        uma.reload()
        uma.get_by_label("Yes, order these at the sandbox").check()
        uma.get_by_role("button", name="Place 3 orders").click()
        expect(uma.locator("h1")).to_have_text("All 3 orders are placed")
        expect(uma.locator(".meaning")).to_contain_text("by uma, approved by ada")


def test_a_no_with_a_word(windows: Windows, tmp_path: Path) -> None:
    """Declined with a reason that the uploader reads, mended, asked again, approved: the story stays with the sheet."""
    program = Program(tmp_path, {"approval": "required", "users_file": str(tmp_path / "users.json")})
    for name, role in (("uma", "uploader"), ("ada", "approver")):
        add(program, name, role)
    with serving(program, "--sandbox") as served:
        uma, ada = signed_in(windows, served, "uma"), signed_in(windows, served, "ada")
        uma.locator("#file").set_input_files(wave(tmp_path, people=3))
        uma.get_by_role("link", name="Continue with 3 orders").click()
        uma.get_by_role("button", name="Ask for approval").click()
        expect(uma.get_by_text("You asked for approval")).to_be_visible()

        ada.goto("/runs")
        ada.get_by_role("link", name="new-hires.csv").click()
        ada.get_by_text("Decline it").click()
        ada.get_by_label("Why?").fill("one mouse is enough")
        ada.get_by_role("button", name="Decline 3 orders").click()
        expect(ada.get_by_role("button", name="Approve 3 orders")).to_have_count(0)

        uma.goto("/")
        expect(uma.get_by_text("Declined by ada")).to_be_visible()
        uma.get_by_role("link", name="new-hires.csv").click()
        expect(uma.locator(".message.warn")).to_contain_text("ada did not approve it: “one mouse is enough”")
        uma.get_by_role("link", name="All rows").click()
        uma.locator("#K2").click()
        uma.get_by_label("Quantity, row 2").fill("2")
        uma.get_by_role("button", name="Save").click()
        expect(uma.get_by_text("(mended)")).to_be_visible()
        uma.get_by_role("link", name="Continue with 3 orders").click()
        uma.get_by_role("button", name="Ask again").click()
        expect(uma.get_by_text("You asked for approval")).to_be_visible()

        _approve(ada)
        ada.get_by_text("What was said of it").click()
        expect(ada.get_by_text("ada declined it: “one mouse is enough”")).to_be_visible()
        uma.reload()
        expect(uma.get_by_role("button", name="Place 3 orders")).to_be_visible()


def _approve(page: Page) -> None:
    page.goto("/runs")
    expect(page.get_by_role("link", name="Runs (1 to approve)")).to_be_visible()
    page.get_by_role("link", name="new-hires.csv").click()
    page.get_by_role("button", name="Approve 3 orders").click()
    expect(page.get_by_text("Approved by ada")).to_be_visible()
