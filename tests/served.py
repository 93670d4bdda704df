"""The page as its users meet it: `batch-orders serve` in a process of its own, and a browser's manners over httpx.

with serving(program, "--sandbox") as page:
visitor = page.enter()                      # by the one-time link
sheet = visitor.upload(SAMPLES / "new-hires.csv")
visitor.post(f"/sheets/{sheet}/mend", row=2, column=1, after="ana@example.com")
"""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.program import Process, Program

# Seconds that anything here may take: the machine may be busy.
PATIENCE = 60.0
_LOOK = 0.1


class Visitor:
    """Somebody with a browser: cookies are kept, and forms carry the page's own token."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False, headers={"accept": "text/html"})
        self.csrf = ""

    def get(self, path: str, **options: Any) -> httpx.Response:
        """A page, redirects followed; its token is kept."""
        response = self.client.get(path, follow_redirects=True, **options)
        if found := re.search(r'name="csrf" value="([0-9a-f]{64})"', response.text):
            self.csrf = found[1]
        return response

    def post(self, path: str, *, follow: bool = True, **fields: object) -> httpx.Response:
        """A form of the page, sent."""
        data = {"csrf": self.csrf} | {name: str(value) for name, value in fields.items()}
        return self.client.post(path, data=data, follow_redirects=follow)

    def send(self, name: str, content: bytes) -> httpx.Response:
        """An upload, as it is answered."""
        return self.client.post("/sheets", data={"csrf": self.csrf}, files={"file": (name, content)})

    def upload(self, sheet: Path) -> str:
        """Upload a sheet and wait until it was looked through; its id."""
        response = self.send(sheet.name, sheet.read_bytes())
        assert response.status_code == 303, response.text
        draft = response.headers["location"].removeprefix("/sheets/")
        self.review(draft)
        return str(draft)

    def review(self, draft: str, query: str = "") -> httpx.Response:
        """The review page, when it is there."""
        return self.until(f"/sheets/{draft}{query}", lambda response: "data-again" not in response.text)

    def confirm(self, draft: str) -> tuple[httpx.Response, str]:
        """The confirm page, and the fingerprint of what it would order."""
        response = self.until(f"/sheets/{draft}/confirm", lambda response: "data-again" not in response.text)
        found = re.search(r'name="fingerprint" value="([0-9a-f]{64})"', response.text)
        return response, found[1] if found else ""

    def order(self, draft: str, **fields: object) -> str:
        """Confirm everything and place it; the run's id."""
        _, fingerprint = self.confirm(draft)
        response = self.post(f"/sheets/{draft}/order", follow=False, fingerprint=fingerprint, sure="yes", **fields)
        assert response.status_code == 303, response.text
        return str(response.headers["location"].removeprefix("/runs/"))

    def ended(self, run: str) -> httpx.Response:
        """The run's page, when it has ended."""
        return self.until(f"/runs/{run}", lambda response: "data-events" not in response.text)

    def until(self, path: str, holds: Any) -> httpx.Response:
        """The page, as soon as this holds of it."""
        until = time.monotonic() + PATIENCE
        while True:
            response = self.get(path)
            if holds(response):
                return response
            assert time.monotonic() < until, response.text
            time.sleep(_LOOK)


@dataclass(frozen=True)
class Served:
    """A page that is running."""

    url: str
    link: str
    process: Process
    visitors: list[Visitor] = field(default_factory=list)

    def visitor(self) -> Visitor:
        """Somebody who is not let in yet."""
        self.visitors.append(Visitor(self.url))
        return self.visitors[-1]

    def raw(self, request: bytes, *, patience: float = PATIENCE) -> bytes:
        """What is answered to these very bytes, until the page closes the connection; `HOST` stands for its name."""
        place = urlsplit(self.url)
        assert place.hostname is not None
        with socket.create_connection((place.hostname, place.port), timeout=patience) as connection:
            connection.sendall(request.replace(b"HOST", place.netloc.encode()))
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    def enter(self) -> Visitor:
        """Whoever started the page, by the one-time link."""
        visitor = self.visitor()
        assert visitor.get(self.link).status_code == 200
        visitor.get("/")
        return visitor

    def log_in(self, name: str, password: str) -> Visitor:
        """Somebody of a team."""
        visitor = self.visitor()
        response = visitor.client.post("/login", data={"name": name, "password": password})
        assert response.status_code == 303, response.text
        visitor.get("/")
        return visitor


@contextmanager
def serving(program: Program, *arguments: str, end: signal.Signals = signal.SIGTERM) -> Iterator[Served]:
    """The page for as long as the block lasts; it is ended as an operator ends it, and has to end well."""
    process = program.start("serve", "--port", "0", "--json", *arguments)
    page = None
    try:
        announced = _announced(process)
        page = Served(url=announced["url"], link=announced["link"], process=process)
        yield page
        process.send_signal(end)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == (0 if end is signal.SIGTERM else -end), process.returncode
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
        for visitor in page.visitors if page else ():
            visitor.client.close()


def _announced(process: Process) -> Mapping[str, str]:
    assert process.stdout is not None
    lines = ""
    while not lines.endswith("}\n"):
        line = process.stdout.readline()
        assert line, f"the page did not start: {process.communicate()[1]}"
        lines += line
    found: dict[str, str] = json.loads(lines)
    return found
