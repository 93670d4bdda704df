"""People of a team, who log in."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.windows import Windows
    from tests.program import Program
    from tests.served import Served

_PASSWORD = "correct horse battery staple"


def add(program: Program, name: str, role: str) -> None:
    """Enter somebody in the users file."""
    subprocess.run(
        [*program.command, "user", "add", name, "--role", role, "--quiet"],
        input=f"{_PASSWORD}\n",
        text=True,
        check=True,
        cwd=program.folder,
        env=program.environment(),
    )


def signed_in(windows: Windows, served: Served, name: str) -> Page:
    """A window of somebody who has logged in."""
    page = windows.open(served)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text(f"{name}, ")).to_be_visible()
    return page
