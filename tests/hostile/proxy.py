"""A proxy that understands CONNECT and nothing else, for tests: threads, loopback only."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

from tests.hostile.wire import GoneError, Wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_LIMIT = 30.0


class ConnectProxy:
    """Tunnels to 127.0.0.1 only. `refuse` answers this status instead; `silent` never answers a CONNECT.

    `targets` are those that were asked for; `on_connect` is called at each, before anything is answered.
    """

    def __init__(
        self, *, refuse: int | None = None, silent: bool = False, on_connect: Callable[[], None] = lambda: None
    ) -> None:
        self._refuse = refuse
        self._silent = silent
        self._on_connect = on_connect
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.targets: list[str] = []
        self.methods: list[str] = []

    def __enter__(self) -> Self:
        self._listener.settimeout(0.05)
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="proxy")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listener.accept()
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        wire = Wire(connection, self._stop, _LIMIT)
        with connection, contextlib.suppress(GoneError, OSError):
            method, target, *_ = wire.line().decode("latin-1").split(" ")
            wire.head()
            self.methods.append(method)
            self.targets.append(target)
            self._on_connect()
            port = int(target.rpartition(":")[2])
            if self._silent:
                wire.hang()
            elif self._refuse is not None or method != "CONNECT":
                wire.send(f"HTTP/1.1 {self._refuse or 405} No\r\nContent-Length: 0\r\n\r\n".encode())
                wire.close()
            else:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as upstream:
                    wire.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    self._start(_pump, upstream, connection, self._stop)
                    _pump(connection, upstream, self._stop)


def _pump(source: socket.socket, sink: socket.socket, stop: threading.Event) -> None:
    """Copy what comes until one side ends; then both are shut."""
    source.settimeout(0.05)
    with contextlib.suppress(OSError):
        while not stop.is_set():
            try:
                data = source.recv(65_536)
            except TimeoutError:
                continue
            if not data:
                break
            sink.settimeout(5)
            sink.sendall(data)
            sink.settimeout(0.05)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
