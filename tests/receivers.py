"""Who is told how a job ended, on real sockets: a mail server, a monitor that is pinged, and servers that are no good.

with mail_server() as mails, web_server() as posts:
    …                                       # notify = mails.address, ping_url = f"{posts.url}/ping/uuid"
    mails.received[0].text, posts.received[0].path
"""

from __future__ import annotations

import email
import http.server
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from typing import TYPE_CHECKING, Any, NamedTuple

from aiosmtpd.controller import Controller

if TYPE_CHECKING:
    from collections.abc import Iterator


class Mail(NamedTuple):
    """A message as its reader sees it."""

    to: str
    subject: str
    text: str


class Post(NamedTuple):
    """A request; `target` is as it was asked for, so a whole address where it was asked of a proxy."""

    target: str
    body: str


@dataclass
class Mails:
    """What the mail server was given; `address` is apprise's, for mail to hr@example.com."""

    address: str = ""
    received: list[Mail] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a mail in."""
        mail = email.message_from_bytes(envelope.content, policy=policy.default)
        part = mail.get_body(("plain", "html"))
        assert part is not None
        self.received.append(Mail(to=mail["To"], subject=mail["Subject"], text=part.get_content()))
        return "250 taken"


@dataclass
class Posts:
    """What the web server was asked."""

    url: str = ""
    received: list[Post] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [post.target for post in self.received]


@contextmanager
def mail_server() -> Iterator[Mails]:
    """A mail server that takes everything."""
    mails = Mails()
    port = free_port()
    controller = Controller(mails, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        mails.address = f"mailto://127.0.0.1:{port}?from=orders@example.com&to=hr@example.com"
        yield mails
    finally:
        controller.stop()


@contextmanager
def web_server(*statuses: int) -> Iterator[Posts]:
    """A web server that answers with each of these in turn, and then with 200."""
    posts, answers = Posts(), list(statuses)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            posts.received.append(Post(self.path, body))
            self.send_response(answers.pop(0) if answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Not on the tests' stderr."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        posts.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield posts
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def slow_server() -> Iterator[int]:
    """The port of a server that says a byte now and then, for as long as anybody listens, and never a whole line."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)

        def answer(connection: socket.socket) -> None:
            with connection:
                while not ended.wait(0.2):
                    try:
                        connection.sendall(b"2")
                    except OSError:
                        return

        def accept() -> None:
            threads = []
            while not ended.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                threads.append(threading.Thread(target=answer, args=(connection,)))
                threads[-1].start()
            for thread in threads:
                thread.join()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            ended.set()
            accepting.join()


def free_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
