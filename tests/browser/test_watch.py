"""What watches the windows sees what it is there for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.windows import at_desk
from tests.program import Program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.windows import Desk, Windows

_ASK = "fetch('http://hub.example.com/').catch(() => null)"
_STYLE = "document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">')"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One page for all of these."""
    with at_desk(Program(tmp_path_factory.mktemp("watch")), "--sandbox") as made:
        yield made


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("console.error('broken')", "console: broken"),
        ("setTimeout(() => { throw new Error('thrown') })", "exception: thrown"),
        (_ASK, "console: forbidden by connect-src"),
        (_STYLE, "console: forbidden by style-src"),
        ("location.assign('http://hub.example.com/')", "request to another host: http://hub.example.com/"),
    ],
)
def test_nothing_goes_unseen(windows: Windows, desk: Desk, script: str, told: str) -> None:
    """An error, an exception, what the policy forbids and a request to elsewhere are each noted."""
    page = windows.open(desk)
    assert windows.watch.wrong == []
    page.evaluate(script)
    page.locator("body").wait_for()
    page.wait_for_timeout(100)  # what comes late belongs to the next line
    assert any(told in said for said in windows.watch.wrong)
    windows.watch.allow(".*")
