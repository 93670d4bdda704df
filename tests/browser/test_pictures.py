"""The pictures of docs/page.md: made anew with --pictures, and otherwise only to see that they can be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.sheets import wave
from tests.browser.windows import NARROW, at_desk

if TYPE_CHECKING:
    import pytest
    from playwright.sync_api import Page

    from tests.browser.windows import Windows
    from tests.program import Program

_DOCS = Path(__file__).parents[2] / "docs"
_MOST_BYTES = 150_000
_SIZE = {"width": 1240, "height": 760}
_NAMES = ("upload", "review", "review-dark", "review-narrow", "confirm", "run", "results", "settle")


def test_pictures(windows: Windows, program: Program, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Each step as somebody sees it who orders for a wave of new hires."""
    is_kept = request.config.getoption("--pictures")
    folder = _DOCS / "pictures" if is_kept else tmp_path / "pictures"
    program.settings["rate"] = "5/s"
    program.settings["concurrency"] = "1"
    faults = ("--seed", "5", "--fault", "422_plain=0.1", "--fault", "close_after_placing=0.1")
    with at_desk(program, "--sandbox", *faults) as desk:
        page = windows.open(desk, viewport=_SIZE)
        _take(page, folder / "upload.png")
        page.locator("#file").set_input_files(wave(tmp_path, slips=True))
        expect(page.locator("h1")).to_have_text("22 of 26 orders are ready")
        _take(page, folder / "review.png")
        review = page.url
        _take(windows.open(desk, review, viewport=_SIZE, color_scheme="dark"), folder / "review-dark.png")
        _take(windows.open(desk, review, viewport=NARROW), folder / "review-narrow.png")
        page.get_by_role("link", name="Continue with 22 orders").click()
        page.get_by_label("Yes, order these at the sandbox").check()
        _take(page, folder / "confirm.png")
        page.get_by_role("button", name="Place 22 orders").click()
        page.locator("section[aria-labelledby=failed] tbody tr").first.wait_for()
        _take(page, folder / "run.png")
        expect(page.get_by_role("link", name="Download the results")).to_be_visible()
        _take(page, folder / "results.png")
        page.get_by_role("link", name="To settle").first.click()
        expect(page.locator("h1")).to_contain_text("for a person")
        _take(page, folder / "settle.png")
    pictures = {picture.stem: picture.stat().st_size for picture in folder.glob("*.png")}
    assert pictures.keys() == set(_NAMES)
    assert max(pictures.values()) < _MOST_BYTES, pictures


def test_the_walk_through_shows_each_picture() -> None:
    """docs/page.md shows every picture that is there, and none that is not."""
    text = (_DOCS / "page.md").read_text(encoding="utf-8")
    shown = {name for name in _NAMES if f"pictures/{name}.png" in text}
    assert shown == set(_NAMES) == {picture.stem for picture in (_DOCS / "pictures").glob("*.png")}


def _take(page: Page, path: Path) -> None:
    page.mouse.move(0, 0)
    page.screenshot(path=path, animations="disabled", caret="hide")
