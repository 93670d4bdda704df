"""What waits for a person is settled with buttons, and shown as settled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.sheets import ANA, BEN, CHLOE, a_week_later, wave
from tests.browser.windows import at_desk

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.browser.windows import Desk, Windows
    from tests.program import Program


def test_unknown_orders(windows: Windows, program: Program, tmp_path: Path) -> None:
    """Of two orders without an answer one was placed (with its number) and one was not: both are settled."""
    with at_desk(program, "--sandbox", "--fault", "close_after_placing=1") as desk:
        page = _ordered(windows, desk, wave(tmp_path, people=2))
        expect(page.locator("h1")).to_have_text("0 of 2 orders are placed, 2 to settle")
        page.get_by_role("link", name="To settle (2)").click()
        expect(page.locator("h1")).to_have_text("2 orders wait for a person")
        _waits(page, ANA).get_by_label("under this order number").fill("174894512352")
        _looked_up(page, ANA)
        _waits(page, ANA).get_by_role("button", name="It was placed").click()
        expect(page.get_by_role("status")).to_contain_text("the order counts as ordered")
        _waits(page, BEN).get_by_label("Note: what you found, and where").fill("asked the vendor")
        _looked_up(page, BEN)
        _waits(page, BEN).get_by_role("button", name=re.compile("^Device Hub does not have it")).click()
        expect(page.get_by_role("status")).to_contain_text("The next run with its sheet sends it")
        expect(page.locator("h1")).to_have_text("Nothing waits for you")
        page.get_by_role("link", name="Runs").click()
        page.get_by_role("link", name="new-hires.csv").click()
        row = page.locator("tr", has_text=ANA)
        expect(row).to_contain_text("174894512352")
        expect(page.locator("tr", has_text=BEN).locator(".status")).to_contain_text("not sent")


def test_a_refused_order(windows: Windows, program: Program, tmp_path: Path) -> None:
    """An order that Device Hub refused is looked at and sent again as it is."""
    with at_desk(program, "--sandbox", "--fault", "422_plain=1") as desk:
        page = _ordered(windows, desk, wave(tmp_path, people=1))
        expect(page.locator("h1")).to_have_text("0 of 1 order is placed, 1 refused")
        page.get_by_role("link", name="To settle (1)").click()
        _waits(page, ANA).get_by_role("button", name="Look at it, mend it or send it again").click()
        page.get_by_role("link", name="Continue with 1 order").click()
        expect(page.get_by_text("Orders that Device Hub refused before are sent again as they are.")).to_be_visible()
        _place(page)
        expect(page.locator("h1")).to_have_text("0 of 1 order is placed, 1 refused")
        page.get_by_role("link", name="Runs", exact=True).click()
        expect(page.locator("tbody tr")).to_have_count(2)


def test_changed_and_held_orders(windows: Windows, program: Program, tmp_path: Path) -> None:
    """Of changed orders one is kept and one was cancelled; a held one is sent anyway: each is shown as done."""
    with at_desk(program, "--sandbox") as desk:
        sheet = wave(tmp_path, people=3)
        _ordered(windows, desk, sheet)
        page = _ordered(windows, desk, a_week_later(sheet))
        page.get_by_role("link", name="To settle (3)").click()
        expect(page.locator("h1")).to_have_text("3 orders wait for a person")
        _looked_up(page, ANA)
        _waits(page, ANA).get_by_role("button", name="Keep what the sheet says: send nothing").click()
        expect(page.get_by_role("status")).to_contain_text("what the sheet says now counts as ordered")
        _looked_up(page, CHLOE)
        _waits(page, CHLOE).get_by_label("Note: what you found, and where").fill("by mail, today")
        _waits(page, CHLOE).get_by_role("button", name="The vendor cancelled it: order it again").click()
        expect(page.get_by_role("status")).to_contain_text("The next run with its sheet orders it again")
        expect(page.locator("h1")).to_have_text("1 order waits for a person")
        _waits(page, BEN).get_by_label("Note: why it is right").fill("a second desk")
        _waits(page, BEN).get_by_role("button", name="Send it anyway: look at it and confirm").click()
        page.get_by_role("link", name="Continue with 1 order").click()
        expect(page.get_by_text("sent on purpose: a second desk")).to_be_visible()
        _place(page)
        expect(page.locator("h1")).to_have_text("The order is placed")
        page.get_by_role("link", name="To settle").click()
        expect(page.locator("h1")).to_have_text("Nothing waits for you")


@pytest.mark.parametrize("has_script", [True, False])
def test_what_is_wrong_stands_at_its_field(
    windows: Windows, program: Program, tmp_path: Path, has_script: bool
) -> None:
    """A number that another order has, or none: told beside it, with the focus there, and what was typed is kept."""
    windows.watch.allow("status of 40[09]")
    with at_desk(program, "--sandbox", "--fault", "close_after_placing=1") as desk:
        desk.visitor.ended(desk.visitor.order(desk.visitor.upload(wave(tmp_path, people=2))))
        page = windows.open(desk, "/waiting", java_script_enabled=has_script)
        _waits(page, ANA).get_by_label("under this order number").fill("174894512352")
        _looked_up(page, ANA)
        _waits(page, ANA).get_by_role("button", name="It was placed").click()
        expect(page.get_by_role("status")).to_contain_text("the order counts as ordered")

        _waits(page, BEN).get_by_label("Note: what you found, and where").fill("on the vendor's page")
        _looked_up(page, BEN)
        _waits(page, BEN).get_by_role("button", name="It was placed").click()
        number = _waits(page, BEN).get_by_label("under this order number")
        expect(number).to_have_accessible_description(re.compile("Write the order number that Device Hub has for it"))
        for wrong, told in (("174894512352", "belongs to another order"), ("two words", "in one word")):
            number.fill(wrong)
            _waits(page, BEN).get_by_role("button", name="It was placed").click()
            expect(number).to_have_accessible_description(re.compile(told))
            expect(number).to_have_value(wrong)
            expect(number).to_be_focused()
            expect(_waits(page, BEN).get_by_label("Note: what you found, and where")).to_have_value(
                "on the vendor's page"
            )
            expect(_waits(page, BEN).get_by_label("I looked this order up")).to_be_checked()
        number.fill("174894512353")
        _waits(page, BEN).get_by_role("button", name="It was placed").click()
        expect(page.locator("h1")).to_have_text("Nothing waits for you")


def test_times_are_told_in_one_way_with_their_zone(windows: Windows, program: Program, tmp_path: Path) -> None:
    """In the reader's zone and language, on every page the same; without script in UTC, which they say."""
    with at_desk(program, "--sandbox", "--fault", "close_after_placing=1") as desk:
        run = desk.visitor.order(desk.visitor.upload(wave(tmp_path, people=1)))
        desk.visitor.ended(run)
        for options, form in (
            ({"timezone_id": "Asia/Kolkata"}, r"\d{1,2} [A-Z][a-z]+ \d{4}, \d\d:\d\d (GMT\+5:30|IST)"),
            ({"java_script_enabled": False}, r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"),
        ):
            page = windows.open(desk, None, **options)
            for path in ("/", "/runs", f"/runs/{run}", "/waiting"):
                page.goto(path)
                times = page.locator("time").all_text_contents()
                assert times
                assert [time for time in times if not re.fullmatch(form, time)] == [], path


def _ordered(windows: Windows, desk: Desk, sheet: Path) -> Page:
    page = windows.open(desk, f"/sheets/{desk.visitor.upload(sheet)}/confirm")
    _place(page)
    expect(page.get_by_role("link", name="Download the results")).to_be_visible()
    return page


def _place(page: Page) -> None:
    page.get_by_label(re.compile("^Yes, order th")).check()
    page.get_by_role("button", name=re.compile("^Place ")).click()


def _looked_up(page: Page, email: str) -> None:
    _waits(page, email).get_by_label("I looked this order up at Device Hub").check()


def _waits(page: Page, email: str) -> Locator:
    return page.locator("article", has_text=email)
