"""Windows of a real browser onto the page, each of them watched.

    with at_desk(program) as desk:              # whoever started the page; all windows share their session
        page = windows.open(desk)               # a window of theirs
    windows.watch.allow("status of 404")        # what is an error, and meant

Whatever a window does that no page may do fails its test: an error on the console, an exception, something that the
content security policy forbids, and any request to another host than 127.0.0.1. That last one is the proof that
nothing leaves the machine but what the program itself sends to Device Hub.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.served import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page, Playwright

    from tests.program import Program
    from tests.served import Served, Visitor

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 360, "height": 740}
PATIENCE = 45_000  # milliseconds that anything here may take: the machine may be busy

_AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
_NAMES = ("chromium", "chromium-browser")
# No sandbox: tests run as root in containers. No look at anything outside: not by Chromium itself, nor by a page.
_MANNERS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)  # fmt: skip
_TELL = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`forbidden by ${event.violatedDirective}: ${event.blockedURI}`));"""


def launched(playwright: Playwright) -> Browser:
    """Debian's Chromium; without one the test is skipped, and on CI it fails."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        missing("Chromium is not installed (Debian: chromium)")
    return playwright.chromium.launch(executable_path=found, args=list(_MANNERS))


def axe() -> str:
    """axe-core's source; without it the test is skipped, and on CI it fails."""
    if not _AXE.is_file():
        missing("axe-core is not installed (npm ci --prefix tests/browser)")
    return _AXE.read_text(encoding="utf-8")


def missing(why: str) -> None:
    """Something that this test needs is not here: a reason to skip it, except on CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@dataclass
class Watch:
    """What windows did that they must not, but for what the test has allowed."""

    seen: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def allow(self, *patterns: str) -> None:
        """An error that this test is about, as a regular expression."""
        self.allowed += patterns

    def over(self, context: BrowserContext) -> None:
        """Watch every window of this context."""
        context.add_init_script(_TELL)
        context.on("console", lambda said: self._note(f"console: {said.text}") if said.type == "error" else None)
        context.on("weberror", lambda thrown: self._note(f"exception: {thrown.error}"))
        context.on("request", lambda request: self._asked(request.url))

    @property
    def wrong(self) -> list[str]:
        """What was not allowed."""
        return [said for said in self.seen if not any(re.search(pattern, said) for pattern in self.allowed)]

    def _asked(self, url: str) -> None:
        place = urlsplit(url)
        if place.scheme not in {"data", "blob", "about"} and place.hostname != "127.0.0.1":
            self._note(f"request to another host: {url}")

    def _note(self, what: str) -> None:
        self.seen.append(what)


@dataclass(frozen=True)
class Desk:
    """A page that is running, and somebody who is let in: by a browser's windows and over httpx alike."""

    served: Served
    visitor: Visitor

    @property
    def cookies(self) -> list[Any]:
        """Their session, as a browser's window has it."""
        jar = self.visitor.client.cookies.jar
        return [{"name": cookie.name, "value": cookie.value or "", "url": self.served.url} for cookie in jar]


@contextmanager
def at_desk(program: Program, *arguments: str, end: signal.Signals = signal.SIGTERM) -> Iterator[Desk]:
    """A page that is running, and whoever started it, let in."""
    with serving(program, *arguments, end=end) as served:
        visitor = served.enter()
        with closing(visitor.client):
            yield Desk(served, visitor)


@dataclass
class Windows:
    """The windows of one test."""

    browser: Browser
    watch: Watch = field(default_factory=Watch)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def open(self, desk: Desk | Served, path: str | None = "/", **options: Any) -> Page:
        """A window of a browser of its own, let in where that is somebody's desk, at a path (None: nowhere yet)."""
        served = desk.served if isinstance(desk, Desk) else desk
        options = {"viewport": WIDE, "base_url": served.url, "locale": "en-GB", "timezone_id": "UTC"} | options
        context = self.browser.new_context(**options)
        context.set_default_timeout(PATIENCE)
        self.watch.over(context)
        self._contexts.append(context)
        if isinstance(desk, Desk):
            context.add_cookies(desk.cookies)
        page = context.new_page()
        if path is not None:
            page.goto(path)
        return page

    def close(self) -> None:
        """Close them all; what they did that was not allowed fails the test."""
        for context in self._contexts:
            context.close()
        if self.watch.wrong:
            pytest.fail("\n".join(self.watch.wrong))
