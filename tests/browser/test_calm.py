"""Nothing on the page moves by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.sheets import wave
from tests.browser.windows import at_desk
from tests.program import SAMPLES

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browser.windows import Windows
    from tests.program import Program

# A shift below this sum is what browsers call good.
_CALM = 0.1
_WATCH = """window.shifts = 0;
new PerformanceObserver((list) => { for (const each of list.getEntries()) { window.shifts += each.value; } })
  .observe({ type: "layout-shift", buffered: true });"""
_SHIFTS = """() => new Promise((tell) => requestAnimationFrame(() => setTimeout(() => tell(window.shifts), 50)))"""
_HIDDEN = """() => [...document.querySelectorAll(".scroll .told, .scroll .picks")].filter((one) =>
  one.getBoundingClientRect().right > one.closest(".scroll").getBoundingClientRect().right)
  .map((one) => one.textContent)"""
_MOVES = """() => [...document.querySelectorAll("*")].flatMap((one) => ["", "::before", "::after"].map((part) => {
  const { transitionDuration, animationName } = getComputedStyle(one, part || null);
  const long = transitionDuration.split(",").some((text) => parseFloat(text) > 0);
  return long || animationName !== "none" ? `${one.tagName}${part}` : null;
})).filter(Boolean)"""


def test_nothing_shifts(windows: Windows, program: Program, tmp_path: Path) -> None:
    """Neither while a page is loaded, nor (beyond its growing list) while a run is watched."""
    program.settings["rate"] = "5/s"
    with at_desk(program, "--sandbox") as desk:
        page = windows.open(desk, None)
        page.add_init_script(_WATCH)
        mixed, ready = desk.visitor.upload(SAMPLES / "mixed-errors.csv"), desk.visitor.upload(wave(tmp_path, people=12))
        for path in ("/", f"/sheets/{mixed}", f"/sheets/{mixed}?show=all&columns=all", f"/sheets/{ready}/confirm"):
            page.goto(path)
            page.wait_for_load_state("networkidle")
            _is_calm(page, path)
        page.goto(f"/runs/{desk.visitor.order(ready)}")
        page.locator("section[aria-labelledby=newest] tbody tr").nth(8).wait_for()
        _is_calm(page, "live")
        expect(page.locator("h1")).to_have_text("All 12 orders are placed")
        for path in ("/runs", "/waiting", page.url):
            page.goto(path)
            page.wait_for_load_state("networkidle")
            _is_calm(page, path)


@pytest.mark.parametrize("sheet", ["mixed-errors.csv", "Q4-hires.csv"])
def test_no_finding_hides_beyond_an_edge(windows: Windows, program: Program, tmp_path: Path, sheet: str) -> None:
    """However wide the window is, all that is told of a cell stands within the grid that opens first."""
    wave(tmp_path, slips=True)
    folder = tmp_path if sheet == "Q4-hires.csv" else SAMPLES
    with at_desk(program, "--sandbox") as desk:
        page = windows.open(desk, f"/sheets/{desk.visitor.upload(folder / sheet)}")
        for width in (1920, 1280, 1240, 1232, 1200, 1000, 800, 660, 400, 320):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(_HIDDEN) == [], width


def test_reduced_motion(windows: Windows, program: Program) -> None:
    """Who asks for no motion gets none; who does not gets no animation that goes on."""
    with at_desk(program, "--sandbox") as desk:
        sheet = desk.visitor.upload(SAMPLES / "mixed-errors.csv")
        page = windows.open(desk, f"/sheets/{sheet}", reduced_motion="reduce")
        assert page.evaluate(_MOVES) == []


def _is_calm(page: Page, where: str) -> None:
    shifts = page.evaluate(_SHIFTS)
    assert shifts < _CALM, f"{where}: {shifts}"
