"""A browser, its windows, and pages to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser import windows as parts
from tests.browser.windows import Windows
from tests.program import Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for these tests, and not for others: while it is there, they could not run an event loop."""
    expect.set_options(timeout=parts.PATIENCE)
    with sync_playwright() as playwright:
        chromium = parts.launched(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's source."""
    return parts.axe()


@pytest.fixture
def windows(browser: Browser) -> Iterator[Windows]:
    """Windows of that browser, watched until the test's end."""
    opened = Windows(browser)
    yield opened
    opened.close()


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program in a folder of its own, sending fast."""
    return Program(tmp_path, {"rate": "200/s", "concurrency": "4"})
