"""Running the page: where it listens, who it lets in, and how it ends.

The first interrupt ends it as it ends a run on the command line: nothing new is sent, orders on their way are finished,
results are written, and then the page goes. A second one leaves at once; the ledger knows what was in flight.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from batch_orders.errors import UsageError
from batch_orders.messages import page as words
from batch_orders.web.access import Gatekeeping
from batch_orders.web.app import allowed_hosts, create_app
from batch_orders.web.drafts import Drafts
from batch_orders.web.judging import Judge
from batch_orders.web.live import LiveRuns
from batch_orders.web.page import Page
from batch_orders.web.people import LINK_NAME, UsersFile
from batch_orders.web.records import Records
from batch_orders.web.sessions import LoginLimit, OneTimeLink, Sessions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import uvicorn

    from batch_orders.web.sessions import Session
    from batch_orders.wiring import World

_INTERRUPTED = 6
_BACKLOG = 512
# Seconds: between two looks at whether the server lives, for answers to end, and between two sweeps of old uploads.
_LOOK = 0.2
_LAST_ANSWERS = 2
_SWEEP = 3600.0
# Seconds beyond the time limit of an order that is on its way: its verdict and the results are to be written.
_AFTER_THE_LAST = 30.0


class Serving:
    """The page of one world, listening at `host` and `port`.

    UsageError where it may not listen there, or cannot.
    """

    def __init__(self, world: World, *, host: str, port: int) -> None:
        settings = world.settings
        users = UsersFile(settings.users_file) if settings.users_file else None
        has_users = users is not None and bool(users.people())
        if not has_users and not _is_loopback(host):
            raise UsageError(words.nobody_may_come_in(host), hint=words.how_to_add_users())
        if settings.approval == "required" and not has_users:
            raise UsageError(words.nobody_to_approve(), hint=words.how_to_add_users())
        with world.ledger() as ledger:  # it is there, it is this account's, and it can be read
            folder = ledger.page_folder
        self._world = world
        self._closing = threading.Event()
        # As private as the ledger: sheets hold the same people.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(folder / "lock")
        self._bound = _listening(host, port)
        self._users = users if has_users else None
        self._link = None if has_users else OneTimeLink()
        self._sessions = Sessions(folder / "sessions.json")
        drafts = Drafts(folder)
        self._judge = Judge(world, drafts)
        self._live = LiveRuns(world, when_ended=self._judge.forget)
        keeping = Gatekeeping(
            hosts=allowed_hosts(host, settings.page_url),
            find=self._find,
            max_upload=settings.max_file_size,
            page_url=settings.page_url,
        )
        self._page = Page(
            world=world,
            drafts=drafts,
            judge=self._judge,
            live=self._live,
            records=Records(settings.limits),
            sessions=self._sessions,
            users=self._users,
            link=self._link,
            limit=LoginLimit(),
            keeping=keeping,
            needs_approval=settings.approval == "required",
            is_closing=self._closing.is_set,
        )
        shown = f"[{host}]" if ":" in host else host
        self.url = settings.page_url or f"http://{shown}:{self._bound.getsockname()[1]}"

    def link(self) -> str:
        """What whoever started the page opens: with a new one-time key, where there are no users."""
        return f"{self.url}/enter?key={self._link.renew()}" if self._link else f"{self.url}/"

    def run(self, announce: Callable[[], None]) -> None:
        """Serve until an interrupt; `announce` is called once, when the page answers. Call it from the main thread."""
        stop = threading.Event()

        def interrupted(*_: object) -> None:
            if stop.is_set():
                os._exit(_INTERRUPTED)  # what is in flight is `sending` in the ledger, and the next run finds it there
            stop.set()

        handled = (signal.SIGINT, signal.SIGTERM)
        previous = [signal.signal(each, interrupted) for each in handled]
        server = self._server()
        thread = threading.Thread(target=server.run, args=([self._bound],), name="page", daemon=True)
        try:
            with closing(self._bound):
                thread.start()
                self._await_start(server, thread)
                announce()
                self._watch(stop, thread)
                self._live.close(self._world.settings.timeout + _AFTER_THE_LAST)
                self._closing.set()
                server.should_exit = True
                thread.join()
        finally:
            self._judge.close()
            self._lock.release()
            for each, handler in zip(handled, previous, strict=True):
                signal.signal(each, handler)

    def _watch(self, stop: threading.Event, thread: threading.Thread) -> None:
        """Until an interrupt; old uploads go meanwhile."""
        since = _SWEEP
        while not stop.wait(_LOOK):
            since += _LOOK
            if since >= _SWEEP:
                since = 0.0
                self._page.drafts.sweep(self._world.settings.keep_uploads, but=self._live.drafts())
            if not thread.is_alive():
                raise RuntimeError("the page stopped by itself")

    def _await_start(self, server: uvicorn.Server, thread: threading.Thread) -> None:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the page did not start")
            thread.join(_LOOK / 10)

    def _server(self) -> uvicorn.Server:
        import uvicorn  # noqa: PLC0415 - costly

        proxy = self._world.settings.page_proxy
        config = uvicorn.Config(
            create_app(self._page),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            # An address in a header is a claim: it counts only from the proxy that the settings name.
            proxy_headers=proxy is not None,
            forwarded_allow_ips=[proxy] if proxy else [],
            backlog=_BACKLOG,
            timeout_graceful_shutdown=_LAST_ANSWERS,
        )
        return uvicorn.Server(config)

    def _find(self, token: str) -> Session | None:
        """The session of a token, unless its person has another password or role since, or is gone."""
        session = self._sessions.find(token) if token else None
        if session is None:
            return None
        if self._users is None:
            return session if session.fingerprint == LINK_NAME else None
        known = self._users.fingerprint(session.person.name)
        return session if known is not None and known == session.fingerprint else None


def _locked(path: Path) -> FileLock:
    """The lock of the one page that a ledger has; UsageError where another process holds it."""
    lock = FileLock(path, mode=0o600)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UsageError(words.page_is_running(), hint=words.how_to_run_one()) from None
    return lock


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listening(host: str, port: int) -> socket.socket:
    """A socket that has the port; UsageError where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise UsageError(words.no_port(host, port, error.strerror or ""), hint=words.how_to_choose_port()) from error
    return bound
