"""The page without a mouse: everything is reached with Tab, and where the focus is can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.browser.sheets import wave
from tests.served import serving

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browser.windows import Windows
    from tests.program import Program

_MOST_TABS = 80
# Where the focus is, and whether that can be seen: an outline around it, or (a file's input) around its label.
_FOCUS = """() => {
  const at = document.activeElement;
  const shown = at.matches("input[type=file]") ? at.closest(".choose").querySelector("label") : at;
  const style = getComputedStyle(shown);
  const box = shown.getBoundingClientRect();
  const middle = [box.left + Math.min(box.width, innerWidth) / 2, box.top + Math.min(box.height, 40) / 2];
  const top = document.elementFromPoint(...middle);
  return {
    name: at.id || at.textContent.trim() || at.name,
    tag: at.tagName.toLowerCase(),
    outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    hidden: !top || !(shown.contains(top) || top.contains(shown) || at.contains(top)),
  };
}"""


def test_from_the_link_to_the_placed_order(windows: Windows, program: Program, tmp_path: Path) -> None:
    """A title is mended by its button, a number by typing, and the orders are placed, all by keys alone."""
    with serving(program, "--sandbox") as served:
        page = windows.open(served, served.link)
        expect(page).to_have_url(f"{served.url}/")
        _tab_to(page, "file")
        page.locator("#file").set_input_files(wave(tmp_path, people=3, slips=True))
        expect(page.locator("h1")).to_have_text("2 of 3 orders are ready")

        _tab_to(page, "J5")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#K5")).to_be_focused()
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#J5")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Product title, row 5")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#J5")).to_be_focused()
        _tab_to(page, "Use Logitech MX Master 3S Wireless Mouse")
        page.keyboard.press("Space")
        expect(page.locator("h1")).to_have_text("All 3 orders are ready")
        _is_somewhere(page)

        _tab_to(page, "show-all", back=True)
        page.keyboard.press("Enter")
        expect(page.locator("#show-all")).to_be_focused()
        _tab_to(page, "A5")  # a cell without a finding is reached from its row's first
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Quantity, row 5")).to_be_focused()
        page.keyboard.type("2")  # what stood there is selected
        page.keyboard.press("Enter")
        expect(page.locator("#K5")).to_be_focused()
        expect(page.locator("#K5")).to_have_text("2 (mended)")

        _tab_to(page, "Continue with 3 orders")
        page.keyboard.press("Enter")
        expect(page.locator(".sentence")).to_contain_text("Place 3 orders")
        _tab_to(page, "sure")
        page.keyboard.press("Space")
        _tab_to(page, "Place 3 orders")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("All 3 orders are placed")
        _tab_to(page, "Download the results")


def test_a_mended_row_leaves_and_the_focus_stays(windows: Windows, program: Program, tmp_path: Path) -> None:
    """Where a mend takes its row out of sight, the focus goes on to the next row that needs work, never to nowhere."""
    with serving(program, "--sandbox") as served:
        page = windows.open(served, served.link)
        expect(page).to_have_url(f"{served.url}/")
        page.locator("#file").set_input_files(wave(tmp_path, slips=True))
        expect(page.locator("h1")).to_have_text("22 of 26 orders are ready")
        page.locator("#J5").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Product title, row 5")).to_be_focused()
        page.keyboard.type("Logitech MX Master 3S Wireless Mouse")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("23 of 26 orders are ready")
        expect(page.locator("#I12")).to_be_focused()
        _is_somewhere(page)


def _tab_to(page: Page, name: str, *, back: bool = False) -> None:
    """Press Tab until this has the focus; each stop on the way can be seen."""
    for _ in range(_MOST_TABS):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        focus: dict[str, Any] = page.evaluate(_FOCUS)
        if focus["tag"] == "body":
            continue  # the browser's own stop, at the end of the page
        assert focus["outline"] >= 2, focus
        assert not focus["hidden"], focus
        if focus["name"] == name or page.evaluate("document.activeElement.name") == name:
            return
    raise AssertionError(f"“{name}” is not reached by Tab")


def _is_somewhere(page: Page) -> None:
    assert page.evaluate("document.activeElement.tagName") != "BODY"
