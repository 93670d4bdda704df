"""Typing into the grid: nothing that was typed is lost, however fast somebody goes from cell to cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.windows import at_desk
from tests.orders import TITLE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.windows import Windows
    from tests.program import Program

_HEADERS = (
    "Email,First name,Last name,Phone number,Shipping address,City,State / province,ZIP,Country,Product title,Quantity"
)


def _sheet(folder: Path, *quantities: str) -> Path:
    lines = [_HEADERS]
    for number, quantity in enumerate(quantities):
        person = f"p{number}@example.com,Ana,Sample{number},+1 212 555 014{number},1 Main Street"
        lines.append(f"{person},New York,NY,10001,US,{TITLE},{quantity}")
    path = folder / "typing.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_cells_are_mended_one_right_after_the_other(windows: Windows, program: Program, tmp_path: Path) -> None:
    """Enter, and at once the next cell; and a cell that is left without Enter: all three hold what was typed."""
    with at_desk(program, "--sandbox") as desk:
        draft = desk.visitor.upload(_sheet(tmp_path, "one", "two", "three"))
        page = windows.open(desk, f"/sheets/{draft}")
        page.locator("#K2").click()
        page.locator(".edit input[name=after]").fill("11")
        page.keyboard.press("Enter")
        page.locator("#K3").click()
        page.locator(".edit input[aria-label='Quantity, row 3']").fill("12")
        page.locator("#K4").click()  # without Enter
        page.locator(".edit input[aria-label='Quantity, row 4']").fill("13")
        page.locator("h1").click()
        expect(page.locator("h1")).to_have_text("All 3 orders are ready")
        mended = desk.visitor.client.get(f"/sheets/{draft}/file").text.splitlines()[1:]
        assert [line.rpartition(",")[2] for line in mended] == ["11", "12", "13"]


def test_escape_gives_up_what_was_typed(windows: Windows, program: Program, tmp_path: Path) -> None:
    """The cell is as it was, and nothing was saved on the way."""
    with at_desk(program, "--sandbox") as desk:
        draft = desk.visitor.upload(_sheet(tmp_path, "one", "2"))
        page = windows.open(desk, f"/sheets/{draft}")
        page.locator("#K2").click()
        page.locator(".edit input[name=after]").fill("11")
        page.keyboard.press("Escape")
        expect(page.locator("#K2")).to_have_text("one")
        expect(page.locator("h1")).to_have_text("1 of 2 orders is ready")
