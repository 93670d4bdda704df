"""Running a simulated Device Hub: in a thread beside the caller, or in the foreground.

Starlette and uvicorn are imported only when one is started, so that importing this package stays quick.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batch_orders.sandbox.options import SandboxOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import uvicorn

    from batch_orders.sandbox.state import PlacedOrder, State

_BACKLOG = 2048
# Seconds: to come up; for calls in flight to end when it stops; between looks at whether the server still lives.
_START_PATIENCE = 30.0
_STOP_PATIENCE = 1
_LOOK = 0.2


class PortError(OSError):
    """The host and port to listen at cannot be had: another program has them, say, or they need privileges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A simulated Device Hub that is running: where it is, who may log in, and what it was sent."""

    base_url: str
    client_id: str
    client_secret: str = field(repr=False)
    _state: State = field(repr=False)
    _thread: threading.Thread = field(repr=False)

    @property
    def orders(self) -> list[PlacedOrder]:
        """What was placed so far, oldest first: `order_number`, `placed_at` (UTC) and `body` as it came."""
        return self._state.orders

    @property
    def alive(self) -> bool:
        """Whether it still answers."""
        return self._thread.is_alive()

    @property
    def struck(self) -> dict[str, int]:
        """How often each fault struck so far, where it did."""
        return self._state.chance.struck

    def discontinue(self, product_title: str) -> None:
        """Take a title out of every inventory. Raises ValueError where none lists it."""
        from batch_orders.sandbox.refusals import Refusal  # noqa: PLC0415 -- as in _server

        try:
            self._state.discontinue(product_title)
        except Refusal:
            raise ValueError(f"no inventory lists {product_title!r}") from None

    def revoke_tokens(self) -> None:
        """No token issued so far holds any longer: calls answer 401, a refresh 403; logging in again works."""
        self._state.logins.revoke_all()


@contextmanager
def running(options: SandboxOptions | None = None) -> Iterator[Sandbox]:
    """A simulated Device Hub for as long as the `with` block lasts, in a thread of this process.

    It answers from the first line of the block on. Raises PortError where the port is taken.
    """
    from batch_orders.sandbox.state import State  # noqa: PLC0415 -- as in _server

    options = options or SandboxOptions()
    state = State(options)
    with _bound_socket(options.host, options.port) as bound:
        with _about_the_port():
            bound.listen(_BACKLOG)
        started = threading.Event()
        server = _server(state, started)
        thread = threading.Thread(target=server.run, args=([bound],), name="sandbox", daemon=True)
        thread.start()
        try:
            _await_start(thread, started)
            yield Sandbox(
                base_url=_base_url(options, bound.getsockname()[1]),
                client_id=options.client_id,
                client_secret=options.client_secret,
                _state=state,
                _thread=thread,
            )
        finally:
            server.should_exit = True
            thread.join()


def serve(options: SandboxOptions, announce: Callable[[Sandbox], None]) -> None:
    """Run a simulated Device Hub until SIGINT or SIGTERM, then return; call it from the main thread only.

    `announce` is called once, when it answers. Raises PortError where the port is taken, RuntimeError where it breaks.
    """
    stop = threading.Event()
    handled = (signal.SIGINT, signal.SIGTERM)
    previous = [signal.signal(each, lambda *_: stop.set()) for each in handled]
    try:
        with running(options) as sandbox:
            announce(sandbox)
            while not stop.wait(_LOOK):
                if not sandbox.alive:
                    raise RuntimeError("the simulated Device Hub stopped by itself")
    finally:
        for each, handler in zip(handled, previous, strict=True):
            signal.signal(each, handler)


def _bound_socket(host: str, port: int) -> socket.socket:
    """A socket that has a port and does not listen yet: who connects is refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named, as socket.create_server does not: answers
    # on a kept-alive connection would each take 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with _about_the_port():
            bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound


@contextmanager
def _about_the_port() -> Iterator[None]:
    """What the system refuses here is the port."""
    try:
        yield
    except OSError as error:
        raise PortError(error.errno, error.strerror) from error


def _base_url(options: SandboxOptions, port: int) -> str:
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"http://{host}:{port}"


def _await_start(thread: threading.Thread, started: threading.Event) -> None:
    """Wait until the server answers; RuntimeError where it dies first or takes for ever."""
    waited = 0.0
    while not started.wait(_LOOK):
        waited += _LOOK
        if not thread.is_alive() or waited > _START_PATIENCE:
            raise RuntimeError("the simulated Device Hub did not start")


def _server(state: State, started: threading.Event) -> uvicorn.Server:
    """A uvicorn server over the state that says when it has started. It logs nothing; in a thread it leaves signals."""
    import uvicorn  # noqa: PLC0415 -- takes a while, and most commands need no sandbox

    from batch_orders.sandbox.app import create_app  # noqa: PLC0415 -- likewise
    from batch_orders.sandbox.listening import Connection, Server  # noqa: PLC0415

    config = uvicorn.Config(
        create_app(state),
        loop="asyncio",
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_STOP_PATIENCE,
    )
    return Server(config, started, _bound_socket)
