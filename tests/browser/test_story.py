"""The whole story in a browser: a sheet comes in, is mended, confirmed, ordered, and its results come back."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.models import Cell
from tests.browser.sheets import misspelt
from tests.program import SAMPLES
from tests.served import serving

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from batch_orders.models import Sheet
    from tests.browser.windows import Windows
    from tests.program import Program

_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# A file that is dropped, as a browser hands it over.
_DROPPED = """([name, type, text]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const dropped = new DataTransfer();
  dropped.items.add(new File([bytes], name, { type }));
  return dropped;
}"""


def test_a_sheet_of_errors_becomes_orders(windows: Windows, program: Program, tmp_path: Path) -> None:
    """By link and file chooser; one cell is mended by typing, one by its button; what is mended is what is ordered."""
    original = read_sheet(SAMPLES / "mixed-errors.csv")
    with serving(program, "--sandbox") as served:
        page = windows.open(served, served.link)
        expect(page).to_have_url(f"{served.url}/")
        page.locator("#file").set_input_files(SAMPLES / "mixed-errors.csv")
        expect(page.locator("h1")).to_have_text("10 of 28 orders are ready")

        page.locator("#D14").click()
        box = page.get_by_label("Phone number, row 14")
        expect(box).to_be_focused()
        box.fill("+49 30 23125 105")
        box.press("Enter")
        expect(page.locator("h1")).to_have_text("11 of 28 orders are ready")
        page.locator(".cell:has(> #I19)").get_by_role("button", name="Use DE").click()
        expect(page.locator("h1")).to_have_text("12 of 28 orders are ready")

        corrected = read_sheet(_downloaded(page, "Download the corrected sheet", tmp_path))
        assert corrected.path.name == "mixed-errors.corrected.csv"
        assert _changes(original, corrected) == {"D14": "+49 30 23125 105", "I19": "DE"}

        page.get_by_role("link", name="Continue with 12 orders").click()
        expect(page.locator(".sentence")).to_contain_text("Place 12 orders")
        _place(page, "Place 12 orders")
        # Too little stock was a warning only, and Device Hub does not take the order.
        expect(page.locator("h1")).to_have_text("11 of 12 orders are placed, 1 refused")
        results = read_sheet(_downloaded(page, "Download the results", tmp_path))
    ordered = _by_status(results)["ordered"]
    assert _by_status(results)["rejected"].keys() == {"low.stock@example.com"}
    assert {"bad.phone@example.com", "named.country@example.com"} <= ordered.keys()
    assert len(ordered) == len(set(ordered.values())) == 11


def test_a_workbook_is_dropped_and_mended_at_once(windows: Windows, program: Program, tmp_path: Path) -> None:
    """By drag and drop; one click mends a title in all its rows and can be undone; the results are a workbook."""
    sheet = misspelt(tmp_path)
    with serving(program, "--sandbox") as served:
        page = windows.open(served, served.link)
        expect(page).to_have_url(f"{served.url}/")
        text = base64.b64encode(sheet.read_bytes()).decode()
        dropped = page.evaluate_handle(_DROPPED, [sheet.name, _SHEET, text])
        for happens in ("dragenter", "dragover", "drop"):
            page.locator(".drop").dispatch_event(happens, {"dataTransfer": dropped})
        expect(page.locator("h1")).to_have_text(re.compile(r"\d+ of 26 orders are ready"))

        before = page.locator("h1").inner_text()
        mend = page.get_by_role("button", name=re.compile(r"^Use .* for all 3 rows$")).first
        mend.click()
        expect(page.locator("h1")).to_have_text("All 26 orders are ready")
        page.get_by_role("button", name=re.compile("^Undo")).click()
        expect(page.locator("h1")).to_have_text(before)
        mend.click()
        expect(page.locator("h1")).to_have_text("All 26 orders are ready")

        page.get_by_role("link", name="Continue with 26 orders").click()
        _place(page, "Place 26 orders")
        expect(page.locator("h1")).to_have_text("All 26 orders are placed")
        results = read_sheet(_downloaded(page, "Download the results", tmp_path))
    assert results.path.suffix == ".xlsx"
    ordered = _by_status(results)["ordered"]
    assert len(ordered) == len(set(ordered.values())) == 26
    titles = set(_column(results, "Product title"))
    assert titles == set(_column(read_sheet(SAMPLES / "new-hires.xlsx"), "Product title"))


def _place(page: Page, act: str) -> None:
    page.get_by_label("Yes, order these at the sandbox").check()
    page.get_by_role("button", name=act).click()


def _downloaded(page: Page, link: str, folder: Path) -> Path:
    with page.expect_download() as coming:
        page.get_by_role("link", name=link).click()
    path = folder / coming.value.suggested_filename
    coming.value.save_as(path)
    return path


def _changes(before: Sheet, after: Sheet) -> dict[str, str]:
    assert before.headers == after.headers
    assert before.row_numbers == after.row_numbers
    cells = [Cell(row, column) for row in before.row_numbers for column in range(1, len(before.headers) + 1)]
    return {str(cell): after.text(cell) for cell in cells if after.text(cell) != before.text(cell)}


def _column(sheet: Sheet, header: str) -> list[str]:
    return [str(text) for text in sheet.frame[sheet.headers.index(header)]]


def _by_status(results: Sheet) -> dict[str, dict[str, str]]:
    """By status, each person's order number."""
    found: dict[str, dict[str, str]] = {}
    columns = (_column(results, name) for name in ("order_status", "Email", "order_number"))
    for status, email, number in zip(*columns, strict=True):
        if email:
            found.setdefault(status, {})[email] = number
    return found
